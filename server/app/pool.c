#include "server/app/pool.h"

#include <stdlib.h>
#include <time.h>

#include "server/app/pool_inside.h"

void sv_pool_set_limits(struct sv_pool *pool, const struct sv_decode_limits *limits)
{
    pthread_mutex_lock(&pool->mutex);
    pool->limits = *limits;
    pthread_mutex_unlock(&pool->mutex);
}

enum al_status sv_pool_prepare(struct sv_pool *pool, const struct sv_served *m,
                               struct al_error *err)
{
    enum al_status s = AL_OK;

    for (size_t i = 0; m->package && i < pool->n_workers && s == AL_OK; i++) {
        struct sv_worker *w = &pool->workers[i];

        pthread_mutex_lock(&w->workspace_mutex);
        s = al_workspace_reserve(w->workspace, m->package->model, err);
        pthread_mutex_unlock(&w->workspace_mutex);
    }
    return s;
}

void sv_pool_inspect(struct sv_pool *pool,
                     void (*look)(void *arg, struct sv_sched *sched), void *arg)
{
    pthread_mutex_lock(&pool->mutex);
    look(arg, pool->sched);
    pthread_mutex_unlock(&pool->mutex);
}

size_t sv_pool_n_workers(const struct sv_pool *pool)
{
    return pool->n_workers;
}

size_t sv_pool_team_threads(const struct sv_pool *pool)
{
    size_t n = pool->p.team_threads;

    return n < pool->n_workers ? n : pool->n_workers;
}

static void count_active(void *arg, struct sv_sched *sched)
{
    *(size_t *)arg = sv_sched_n_active(sched);
}

size_t sv_pool_n_active(struct sv_pool *pool)
{
    size_t n;

    sv_pool_inspect(pool, count_active, &n);
    return n + pool->n_collected;
}

/* ---- start and stop ---- */

static void init_sync(struct sv_pool *pool)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&pool->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC); /* as uv_hrtime */
    pthread_cond_init(&pool->work, &monotonic);
    pthread_cond_init(&pool->late, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (size_t i = 0; i < pool->n_workers; i++)
        pthread_mutex_init(&pool->workers[i].workspace_mutex, NULL);
}

static enum al_status start_late_thread(struct sv_pool *pool, struct al_error *err)
{
    int rc = pthread_create(&pool->late_thread, NULL, sv_pool_answer_late, pool);

    if (rc != 0)
        return al_fail(err, AL_NO_MEMORY, "thread for deadlines: error %d", rc);
    pool->late_started = true;
    return AL_OK;
}

static enum al_status start_workers(struct sv_pool *pool, struct al_error *err)
{
    for (size_t i = 0; i < pool->n_workers; i++) {
        struct sv_worker *w = &pool->workers[i];
        int rc;

        w->pool = pool;
        sv_crew_init(&w->crew, sv_pool_wake_workers, pool);
        w->workspace = al_workspace_new();
        if (!w->workspace)
            return al_fail(err, AL_NO_MEMORY, "workspace of worker %zu", i);
        rc = pthread_create(&w->thread, NULL, sv_worker_run, w);
        if (rc != 0)
            return al_fail(err, AL_NO_MEMORY, "worker %zu: error %d", i, rc);
        w->started = true;
    }
    return AL_OK;
}

enum al_status sv_pool_new(const struct sv_pool_params *p, struct sv_pool **ret,
                           struct al_error *err)
{
    size_t n = p->sched.n_workers;
    struct sv_pool *pool = calloc(1, sizeof(*pool) + n * sizeof(pool->workers[0]));
    enum al_status s;

    if (!pool || !(pool->sched = sv_sched_new(&p->sched))) {
        free(pool);
        return al_fail(err, AL_NO_MEMORY, "pool of %zu workers", n);
    }
    pool->p = *p;
    pool->limits = p->decode;
    pool->n_workers = n;
    pool->collected_end = &pool->collected;
    init_sync(pool);
    s = sv_bell_init(&pool->bell, p->loop, sv_pool_pass_on, pool, err);
    if (s != AL_OK) {
        sv_pool_free(pool);
        return s;
    }
    (void)uv_prepare_init(p->loop, &pool->before_poll);
    pool->before_poll.data = pool;
    (void)uv_prepare_start(&pool->before_poll, sv_pool_moderate);
    s = start_workers(pool, err);
    if (s == AL_OK)
        s = start_late_thread(pool, err);
    if (s != AL_OK) {
        sv_pool_stop(pool);
        return s; /* the handle still belongs to the loop: the process ends now */
    }
    *ret = pool;
    return AL_OK;
}

void sv_pool_stop(struct sv_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_cond_signal(&pool->late);
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < pool->n_workers; i++)
        if (pool->workers[i].started)
            pthread_join(pool->workers[i].thread, NULL);
    if (pool->late_started)
        pthread_join(pool->late_thread, NULL);
    sv_bell_close(&pool->bell);
    uv_close((uv_handle_t *)&pool->before_poll, NULL);
}

void sv_pool_free(struct sv_pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->n_workers; i++) {
        al_workspace_free(pool->workers[i].workspace);
        pthread_mutex_destroy(&pool->workers[i].workspace_mutex);
    }
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->late);
    pthread_mutex_destroy(&pool->mutex);
    sv_sched_free(pool->sched);
    free(pool);
}
