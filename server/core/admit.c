#include "server/core/state.h"

#define SECOND_NS   1000000000U
#define AGEING_NS   SECOND_NS /* patience of one priority level */
#define MAX_RETRY_S 3600

/* Whether a request of `rows` and `bytes` in all may bring in `more_rows` and
 * `more_bytes` of them now. */
static enum al_status fits(struct sv_sched *s, struct sv_model *m, size_t rows,
                           size_t bytes, size_t more_rows, size_t more_bytes)
{
    uint64_t *rejected = m->counters->n_rejected;

    if (rows > s->p.max_rows || bytes > s->p.max_bytes) {
        rejected[SV_REJECT_TOO_LARGE]++;
        return AL_TOO_LARGE;
    }
    if (more_rows > s->p.max_rows - s->n_rows) {
        rejected[SV_REJECT_QUEUE_ROWS]++;
        return AL_OVERLOADED;
    }
    if (more_bytes > s->p.max_bytes - s->n_bytes) {
        rejected[SV_REJECT_QUEUE_BYTES]++;
        return AL_OVERLOADED;
    }
    return AL_OK;
}

/* The due time: the share priority/8 of the time the request may take, which is up to its
 * deadline but no more than the patience of the lowest priority. */
static uint64_t due_ns(const struct sv_request *r)
{
    uint64_t span = (uint64_t)AGEING_NS * SV_PRIORITY_LOWEST;
    uint64_t allowed =
        r->deadline_ns > r->arrived_ns ? r->deadline_ns - r->arrived_ns : 0;

    if (span > allowed)
        span = allowed;
    return r->arrived_ns + span / SV_PRIORITY_LOWEST * r->priority;
}

/* Whether the turn of `r` would come when less than a quarter of its time is left. What
 * is served so late is at the mercy of every delay, and its client had better know at
 * once. */
static bool comes_too_late(const struct sv_request *r, uint64_t wait_ns)
{
    uint64_t allowed = r->deadline_ns - r->arrived_ns;

    return r->deadline_ns != SV_NO_DEADLINE && r->deadline_ns > r->arrived_ns &&
           wait_ns > allowed - allowed / 4;
}

/* Adds a model whose first request has come. It may not claim time for the past in which
 * it asked for nothing. */
static void activate(struct sv_sched *s, struct sv_model *m)
{
    struct sv_model **last = &s->active;

    while (*last)
        last = &(*last)->next;
    *last = m;
    m->next = NULL;
    if (m->virtual_ns < s->virtual_ns)
        m->virtual_ns = s->virtual_ns;
}

uint32_t sv_sched_retry_after_s(const struct sv_sched *s)
{
    uint64_t seconds = (sv_sched_drain_ns(s) + SECOND_NS - 1) / SECOND_NS;

    if (seconds < 1)
        return 1;
    return seconds > MAX_RETRY_S ? MAX_RETRY_S : (uint32_t)seconds;
}

enum al_status sv_sched_submit(struct sv_sched *s, struct sv_request *r, uint64_t now_ns,
                               uint32_t *ret_retry_after_s)
{
    struct sv_model *m = r->model;
    enum al_status status =
        fits(s, m, r->n_rows, r->size_bytes, r->n_rows, r->size_bytes);

    r->arrived_ns = now_ns;
    r->due_ns = due_ns(r);
    r->queue_ns = sv_ahead_ns(s, r);
    if (status == AL_OK && comes_too_late(r, r->queue_ns)) {
        m->counters->n_rejected[SV_REJECT_QUEUE_TIME]++;
        status = AL_OVERLOADED;
    }
    if (status != AL_OK) {
        m->counters->n_refused[status]++;
        *ret_retry_after_s = sv_sched_retry_after_s(s);
        return status;
    }
    s->n_rows += r->n_rows;
    s->n_bytes += r->size_bytes;
    m->counters->n_requests++;
    m->counters->n_rows += r->n_rows;
    if (m->n_active++ == 0)
        activate(s, m);
    s->n_active++;
    if (r->deadline_ns != SV_NO_DEADLINE)
        sv_heap_push(&s->deadlines, &r->deadline_node, r->deadline_ns);
    sv_queue_request(s, r, now_ns);
    return AL_OK;
}

enum al_status sv_sched_reserve(struct sv_sched *s, struct sv_request *r, uint32_t n_rows,
                                size_t extra_bytes)
{
    size_t more_rows = n_rows > r->n_rows ? n_rows - r->n_rows : 0;
    enum al_status status;

    if (r->state == SV_REQUEST_DONE)
        return AL_TIMEOUT;
    if (extra_bytes > SIZE_MAX - r->size_bytes)
        return AL_TOO_LARGE;
    status =
        fits(s, r->model, n_rows, r->size_bytes + extra_bytes, more_rows, extra_bytes);
    if (status != AL_OK) {
        r->rejected = true;
        return status;
    }
    s->n_rows = s->n_rows - r->n_rows + n_rows;
    r->model->counters->n_rows += n_rows;
    r->model->counters->n_rows -= r->n_rows;
    r->n_rows = n_rows;
    s->n_bytes += extra_bytes;
    r->size_bytes += extra_bytes;
    return AL_OK;
}

void sv_sched_set_limits(struct sv_sched *s, struct sv_request *r, unsigned priority,
                         uint64_t deadline_ns)
{
    if (r->state == SV_REQUEST_DONE)
        return;
    sv_heap_remove(&s->deadlines, &r->deadline_node);
    r->priority = priority;
    r->deadline_ns = deadline_ns;
    r->due_ns = due_ns(r);
    if (deadline_ns != SV_NO_DEADLINE)
        sv_heap_push(&s->deadlines, &r->deadline_node, deadline_ns);
}

uint64_t sv_sched_drain_ns(const struct sv_sched *s)
{
    uint64_t ns = 0;

    for (const struct sv_model *m = s->active; m; m = m->next)
        ns += sv_model_queued_ns(m);
    return ns / s->p.n_workers;
}
