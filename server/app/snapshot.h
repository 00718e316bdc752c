/* snapshot.h — everything there is to see of the server at one instant, copied under the
 * scheduler's lock so that it adds up, to be rendered at leisure. */
#ifndef SV_APP_SNAPSHOT_H
#define SV_APP_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "server/app/publish.h"
#include "server/core/counters.h"
#include "server/core/table.h"
#include "server/net/net.h"

struct sv_app;

struct sv_model_view {
    struct sv_model *model; /* a reference, keeps the names */
    const char *name;
    uint32_t version;
    const char *state;                  /* of the repository index */
    const char *const *exit_names;      /* [counters->n_stages] */
    size_t n_rows_queued[AL_MAX_EXITS]; /* before each stage */
    size_t n_decode_queued;             /* requests waiting for a decoder */
    struct sv_model_counters *counters; /* a copy */
    const char **names;                 /* memory of exit_names */
};

struct sv_process {
    double cpu_s, start_s; /* start: of the epoch */
    uint64_t resident_bytes, virtual_bytes, open_files, max_files;
};

struct sv_snapshot {
    uint64_t now_ns, up_ns;
    uint64_t epoch_ms; /* wall clock at now_ns */
    const char *state; /* of the server: "ready" */
    bool is_ready;     /* as health checks see it */
    size_t n_workers;
    size_t n_requests, n_rows, n_bytes; /* on their way */
    size_t max_rows, max_bytes;         /* of these, more are refused */
    uint64_t drain_ns;                  /* estimate to work them off */
    struct sv_net_counts net;
    size_t max_connections;
    size_t n_by_state[SV_N_MODEL_STATES]; /* entries of the repository index */
    struct sv_load_counts loads;
    struct sv_process process;
    size_t n_models;
    struct sv_model_view *models; /* those that serve, by name and version */
};

/* From the loop thread. `only`, when not NULL, is the one model to look at. */
AL_MUST_CHECK enum al_status sv_snapshot_take(const struct sv_app *app,
                                              const struct sv_model *only,
                                              struct sv_snapshot *ret,
                                              struct al_error *err);
void sv_snapshot_done(struct sv_snapshot *s);

#endif
