/* sched_world.h — a scheduler on a table: a clock that tests move, jobs they take and
 * finish by hand. What goes wrong fails the test. */
#ifndef TEST_SCHED_WORLD_H
#define TEST_SCHED_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/sched.h"

#define MS UINT64_C(1000000)

/* A scheduler, its clock and what it handed back last. */
struct world {
    struct sv_sched *sched;
    uint64_t now;
    uint64_t retry;
    struct sv_outbox out;
};

struct world world_new(size_t n_workers);
struct sv_model *model_new(const char *name, size_t n_stages, size_t max_batch);
void submit(struct world *w, struct sv_request *r);
void submit_new(struct world *w, struct sv_request *r, struct sv_model *m);
bool take(struct world *w, struct sv_job *job);
void finish(struct world *w, struct sv_job *job, uint64_t elapsed);
void decode(struct world *w, struct sv_job *job, uint64_t elapsed);
/* Every row of the job is evaluated; those that `leaves` names by a set bit leave. */
void run(struct world *w, struct sv_job *job, uint64_t elapsed, unsigned leaves);
/* Takes a job, checks its kind, stage and size. */
void expect(struct world *w, struct sv_job *job, enum sv_job_kind kind, uint32_t stage,
            size_t n);
struct sv_request *answered(struct world *w);
void put_away(struct world *w, struct sv_request *r);
void world_done(struct world *w, struct sv_model *m);
/* Teaches the scheduler what a step costs. */
void teach(struct sv_model *m, size_t step, uint64_t fixed, uint64_t row);

#endif
