/* pool_inside.h — inside of the pool, shared by its files only:
 *   pool.c       start, stop, and what any thread may ask
 *   pool_loop.c  what the loop does: submit, finished calls
 *   pool_late.c  what the thread does that answers when time is up
 *   worker.c     what a worker does: take, decode, run, encode */
#ifndef SV_APP_POOL_INSIDE_H
#define SV_APP_POOL_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "server/app/bell.h"
#include "server/app/crew.h"
#include "server/app/pool.h"

struct sv_worker {
    struct sv_pool *pool;
    pthread_t thread;
    bool started;
    /* Guards workspace. The pool's mutex may be taken while it is held, never the other
     * way round. */
    pthread_mutex_t workspace_mutex;
    struct al_workspace *workspace;
    struct sv_job job;
    struct sv_crew crew; /* that it leads */
    size_t n_with_it;    /* helpers; guarded by the pool's mutex */
};

struct sv_pool {
    struct sv_pool_params p;
    pthread_mutex_t mutex; /* guards sched, stopping, limits */
    pthread_cond_t work;
    struct sv_sched *sched;
    bool stopping;
    atomic_bool has_work; /* something is queued: helpers are to leave */
    struct sv_decode_limits limits;

    _Atomic(struct sv_call *) finished; /* stack, newest first */
    uv_prepare_t before_poll;
    struct sv_bell bell; /* rung for the first that is put on an empty stack */

    pthread_t late_thread;
    bool late_started;
    pthread_cond_t late;
    uint64_t late_ns; /* when its thread looks again; 0: it is awake. By the mutex */

    struct sv_call *collected, **collected_end;
    size_t n_collected;

    size_t n_workers;
    struct sv_worker workers[];
};

/* Tells helpers whether anything is queued. The mutex is held. */
static inline void sv_pool_note_work(struct sv_pool *pool)
{
    atomic_store(&pool->has_work, sv_sched_has_work(pool->sched));
}

/* Wakes the thread for deadlines when one is sooner than it knows. The mutex is held. */
static inline void sv_pool_note_deadlines(struct sv_pool *pool)
{
    if (sv_sched_next_deadline(pool->sched) < pool->late_ns)
        pthread_cond_signal(&pool->late);
}

/* Waits for `cond` until `until_ns`, UINT64_MAX: for ever. The mutex is held. */
static inline void sv_pool_wait(struct sv_pool *pool, pthread_cond_t *cond,
                                uint64_t until_ns)
{
    struct timespec at = { .tv_sec = (time_t)(until_ns / 1000000000U),
                           .tv_nsec = (long)(until_ns % 1000000000U) };

    if (until_ns == UINT64_MAX)
        pthread_cond_wait(cond, &pool->mutex);
    else
        (void)pthread_cond_timedwait(cond, &pool->mutex, &at);
}

/* pool_late.c */
/* The thread for deadlines, `arg` the pool. */
void *sv_pool_answer_late(void *arg);

/* pool_loop.c */
/* Before the loop waits for events: rests while much waits for the workers. */
void sv_pool_moderate(uv_prepare_t *before_poll);
/* Passes on the finished calls, `arg` the pool. */
void sv_pool_pass_on(void *arg);

/* worker.c */
/* Encodes what became DONE and passes it on; frees what nobody needs any more. Any
 * thread; empties `out`. */
void sv_pool_deliver(struct sv_pool *pool, struct sv_outbox *out);
/* Wakes every worker; `arg` is the pool. */
void sv_pool_wake_workers(void *arg);
/* A worker's thread, `arg` its struct sv_worker. */
void *sv_worker_run(void *arg);

#endif
