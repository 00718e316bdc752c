#include "tools/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum al_status read_open(int fd, const char *path, size_t max_bytes,
                                struct tl_bytes *ret, struct al_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return al_fail(err, AL_IO, "%s: %s", path, strerrordesc_np(errno));
    if (!S_ISREG(st.st_mode))
        return al_fail(err, AL_INVALID, "%s: not a regular file", path);
    if ((uint64_t)st.st_size > max_bytes)
        return al_fail(err, AL_TOO_LARGE, "%s: %lld bytes, limit %zu", path,
                       (long long)st.st_size, max_bytes);
    const size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size + 1);

    if (!data)
        return al_fail(err, AL_NO_MEMORY, "%s: %zu bytes", path, size);
    for (size_t at = 0; at < size;) {
        const ssize_t n = read(fd, data + at, size - at);

        if (n <= 0) {
            free(data);
            return n < 0 ? al_fail(err, AL_IO, "%s: %s", path, strerrordesc_np(errno))
                         : al_fail(err, AL_IO, "%s: shrank while being read", path);
        }
        at += (size_t)n;
    }
    *ret = (struct tl_bytes){ data, size };
    return AL_OK;
}

enum al_status tl_file_read(const char *path, size_t max_bytes, struct tl_bytes *ret,
                            struct al_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return al_fail(err, AL_IO, "%s: %s", path, strerrordesc_np(errno));
    const enum al_status s = read_open(fd, path, max_bytes, ret, err);

    (void)close(fd);
    return s;
}
