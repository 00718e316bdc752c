#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes are, with two labels, a set of two pictures, or an error. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t labels[] = { 0, 0, 8, 1, 0, 0, 0, 2, 1, 0 };
    const int images_fd = memfd_create("images", MFD_CLOEXEC);
    const int labels_fd = memfd_create("labels", MFD_CLOEXEC);
    struct tl_buffer buf = { .data = NULL };
    struct tl_data *d = NULL;
    char spec[64];

    assert(images_fd >= 0 && write(images_fd, data, size) == (ssize_t)size);
    assert(labels_fd >= 0 && write(labels_fd, labels, sizeof(labels)) == sizeof(labels));
    (void)snprintf(spec, sizeof(spec), "/proc/self/fd/%d,/proc/self/fd/%d", images_fd,
                   labels_fd);
    const struct tl_data_params p = { .spec = spec, .n_classes = 2 };

    if (tl_data_open(&p, &d, NULL) == AL_OK) {
        assert(tl_data_count(d) == 2);
        for (size_t i = 0; i < 2; i++)
            assert(tl_data_read(d, i, &buf, NULL) == AL_OK && buf.size > 0);
    }
    tl_data_free(d);
    tl_buffer_done(&buf);
    (void)close(images_fd);
    (void)close(labels_fd);
    return 0;
}
