#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "package/package.h"

enum {
    MAX_VERSIONS = 4096
};

/* The number a folder's name spells in its only way; 0 for any other name. */
static uint32_t version_of(const char *name)
{
    char again[16];
    unsigned long v = strtoul(name, NULL, 10);

    if (v == 0 || v > INT32_MAX)
        return 0;
    (void)snprintf(again, sizeof(again), "%lu", v);
    return strcmp(again, name) == 0 ? (uint32_t)v : 0;
}

static bool is_folder(DIR *d, const char *name)
{
    struct stat st;

    return fstatat(dirfd(d), name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static size_t collect(DIR *d, uint32_t *versions)
{
    const struct dirent *e;
    size_t n = 0;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): `d` is ours alone */
    while (n < MAX_VERSIONS && (e = readdir(d))) {
        uint32_t v = version_of(e->d_name);

        if (v > 0 && is_folder(d, e->d_name))
            versions[n++] = v;
    }
    return n;
}

enum al_status pk_package_versions(const char *dir, uint32_t **ret, size_t *ret_n,
                                   struct al_error *err)
{
    uint32_t *versions;
    DIR *d = opendir(dir);
    size_t n;

    if (!d) {
        char text[128];
        int code = errno;

        return al_fail(err, code == ENOENT || code == ENOTDIR ? AL_NOT_FOUND : AL_IO,
                       "model folder %s: %s", dir, strerror_r(code, text, sizeof(text)));
    }
    versions = calloc(MAX_VERSIONS, sizeof(*versions));
    n = versions ? collect(d, versions) : 0;
    (void)closedir(d);
    if (n == 0) {
        enum al_status s = versions ? AL_NOT_FOUND : AL_NO_MEMORY;

        free(versions);
        return al_fail(err, s, "model folder %s: no folder named by a version number",
                       dir);
    }
    qsort(versions, n, sizeof(*versions), ascending);
    *ret = versions;
    *ret_n = n;
    return AL_OK;
}
