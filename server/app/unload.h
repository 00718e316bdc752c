/* unload.h — takes a model out of service and tells when it is gone: when the last
 * request in flight has let go of it and its memory is free. Loop thread only. */
#ifndef SV_APP_UNLOAD_H
#define SV_APP_UNLOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "engine/base/status.h"
#include "server/app/log.h"
#include "server/core/table.h"

/* How it ended; `err` is NULL after a success. */
typedef void (*sv_unloaded_fn)(void *arg, const struct al_error *err);

struct sv_unload;

/* Those under way; zeroed memory is none. */
struct sv_unloads {
    struct sv_unload *first;
};

struct sv_unload_params {
    uv_loop_t *loop;
    struct sv_log *log;
    struct sv_table *table;
    const char *name;
    uint64_t limit_ns; /* longest wait; the model goes all the same */
    sv_unloaded_fn done;
    void *arg;
};

/* From now on no version of the model serves, and the index shows it UNLOADING. `done` is
 * called once: AL_NOT_FOUND when none serves, AL_TIMEOUT when requests hold it for longer
 * than the limit. */
void sv_unload(struct sv_unloads *among, const struct sv_unload_params *p);
/* Ends all waits with AL_UNAVAILABLE, but for models that are being freed already. */
void sv_unloads_cancel(struct sv_unloads *among);

/* Whether `name` was unloaded on demand: only a load by name brings it back. */
bool sv_is_unloaded(const struct sv_table *t, const char *name);
/* Whether that is why `e` does not serve. */
bool sv_unload_is_reason(const struct sv_entry *e);

#endif
