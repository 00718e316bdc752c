#include <inttypes.h>

#include "server/app/pool_inside.h"

#define BACKLOG_PER_REST 16 /* a rest adds little to what a new request will wait */
#define SHORTEST_REST_NS 50000
#define LONGEST_REST_NS  500000

/* Moderation, as of a network card's interrupts: while the workers have work for long,
 * nothing that comes in can be begun at once, but every time the loop wakes it takes a
 * processor from one of them. */
void sv_pool_moderate(uv_prepare_t *before_poll)
{
    struct sv_pool *pool = before_poll->data;
    struct timespec rest = { 0 };

    if (!atomic_load(&pool->has_work))
        return;
    pthread_mutex_lock(&pool->mutex);
    rest.tv_nsec = (long)(sv_sched_drain_ns(pool->sched) / BACKLOG_PER_REST);
    pthread_mutex_unlock(&pool->mutex);
    if (rest.tv_nsec > LONGEST_REST_NS)
        rest.tv_nsec = LONGEST_REST_NS;
    if (rest.tv_nsec > SHORTEST_REST_NS)
        (void)nanosleep(&rest, NULL);
}

void sv_pool_pass_on(void *arg)
{
    struct sv_pool *pool = arg;
    struct sv_call *calls =
        atomic_exchange_explicit(&pool->finished, NULL, memory_order_acquire);

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
static struct sv_call *submit_all(struct sv_pool *pool)
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
    sv_pool_note_work(pool);
    sv_pool_note_deadlines(pool);
    pthread_mutex_unlock(&pool->mutex);
    pthread_cond_signal(&pool->work); /* who takes work wakes the next for the rest */
    return refused;
}

static void encode_refusal(struct sv_call *c)
{
    struct al_error err;

    if (c->request.status == AL_OVERLOADED) {
        (void)al_fail(&err, AL_OVERLOADED,
                      "the queue is full or too long for the deadline: an answer would "
                      "have to wait for %" PRIu64 " ms; the queue drains in about %u s",
                      c->request.queue_ns / 1000000, c->retry_after_s);
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

    if (!pool->collected)
        return;
    refused = submit_all(pool);
    pool->collected = NULL;
    pool->collected_end = &pool->collected;
    pool->n_collected = 0;
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
