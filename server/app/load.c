#include "server/app/load.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server/app/versions.h"
#include "server/app/warmup.h"
#include "server/net/route.h"
#include "server/proto/served.h"

#define MAX_PACKAGES 4096

/* ---- what has changed ---- */

/* FNV-1a over time and size of one file. */
static uint64_t add_file(uint64_t hash, const char *dir, const char *file)
{
    char path[PATH_MAX];
    struct stat st = { 0 };

    const int n = snprintf(path, sizeof(path), "%s/%s", dir, file);

    if (n > 0 && (size_t)n < sizeof(path))
        (void)stat(path, &st);
    hash = (hash ^ (uint64_t)st.st_mtim.tv_sec) * UINT64_C(1099511628211);
    hash = (hash ^ (uint64_t)st.st_mtim.tv_nsec) * UINT64_C(1099511628211);
    return (hash ^ (uint64_t)st.st_size) * UINT64_C(1099511628211);
}

static uint64_t stamp_of(const char *dir, uint32_t version)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    char file[64];

    hash = add_file(hash, dir, "model.json");
    hash = add_file(hash, dir, "labels.txt");
    (void)snprintf(file, sizeof(file), "%u/model.onnx", version);
    hash = add_file(hash, dir, file);
    (void)snprintf(file, sizeof(file), "%u/policy.json", version);
    return add_file(hash, dir, file);
}

static bool is_known(const struct sv_load *l, uint32_t version, uint64_t stamp)
{
    for (size_t i = 0; i < l->n_known; i++)
        if (l->known[i].version == version)
            return l->known[i].stamp == stamp;
    return false;
}

/* ---- one version ---- */

static enum al_status load_version(const struct sv_load *l, const char *dir,
                                   const struct sv_loaded *v, struct sv_model **ret,
                                   struct al_error *err)
{
    const struct pk_load_params params = { .precision = l->precision,
                                           .cpu_mask = l->cpu_mask,
                                           .now_ns = sv_thread_ns,
                                           .max_threads = sv_pool_team_threads(l->pool) };
    struct pk_package *package = NULL;
    struct sv_served *served = NULL;
    struct sv_model *model = NULL;
    enum al_status s = pk_package_load(dir, v->version, &params, &package, err);

    if (s != AL_OK)
        return s;
    s = sv_served_new(package, &served, err);
    if (s != AL_OK) {
        pk_package_free(package);
        return s;
    }
    served->stamp = v->stamp;
    served->max_threads = params.max_threads;
    s = sv_pool_prepare(l->pool, served, err);
    if (s == AL_OK)
        s = sv_served_to_model(served, &model, err);
    if (s != AL_OK) {
        sv_served_free(served);
        return s;
    }
    s = sv_warm_up(model, err);
    if (s != AL_OK) {
        sv_model_unref(model);
        return s;
    }
    *ret = model;
    return AL_OK;
}

void sv_load_run(struct sv_load *l)
{
    char dir[PATH_MAX];
    uint32_t *versions = NULL;
    size_t n = 0;

    (void)snprintf(dir, sizeof(dir), "%s/%s", l->folder, l->name);
    l->error.status = pk_package_versions(dir, &versions, &n, &l->error);
    if (l->error.status != AL_OK)
        return;
    n = sv_versions_keep(l->rules, l->name, versions, n);
    if (n == 0)
        l->error.status = al_fail(&l->error, AL_NOT_FOUND,
                                  "the setting 'versions' names none of its versions");
    l->n_skipped = n > SV_MAX_VERSIONS ? n - SV_MAX_VERSIONS : 0;
    n -= l->n_skipped;
    for (size_t i = 0; i < n; i++) {
        struct sv_loaded *v = &l->versions[i];

        v->version = versions[l->n_skipped + i];
        v->stamp = stamp_of(dir, v->version);
        v->unchanged = is_known(l, v->version, v->stamp);
        v->error.status = AL_OK;
        if (!v->unchanged)
            v->error.status = load_version(l, dir, v, &v->model, &v->error);
    }
    l->n = n;
    free(versions);
}

/* ---- the folder ---- */

bool sv_load_is_name(const char *name)
{
    size_t n = strspn(name,
                      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                      "0123456789._-");

    return n > 0 && n <= SV_ROUTE_ARG_MAX && name[n] == '\0' && name[0] != '.' &&
           strcmp(name, "stats") != 0;
}

static bool is_visible_folder(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return name[0] != '.' && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum al_status sv_load_list(const char *folder, char ***ret, size_t *ret_n,
                            struct al_error *err)
{
    DIR *dir = opendir(folder);
    char **names = dir ? calloc(MAX_PACKAGES, sizeof(*names)) : NULL;
    struct dirent *entry;
    size_t n = 0;

    if (!dir)
        return al_fail(err, AL_IO, "model folder '%s': %s", folder, strerror(errno));
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
    while (names && n < MAX_PACKAGES && (entry = readdir(dir)))
        if (is_visible_folder(folder, entry->d_name) &&
            (names[n] = strdup(entry->d_name)))
            n++;
    (void)closedir(dir);
    if (!names)
        return al_fail(err, AL_NO_MEMORY, "model folder '%s'", folder);
    qsort(names, n, sizeof(*names), by_name);
    *ret = names;
    *ret_n = n;
    return AL_OK;
}

void sv_load_list_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}
