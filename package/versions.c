#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "package/package.h"

struct versions {
    uint32_t *v;
    size_t n, capacity;
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

static bool add(struct versions *all, uint32_t version)
{
    if (all->n == all->capacity) {
        const size_t capacity = all->capacity ? 2 * all->capacity : 4;
        uint32_t *v = reallocarray(all->v, capacity, sizeof(*v));

        if (!v)
            return false;
        all->v = v;
        all->capacity = capacity;
    }
    all->v[all->n++] = version;
    return true;
}

/* False: no memory. */
static bool collect(DIR *d, struct versions *all)
{
    const struct dirent *e;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): `d` is ours alone */
    while ((e = readdir(d))) {
        const uint32_t v = version_of(e->d_name);

        if (v > 0 && is_folder(d, e->d_name) && !add(all, v))
            return false;
    }
    return true;
}

enum al_status pk_package_versions(const char *dir, uint32_t **ret, size_t *ret_n,
                                   struct al_error *err)
{
    struct versions all = { .n = 0 };
    DIR *d = opendir(dir);

    if (!d) {
        char text[128];
        int code = errno;

        return al_fail(err, code == ENOENT || code == ENOTDIR ? AL_NOT_FOUND : AL_IO,
                       "model folder %s: %s", dir, strerror_r(code, text, sizeof(text)));
    }
    const bool collected = collect(d, &all);

    (void)closedir(d);
    if (!collected || all.n == 0) {
        free(all.v);
        return collected
                   ? al_fail(err, AL_NOT_FOUND,
                             "model folder %s: no folder named by a version number; "
                             "a package is NAME/1/model.onnx",
                             dir)
                   : al_fail(err, AL_NO_MEMORY, "versions in %s", dir);
    }
    qsort(all.v, all.n, sizeof(*all.v), ascending);
    *ret = all.v;
    *ret_n = all.n;
    return AL_OK;
}
