#include "server/app/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "server/app/builtin.h"

#define NS_PER_S 1000000000U

struct worker {
    struct sv_pool *pool;
    pthread_t thread;
    bool started;
    pthread_mutex_t workspace_mutex; /* guards workspace */
    struct al_workspace *workspace;
    struct sv_job job;
};

struct sv_pool {
    struct sv_pool_params p;
    pthread_mutex_t mutex; /* guards sched, stopping, limits */
    pthread_cond_t work;
    struct sv_sched *sched;
    bool stopping;
    struct sv_decode_limits limits;

    _Atomic(struct sv_call *) finished; /* stack, newest first */
    atomic_bool rescheduled;            /* the loop's timer may be too late now */
    uv_async_t wake;
    uv_timer_t deadlines;
    uint64_t armed_ns; /* when `deadlines` fires; UINT64_MAX: never */

    struct sv_call *collected, **collected_end;
    size_t n_collected;

    size_t n_workers;
    struct worker workers[];
};

/* ---- finished calls, from any thread to the loop ---- */

static void push_finished(struct sv_pool *pool, struct sv_call *first,
                          struct sv_call *last)
{
    struct sv_call *top = atomic_load_explicit(&pool->finished, memory_order_relaxed);

    do {
        last->next = top;
    } while (!atomic_compare_exchange_weak_explicit(
        &pool->finished, &top, first, memory_order_release, memory_order_relaxed));
    if (!top)
        (void)uv_async_send(
            &pool->wake); /* else somebody did, and the loop has not come */
}

/* Encodes what became DONE and passes it on; frees what nobody needs any more. */
static void deliver(struct sv_pool *pool, struct sv_outbox *out)
{
    struct sv_call *first = NULL, *last = NULL;

    for (struct sv_request *r = out->answer, *next; r; r = next) {
        struct sv_call *c = sv_call_of(r);

        next = r->next;
        sv_call_encode(c);
        c->next = first;
        first = c;
        last = last ? last : c;
    }
    for (struct sv_request *r = out->free, *next; r; r = next) {
        next = r->next;
        sv_call_free(sv_call_of(r));
    }
    memset(out, 0, sizeof(*out));
    if (first)
        push_finished(pool, first, last);
}

/* ---- workers ---- */

static enum al_status reserve(void *arg, struct sv_call *c, uint32_t n_rows,
                              size_t extra_bytes, struct al_error *err)
{
    struct sv_pool *pool = arg;
    enum al_status s;

    pthread_mutex_lock(&pool->mutex);
    s = sv_sched_reserve(pool->sched, &c->request, n_rows, extra_bytes);
    if (s == AL_OVERLOADED)
        c->retry_after_s = sv_sched_retry_after_s(pool->sched);
    pthread_mutex_unlock(&pool->mutex);
    return s == AL_OK
               ? s
               : al_fail(err, s,
                         "no room for %u rows and %zu bytes more: max_queue_rows is "
                         "%zu, max_queue_bytes %zu",
                         n_rows, extra_bytes, pool->p.sched.max_rows,
                         pool->p.sched.max_bytes);
}

static void reschedule(void *arg, struct sv_call *c, uint64_t deadline_ns,
                       unsigned priority)
{
    struct sv_pool *pool = arg;

    pthread_mutex_lock(&pool->mutex);
    sv_sched_set_limits(pool->sched, &c->request, priority, deadline_ns);
    pthread_mutex_unlock(&pool->mutex);
    atomic_store(&pool->rescheduled, true);
    (void)uv_async_send(&pool->wake);
}

static void run_decode(struct sv_pool *pool, struct sv_job *job)
{
    struct sv_decoder d = { .reserve = reserve, .reschedule = reschedule, .arg = pool };

    pthread_mutex_lock(&pool->mutex);
    d.limits = pool->limits;
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < job->n; i++)
        sv_call_decode(sv_call_of(job->requests[i]), &d, &job->status[i]);
}

static void run_stage(struct worker *w)
{
    const struct sv_served *m = sv_served_of(w->job.model);

    if (!m->package) {
        sv_builtin_run(m, w->job.n, w->job.run);
        return;
    }
    pthread_mutex_lock(&w->workspace_mutex);
    al_stage_run(m->package->model, w->workspace, w->job.stage, w->job.n, w->job.run,
                 NULL);
    pthread_mutex_unlock(&w->workspace_mutex);
}

static void run_job(struct worker *w)
{
    if (w->job.kind == SV_JOB_DECODE)
        run_decode(w->pool, &w->job);
    else
        run_stage(w);
}

