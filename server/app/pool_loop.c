#include "server/app/pool_inside.h"

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
    sv_pool_deliver(pool, &out);
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

void sv_pool_on_wake(uv_async_t *wake)
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
    sv_pool_note_work(pool);
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
