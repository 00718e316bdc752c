/* plan.h — what runs: for every part of every stage an array of steps whose operands have
 * their places. Built once (build.h), immutable, run by any number of threads (run.h).
 *
 * A lane is one row of a run: where its carry lies (the row's own memory: inputs, values
 * that cross a stage boundary, outputs, probabilities) and its slice of the worker's
 * memory. Steps take lists of lanes, so rows are addressed by pointer and may be any
 * subset of a batch. */
#ifndef AL_EXEC_PLAN_H
#define AL_EXEC_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/candidate.h"
#include "engine/base/team.h"
#include "engine/base/tensor.h"
#include "engine/graph/graph.h"
#include "engine/graph/stages.h"
#include "engine/kern/kern.h"

struct al_arena;

enum al_home {
    AL_HOME_MODEL, /* a constant */
    AL_HOME_CARRY, /* the row's memory */
    AL_HOME_WORK,  /* the row's slice of the worker's memory */
    AL_N_HOMES
};

struct al_place {
    enum al_home home;
    size_t offset;
    char *constant; /* AL_HOME_MODEL: the elements, never written */
};

struct al_lane {
    char *home[AL_N_HOMES]; /* CARRY and WORK */
};

static inline void *al_at(const struct al_place *p, const struct al_lane *lane)
{
    return p->home == AL_HOME_MODEL ? p->constant : lane->home[p->home] + p->offset;
}

/* Memory of one run on one thread and its team; sized by the plan. */
struct al_run {
    size_t n;
    const struct al_lane *lanes; /* n of them */
    struct al_team *team;        /* NULL: alone */
    char *scratch;               /* of the first thread */
    size_t scratch_stride;       /* to the next thread's */
    const float **x, **add;      /* room for n * n_pointers each */
    float **y;
};

struct al_step;
typedef void (*al_step_fn)(const struct al_step *s, struct al_run *r);

struct al_step {
    al_step_fn run;
    const void *args; /* the family's own: step_*.c */
    const struct al_place *in;
    const struct al_place *out;
    uint32_t n_in, n_out;
    uint32_t slot;        /* stage * AL_N_PARTS + part */
    size_t scratch_bytes; /* for each thread */
    size_t n_pointers;    /* it lists for each lane; 0 counts as 1 */
    /* For people. */
    const char *kind;                 /* "conv": its family, or "reorder", "gather" */
    const char *node;                 /* name of the node */
    const char *op;                   /* "Conv+Relu" */
    const char *kernel;               /* "direct-avx512" */
    enum al_conv_precision precision; /* of the kernel */
    struct al_shape shape;
    uint64_t macs;
    size_t weight_bytes;
    const struct al_candidate *candidates; /* kernels that were measured */
    size_t n_candidates;
};

struct al_plan {
    size_t n_stages;
    size_t n_steps;
    const struct al_step *steps;
    size_t part_begin[AL_MAX_STAGES * AL_N_PARTS + 1]; /* first step of each slot */
    struct al_place *inputs;                           /* of the graph's inputs */
    struct al_place *outputs;                          /* of the graph's outputs */
    struct al_place exits[AL_MAX_STAGES];              /* logits, plain */
    struct al_place gates[AL_MAX_STAGES];
    struct al_place probs[AL_MAX_STAGES]; /* carry: the exit's probabilities */
    size_t carry_bytes, work_bytes;       /* of one row */
    size_t scratch_bytes;                 /* of one thread */
    size_t n_pointers;                    /* of one lane: room in al_run.x, add, y */
    const struct al_kern *kern;
};

/* Runs the steps of one slot for the lanes of `r`. */
void al_plan_run(const struct al_plan *p, uint32_t slot, struct al_run *r);

#endif
