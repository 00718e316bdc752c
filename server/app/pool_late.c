/* Answers requests whose deadline passes, on a thread of its own: workers may be busy for
 * long, and the loop has no time to write an answer of many rows. It sleeps until the
 * next deadline it knows of; one that falls away does not wake it, a sooner one does. */
#include "server/app/pool_inside.h"

static void answer(struct sv_pool *pool, struct sv_outbox *out)
{
    for (struct sv_request *r = out->answer; r; r = r->next)
        sv_call_of(r)->accepts_gzip = false; /* the next ones are late already */
    sv_pool_deliver(pool, out);
}

void *sv_pool_answer_late(void *arg)
{
    struct sv_pool *pool = arg;
    struct sv_outbox out = { 0 };

    pthread_mutex_lock(&pool->mutex);
    while (!pool->stopping) {
        pool->late_ns = 0;
        sv_sched_expire(pool->sched, uv_hrtime(), &out);
        if (out.answer || out.free) {
            pthread_mutex_unlock(&pool->mutex);
            answer(pool, &out);
            pthread_mutex_lock(&pool->mutex);
            continue;
        }
        pool->late_ns = sv_sched_next_deadline(pool->sched);
        sv_pool_wait(pool, &pool->late, pool->late_ns);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}
