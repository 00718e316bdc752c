/* pool.h — the workers and the one mutex around the scheduler.
 *
 * The loop collects calls while libmicrohttpd runs and hands them over in one flush; a
 * free worker takes its next batch itself and gives back the last one in the same
 * critical section; finished calls go to the loop over a lock-free stack and one
 * ring of its bell. Everything declared here is for the loop thread unless it says
 * otherwise. */
#ifndef SV_APP_POOL_H
#define SV_APP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "server/core/sched.h"
#include "server/proto/call.h"

struct sv_pool;

struct sv_pool_params {
    uv_loop_t *loop;
    struct sv_sched_params sched; /* n_workers too */
    int worker_nice; /* as setpriority(2) takes it */
    size_t team_threads; /* workers that may share one run, at least 1 */
    struct sv_decode_limits decode;
    /* A batch of finished calls, encoded, linked by `next`: answer them, then give the
     * same list to sv_pool_release. */
    void (*finished)(void *user, struct sv_call *calls);
    void *user;
};

AL_MUST_CHECK enum al_status sv_pool_new(const struct sv_pool_params *p,
                                         struct sv_pool **ret, struct al_error *err);
/* No call may be on its way. Joins the threads and closes the handle; the memory lives
 * until sv_pool_free, to be called when the loop has run out. */
void sv_pool_stop(struct sv_pool *pool);
void sv_pool_free(struct sv_pool *pool);

/* Collects `c`; sv_pool_flush submits everything collected under one lock. A call that is
 * refused comes back at once through `finished`, with c->retry_after_s set. */
void sv_pool_submit(struct sv_pool *pool, struct sv_call *c);
void sv_pool_flush(struct sv_pool *pool);
/* The client of `c` has gone. True: `c` comes back through `finished` at once. */
bool sv_pool_cancel(struct sv_pool *pool, struct sv_call *c);
void sv_pool_release(struct sv_pool *pool, struct sv_call *calls);
void sv_pool_set_limits(struct sv_pool *pool, const struct sv_decode_limits *limits);

/* From the loader's thread: makes every worker's workspace large enough for `m`. */
AL_MUST_CHECK enum al_status sv_pool_prepare(struct sv_pool *pool,
                                             const struct sv_served *m,
                                             struct al_error *err);

/* Calls `look` with the scheduler locked: to copy counters. Any thread. */
void sv_pool_inspect(struct sv_pool *pool,
                     void (*look)(void *arg, struct sv_sched *sched), void *arg);
size_t sv_pool_n_workers(const struct sv_pool *pool);
/* Most workers that will share one run. */
size_t sv_pool_team_threads(const struct sv_pool *pool);
size_t sv_pool_n_active(struct sv_pool *pool);

#endif
