/* loader.h — loads packages off the loop, one at a time, and publishes them on it. A
 * package is read, its kernels chosen, some rows run and the workers' workspaces made
 * large enough before anybody can ask for it; a failed load leaves the old one serving.
 * Loop thread only; the work itself (load.h) runs on libuv's thread pool. */
#ifndef SV_APP_LOADER_H
#define SV_APP_LOADER_H

#include <stdbool.h>
#include <uv.h>

#include "engine/engine.h"
#include "server/app/log.h"
#include "server/app/pool.h"
#include "server/app/publish.h"
#include "server/core/table.h"

struct sv_loader;

struct sv_loader_params {
    uv_loop_t *loop;
    struct sv_log *log;
    struct sv_pool *pool;
    struct sv_table *table;
    const char *folder;
    const char *versions;        /* which ones, see versions.h */
    enum al_precision precision; /* AL_N_PRECISIONS: what the package says */
    unsigned cpu_mask;
    int worker_nice; /* loading makes way for the workers: it is nicer than they */
};

/* How a load ended; `err` is NULL after a success. */
typedef void (*sv_loaded_fn)(void *arg, const struct al_error *err);

struct sv_loader *sv_loader_new(const struct sv_loader_params *p);
void sv_loader_free(struct sv_loader *l);

/* Rules for the loads from now on; the text stays the caller's. */
void sv_loader_set_versions(struct sv_loader *l, const char *rules);
/* Queues a load of the versions of package `name` that are new or changed; `done` may be
 * NULL. Versions that are gone from the disk, or not to be served, are unloaded. */
void sv_loader_load(struct sv_loader *l, const char *name, sv_loaded_fn done, void *arg);
/* The same for every package of the folder; `done` is called after the last one, with the
 * error of the folder itself or NULL. */
void sv_loader_scan(struct sv_loader *l, sv_loaded_fn done, void *arg);
/* The same for versions whose files have changed since they were last tried. */
void sv_loader_poll(struct sv_loader *l);
/* Whether `e` serves nothing because it could not be loaded. */
bool sv_loader_has_failed(const struct sv_entry *e);
/* Whether the folder could not be read when it was last looked at. */
bool sv_loader_folder_failed(const struct sv_loader *l);
/* Takes every version of `name` out of service, until it is loaded by name again; what is
 * in flight finishes, `done` is called when the memory is free (see unload.h). */
void sv_loader_unload(struct sv_loader *l, const char *name, uint64_t limit_ns,
                      sv_loaded_fn done, void *arg);
/* Nothing more is loaded: what is queued ends with AL_UNAVAILABLE, what is under way is
 * finished. */
void sv_loader_cancel(struct sv_loader *l);
/* Nothing is queued or under way. */
bool sv_loader_is_idle(const struct sv_loader *l);
const struct sv_load_counts *sv_loader_counts(const struct sv_loader *l);

#endif
