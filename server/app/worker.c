#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "server/app/builtin.h"
#include "server/app/pool_inside.h"

#define NS_PER_S 1000000000U

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

void sv_pool_deliver(struct sv_pool *pool, struct sv_outbox *out)
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

/* ---- jobs ---- */

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

static void run_stage(struct sv_worker *w)
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

static void run_job(struct sv_worker *w)
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
static bool next_job(struct sv_worker *w, uint64_t elapsed_ns, bool *ret_has_job,
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

void *sv_worker_run(void *arg)
{
    struct sv_worker *w = arg;
    struct sv_outbox out = { 0 };
    uint64_t elapsed_ns = 0;
    bool has_job;

    /* On Linux this is the thread's own niceness. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), w->pool->p.worker_nice);
    while (next_job(w, elapsed_ns, &has_job, &out)) {
        sv_pool_deliver(w->pool, &out);
        if (!has_job)
            continue;
        uint64_t start_ns = uv_hrtime();

        run_job(w);
        elapsed_ns = uv_hrtime() - start_ns;
    }
    sv_pool_deliver(w->pool, &out);
    return NULL;
}