/* Until `until_ns`, or for a signal. The mutex is held. */
static void wait_for_work(struct sv_pool *pool, uint64_t until_ns)
{
    struct timespec at = { .tv_sec = (time_t)(until_ns / NS_PER_S),
                           .tv_nsec = (long)(until_ns % NS_PER_S) };

    if (until_ns == UINT64_MAX)
        pthread_cond_wait(&pool->work, &pool->mutex);
    else
        (void)pthread_cond_timedwait(&pool->work, &pool->mutex, &at);
}

/* Gives back the last job, takes the next. False: the pool stops. */
static bool next_job(struct worker *w, uint64_t elapsed_ns, bool *ret_has_job,
                     struct sv_outbox *out)
{
    struct sv_pool *pool = w->pool;
    uint64_t now, retry_ns = UINT64_MAX;
    bool stopping;

    pthread_mutex_lock(&pool->mutex);
    now = uv_hrtime(); /* under the mutex: the scheduler's time never goes back */
    if (w->job.kind != SV_JOB_NONE)
        sv_sched_finish(pool->sched, &w->job, elapsed_ns, now, out);
    *ret_has_job = sv_sched_take(pool->sched, now, &w->job, out, &retry_ns);
    if (!*ret_has_job && !out->answer && !out->free && !pool->stopping)
        wait_for_work(pool, retry_ns);
    else if (*ret_has_job && sv_sched_has_work(pool->sched))
        pthread_cond_signal(&pool->work);
    stopping = pool->stopping && !*ret_has_job;
    pthread_mutex_unlock(&pool->mutex);
    return !stopping;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct sv_outbox out = { 0 };
    uint64_t elapsed_ns = 0;
    bool has_job;

    /* On Linux this is the thread's own niceness. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), w->pool->p.worker_nice);
    while (next_job(w, elapsed_ns, &has_job, &out)) {
        deliver(w->pool, &out);
        if (!has_job)
            continue;
        uint64_t start_ns = uv_hrtime();

        run_job(w);
        elapsed_ns = uv_hrtime() - start_ns;
    }
    deliver(w->pool, &out);
    return NULL;
}

/* ---- the loop's side ---- */

static void expire(uv_timer_t *timer);

/* Takes the scheduler's next deadline into the timer, when it is sooner. */
static void arm(struct sv_pool *pool, uint64_t deadline_ns)
{
    uint64_t now, ms;

    if (deadline_ns >= pool->armed_ns)
        return;
    pool->armed_ns = deadline_ns;
    now = uv_hrtime();
    ms = deadline_ns > now ? (deadline_ns - now) / 1000000 + 1 : 0;

    uv_update_time(pool->p.loop);
    (void)uv_timer_start(&pool->deadlines, expire, ms, 0);
}

static void expire(uv_timer_t *timer)
{
    struct sv_pool *pool = timer->data;
    struct sv_outbox out = { 0 };
    uint64_t next_ns;

    pool->armed_ns = UINT64_MAX;
    pthread_mutex_lock(&pool->mutex);
    sv_sched_expire(pool->sched, uv_hrtime(), &out);
    next_ns = sv_sched_next_deadline(pool->sched);
    pthread_mutex_unlock(&pool->mutex);
    for (struct sv_request *r = out.answer; r; r = r->next)
        sv_call_of(r)->accepts_gzip = false; /* no time for that on the loop */
    deliver(pool, &out);
    arm(pool, next_ns);
}

static uint64_t next_deadline(struct sv_pool *pool)
{
    uint64_t deadline_ns;

    pthread_mutex_lock(&pool->mutex);
    deadline_ns = sv_sched_next_deadline(pool->sched);
    pthread_mutex_unlock(&pool->mutex);
    return deadline_ns;
}

static void on_wake(uv_async_t *wake)
{
    struct sv_pool *pool = wake->data;
    struct sv_call *calls =
        atomic_exchange_explicit(&pool->finished, NULL, memory_order_acquire);

    if (atomic_exchange(&pool->rescheduled, false))
        arm(pool, next_deadline(pool));
    if (calls)
        pool->p.finished(pool->p.user, calls);
}

void sv_pool_submit(struct sv_pool *pool, struct sv_call *c)
{
    c->next = NULL;
    *pool->collected_end = c;
    pool->collected_end = &c->next;
    pool->n_collected++;
}

/* Submits the collected calls; returns those refused. */
static struct sv_call *submit_all(struct sv_pool *pool, uint64_t *ret_deadline_ns)
{
    struct sv_call *refused = NULL;
    uint64_t now;

