/* model.h — one version of a model as the scheduler sees it: stages with queues, costs
 * and counters. Shared by reference: the model table holds one, every request holds one,
 * the last to let go frees it, on any thread. */
#ifndef SV_CORE_MODEL_H
#define SV_CORE_MODEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/cost.h"
#include "server/core/counters.h"
#include "server/core/heap.h"

struct sv_model_params {
    const char *name;
    uint32_t version;
    size_t n_stages;    /* at least 1 */
    size_t max_batch;   /* rows of one run, 1 to SV_MAX_BATCH */
    size_t max_threads; /* that can share one run; 0: 1 */
    void *payload;      /* the loaded package; given away */
    void (*free_payload)(void *payload);
};

/* What help of idle workers was worth so far. */
struct sv_help {
    double time_share; /* time of runs with help / time alone, smoothed; 0: none yet */
    uint64_t n_declined;
};

#define SV_SPANS 80 /* classes of entries by their patience, see ahead.c */

/* A step of the way: step 0 decodes requests, step k+1 runs stage k for rows. */
struct sv_step {
    struct sv_heap queue; /* of requests (step 0) or rows, by due time */
    struct sv_cost cost;  /* of runs without help */
    struct sv_help help;
    size_t n_running;           /* jobs that workers have taken */
    uint64_t n_passed;          /* entries that went through of late */
    uint64_t waiting_ns;        /* since when nothing was taken from the queue */
    uint32_t by_span[SV_SPANS]; /* entries in the queue */
};

struct sv_model {
    /* Immutable. */
    char *name;
    uint32_t version;
    size_t n_stages;
    size_t max_batch, max_threads;
    void *payload;

    /* Guarded by the scheduler's lock. */
    struct sv_model_counters *counters;
    struct sv_step *steps; /* [n_stages + 1] */
    size_t n_active;       /* requests on their way */
    uint64_t virtual_ns;   /* worker time received, for fairness between models */
    struct sv_model *next; /* among the models that have requests on their way */

    atomic_size_t n_refs;
    void (*free_payload)(void *payload);
};

/* One reference, for the caller. NULL when memory is short; the payload then stays the
 * caller's. */
struct sv_model *sv_model_new(const struct sv_model_params *p);
struct sv_model *sv_model_ref(struct sv_model *m);
void sv_model_unref(struct sv_model *m);
/* Whether the caller's reference is the only one. */
bool sv_model_is_last(struct sv_model *m);

/* `m`, which has had no request yet, goes on counting where `old` stands, when both have
 * as many stages. */
void sv_model_inherit(struct sv_model *m, const struct sv_model *old);

/* `n` entries have gone through `step`. */
void sv_model_passed(struct sv_model *m, size_t step, size_t n);
/* Worker time one more entry of `step` will probably take until it leaves the model: what
 * the step costs per row, and each later step as often as rows have reached it of late. */
uint64_t sv_model_entry_ns(const struct sv_model *m, size_t step);
/* The same of all that is queued. */
uint64_t sv_model_queued_ns(const struct sv_model *m);

#endif
