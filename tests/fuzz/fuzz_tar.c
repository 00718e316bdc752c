#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any tar is a set whose pictures lie within the file, or an error. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int fd = memfd_create("tar", MFD_CLOEXEC);
    struct tl_buffer buf = { .data = NULL };
    struct tl_data *d = NULL;
    char path[64];

    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    const struct tl_data_params p = { .spec = path, .n_classes = 1 + size % 3 };

    if (tl_data_open(&p, &d, NULL) == AL_OK) {
        for (size_t i = 0; i < tl_data_count(d); i++) {
            const enum al_status s = tl_data_read(d, i, &buf, NULL);

            assert(s == AL_OK);
            assert(buf.size <= size);
        }
    }
    tl_data_free(d);
    tl_buffer_done(&buf);
    (void)close(fd);
    return 0;
}