    pthread_mutex_lock(&pool->mutex);
    now = uv_hrtime();
    for (struct sv_call *c = pool->collected, *next; c; c = next) {
        next = c->next;
        c->next = NULL;
        c->request.status =
            sv_sched_submit(pool->sched, &c->request, now, &c->retry_after_s);
        if (c->request.status != AL_OK) {
            c->next = refused;
            refused = c;
        }
    }
    *ret_deadline_ns = sv_sched_next_deadline(pool->sched);
    pthread_cond_signal(&pool->work); /* who takes work wakes the next for the rest */
    pthread_mutex_unlock(&pool->mutex);
    return refused;
}

static void encode_refusal(struct sv_call *c)
{
    struct al_error err;

    if (c->request.status == AL_OVERLOADED) {
        (void)al_fail(&err, AL_OVERLOADED, "the queue is full; it drains in about %u s",
                      c->retry_after_s);
    } else {
        (void)al_fail(&err, c->request.status,
                      "%zu bytes are more than the whole queue may hold",
                      c->request.size_bytes);
        c->retry_after_s = 0;
    }
    sv_call_explain(c, &err);
    sv_call_encode(c);
}

void sv_pool_flush(struct sv_pool *pool)
{
    struct sv_call *refused;
    uint64_t deadline_ns;

    if (!pool->collected)
        return;
    refused = submit_all(pool, &deadline_ns);
    pool->collected = NULL;
    pool->collected_end = &pool->collected;
    pool->n_collected = 0;
    arm(pool, deadline_ns);
    for (struct sv_call *c = refused; c; c = c->next)
        encode_refusal(c);
    if (refused)
        pool->p.finished(pool->p.user, refused);
}

bool sv_pool_cancel(struct sv_pool *pool, struct sv_call *c)
{
    bool done;

    pthread_mutex_lock(&pool->mutex);
    done = sv_sched_cancel(pool->sched, &c->request, uv_hrtime());
    pthread_mutex_unlock(&pool->mutex);
    if (!done)
        return false;
    c->next = NULL;
    pool->p.finished(pool->p.user, c);
    return true;
}

void sv_pool_release(struct sv_pool *pool, struct sv_call *calls)
{
    struct sv_call *unused = NULL;

    pthread_mutex_lock(&pool->mutex);
    for (struct sv_call *c = calls, *next; c; c = next) {
        next = c->next;
        if (c->request.state == SV_REQUEST_NEW ||
            sv_sched_release(pool->sched, &c->request)) {
            c->next = unused;
            unused = c;
        }
    }
    pthread_mutex_unlock(&pool->mutex);
    for (struct sv_call *next; unused; unused = next) {
        next = unused->next;
        sv_call_free(unused);
    }
}

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
        struct worker *w = &pool->workers[i];

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
    pthread_condattr_destroy(&monotonic);
    for (size_t i = 0; i < pool->n_workers; i++)
        pthread_mutex_init(&pool->workers[i].workspace_mutex, NULL);
}

static enum al_status start_workers(struct sv_pool *pool, struct al_error *err)
{
    for (size_t i = 0; i < pool->n_workers; i++) {
        struct worker *w = &pool->workers[i];
        int rc;

        w->pool = pool;
        w->workspace = al_workspace_new();
        if (!w->workspace)
            return al_fail(err, AL_NO_MEMORY, "workspace of worker %zu", i);
        rc = pthread_create(&w->thread, NULL, work, w);
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
    pool->armed_ns = UINT64_MAX;
    init_sync(pool);
    (void)uv_async_init(p->loop, &pool->wake, on_wake);
    (void)uv_timer_init(p->loop, &pool->deadlines);
    pool->wake.data = pool->deadlines.data = pool;
    s = start_workers(pool, err);
    if (s != AL_OK) {
        sv_pool_stop(pool);
        return s; /* the handles still belong to the loop: the process ends now */
    }
    *ret = pool;
    return AL_OK;
}

void sv_pool_stop(struct sv_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < pool->n_workers; i++)
        if (pool->workers[i].started)
            pthread_join(pool->workers[i].thread, NULL);
    uv_close((uv_handle_t *)&pool->wake, NULL);
    uv_close((uv_handle_t *)&pool->deadlines, NULL);
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
    pthread_mutex_destroy(&pool->mutex);
    sv_sched_free(pool->sched);
    free(pool);
}
