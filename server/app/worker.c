#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/app/builtin.h"
#include "server/app/pool_inside.h"

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
        sv_bell_ring(&pool->bell); /* else somebody did, and the loop has not come */
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
    sv_pool_note_deadlines(pool);
    pthread_mutex_unlock(&pool->mutex);
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
        sv_builtin_run(m, w->job.stage, w->job.n, w->job.run);
        return;
    }
    pthread_mutex_lock(&w->workspace_mutex);
    al_stage_run(m->package->model, w->workspace, w->job.stage, w->job.n, w->job.run,
                 w->job.n_helpers ? &w->crew.team : NULL);
    if (w->job.n_helpers)
        w->job.helped = sv_crew_close(&w->crew);
    pthread_mutex_unlock(&w->workspace_mutex);
}

static void run_job(struct sv_worker *w)
{
    if (w->job.kind == SV_JOB_DECODE)
        run_decode(w->pool, &w->job);
    else
        run_stage(w);
}

/* ---- the next job, or somebody else's ---- */

/* The mutex is held. */
static void call_helpers(struct sv_worker *w)
{
    if (w->job.n_helpers == 0)
        return;
    sv_crew_open(&w->crew, w->job.n_helpers);
    for (size_t i = 0; i < w->job.n_helpers; i++)
        pthread_cond_signal(&w->pool->work);
}

/* Whose run has room for a helper; NULL: nobody's. The mutex is held. */
static struct sv_worker *find_leader(struct sv_pool *pool)
{
    for (size_t i = 0; i < pool->n_workers; i++) {
        struct sv_worker *w = &pool->workers[i];

        if (w->n_with_it < w->job.n_helpers && atomic_load(&w->crew.open))
            return w;
    }
    return NULL;
}

/* Until there is something to do, for the crew or otherwise. The mutex is held. */
static void rest(struct sv_pool *pool, struct sv_crew *c, uint64_t seen)
{
    atomic_fetch_add(&c->n_asleep, 1);
    if (!sv_crew_is_news(c, seen) && !atomic_load(&pool->has_work) && !pool->stopping)
        pthread_cond_wait(&pool->work, &pool->mutex);
    atomic_fetch_sub(&c->n_asleep, 1);
}

/* Until the run is over or work of its own waits. The mutex is held, but for the time the
 * helper helps. */
static void help(struct sv_pool *pool, struct sv_worker *leader)
{
    enum sv_crew_end end;
    uint64_t seen = 0;

    leader->n_with_it++;
    do {
        pthread_mutex_unlock(&pool->mutex);
        end = sv_crew_help(&leader->crew, &pool->has_work, &seen);
        pthread_mutex_lock(&pool->mutex);
        if (end == SV_CREW_QUIET)
            rest(pool, &leader->crew, seen);
    } while (end == SV_CREW_QUIET);
    leader->n_with_it--;
}

/* Nothing to do: helps, or waits until `retry_ns`. The mutex is held. */
static void be_idle(struct sv_pool *pool, uint64_t retry_ns)
{
    struct sv_worker *leader = sv_sched_has_work(pool->sched) ? NULL : find_leader(pool);

    if (leader)
        help(pool, leader);
    else
        sv_pool_wait(pool, &pool->work, retry_ns);
}

/* Gives back the last job, takes the next. False: the pool stops. */
static bool next_job(struct sv_worker *w, uint64_t elapsed_ns, bool *ret_has_job,
                     struct sv_outbox *out)
{
    struct sv_pool *pool = w->pool;
    uint64_t now, retry_ns = UINT64_MAX;
    bool stopping, is_more;

    pthread_mutex_lock(&pool->mutex);
    now = uv_hrtime(); /* under the mutex: the scheduler's time never goes back */
    if (w->job.kind != SV_JOB_NONE)
        sv_sched_finish(pool->sched, &w->job, elapsed_ns, now, out);
    *ret_has_job = sv_sched_take(pool->sched, now, &w->job, out, &retry_ns);
    sv_pool_note_work(pool);
    if (!*ret_has_job && !out->answer && !out->free && !pool->stopping)
        be_idle(pool, retry_ns);
    if (*ret_has_job)
        call_helpers(w);
    is_more = *ret_has_job && sv_sched_has_work(pool->sched);
    stopping = pool->stopping && !*ret_has_job;
    pthread_mutex_unlock(&pool->mutex);
    if (is_more)
        pthread_cond_signal(&pool->work); /* after the unlock: who wakes needs the mutex */
    return !stopping;
}

/* Called by a crew's leader when helpers sleep. */
void sv_pool_wake_workers(void *arg)
{
    struct sv_pool *pool = arg;

    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
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
