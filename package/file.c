#include "package/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nettle/sha2.h>

static enum al_status fail_errno(struct al_error *err, const char *what, const char *path)
{
    int code = errno;
    char text[128];

    return al_fail(err, code == ENOENT ? AL_NOT_FOUND : AL_IO, "%s %s: %s", what, path,
                   strerror_r(code, text, sizeof(text)));
}

static bool read_all(int fd, char *data, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = read(fd, data + done, size - done);

        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return false;
    }
    return true;
}

static enum al_status read_open(int fd, const char *path, size_t max_bytes, char **ret,
                                size_t *ret_size, struct al_error *err)
{
    struct stat st;
    char *data;
    size_t size;

    if (fstat(fd, &st) != 0)
        return fail_errno(err, "cannot read", path);
    size = (size_t)st.st_size;
    if (!S_ISREG(st.st_mode))
        return al_fail(err, AL_INVALID, "%s is not a regular file", path);
    if (size > max_bytes)
        return al_fail(err, AL_TOO_LARGE, "%s has %zu bytes, the limit is %zu", path,
                       size, max_bytes);
    data = malloc(size + 1);
    if (!data)
        return al_fail(err, AL_NO_MEMORY, "%s of %zu bytes", path, size);
    if (!read_all(fd, data, size)) {
        free(data);
        return al_fail(err, AL_IO, "cannot read all %zu bytes of %s", size, path);
    }
    data[size] = '\0';
    *ret = data;
    *ret_size = size;
    return AL_OK;
}

enum al_status pk_file_read(const char *path, size_t max_bytes, char **ret,
                            size_t *ret_size, struct al_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block */
    enum al_status s;

    if (fd < 0)
        return fail_errno(err, "cannot open", path);
    s = read_open(fd, path, max_bytes, ret, ret_size, err);
    (void)close(fd);
    return s;
}

void pk_file_forget(void *arg, const void *bytes, size_t n)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = ((uintptr_t)bytes + page - 1) & ~(page - 1);
    const uintptr_t end = ((uintptr_t)bytes + n) & ~(page - 1);

    (void)arg;
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

void pk_sha256(const void *data, size_t size, char ret[65])
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];

    sha256_init(&ctx);
    sha256_update(&ctx, size, data);
    sha256_digest(&ctx, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}
