/* Which step runs next.
 *
 * Between models: start-time fair queuing (Goyal, Vin, Cheng 1996) — the model that has
 * received the least worker time among those with something to run.
 *
 * Within a model: the deepest ripe step, so that what was begun is finished first. A
 * queue is ripe when a batch of it is worth its fixed cost, when its entries have waited
 * as long as that cost, the most that company could save, when one of them can wait no
 * longer, or when no company can come. Hence a lone request never waits, and a hold costs
 * at most twice what the best decision would have (the ski-rental bound).
 *
 * Between deadlines: when the chosen job would make the head of another queue late, that
 * queue goes first, as long as its head can still be in time and its model is not far
 * ahead of its fair share. */
#include "server/core/state.h"

#define DEFAULT_DECODE_BATCH 8
#define MAX_LEAD_NS          100000000U /* how far ahead of its share urgency may put a model */

static const struct sv_cost *cost_of(const struct sv_model *m, uint32_t step)
{
    return &m->steps[step].cost;
}

static size_t max_batch(const struct sv_sched *s, const struct sv_model *m, uint32_t step)
{
    if (step > 0)
        return m->max_batch;
    return s->p.max_decode_batch ? s->p.max_decode_batch : DEFAULT_DECODE_BATCH;
}

uint64_t sv_latest_start_ns(const struct sv_request *r, uint32_t step)
{
    uint64_t needed = sv_cost_ns(cost_of(r->model, step), 1);

    if (r->deadline_ns == SV_NO_DEADLINE)
        return SV_NO_DEADLINE;
    if (step == 0)
        needed += sv_cost_ns(cost_of(r->model, 1), 1);
    return r->deadline_ns > needed ? r->deadline_ns - needed : 0;
}

/* Whether entries may still join the queue of `step` from the steps before it. */
static bool company_may_come(const struct sv_model *m, uint32_t step)
{
    if (m->n_active < 2)
        return false;
    for (uint32_t i = 0; i < step; i++)
        if (m->steps[i].queue.n > 0 || m->steps[i].n_running > 0)
            return true;
    return false;
}

/* Latest time at which every row of a queue can still start in time, alone. Rows stand in
 * the order of their due times, so any may be the most urgent one; those of a queue that
 * is held are fewer than a batch. */
static uint64_t latest_hold_ns(const struct sv_step *st, uint32_t step)
{
    uint64_t latest = SV_NO_DEADLINE;

    for (const struct sv_heap_node *n = st->queue.root; n; n = sv_heap_next(n)) {
        uint64_t start = sv_latest_start_ns(sv_row_of_node(n)->request, step);

        latest = start < latest ? start : latest;
    }
    return latest;
}

static bool ripe(const struct sv_sched *s, const struct sv_model *m, uint32_t step,
                 uint64_t now_ns, uint64_t *ret_retry_ns)
{
    const struct sv_step *st = &m->steps[step];
    uint64_t until, latest;

    if (st->queue.n == 0)
        return false;
    if (step == 0 || s->p.whole_batches || !company_may_come(m, step) ||
        st->queue.n >= sv_cost_worthwhile(&st->cost, m->max_batch))
        return true;
    until = st->waiting_ns + (uint64_t)st->cost.fixed_ns;
    latest = latest_hold_ns(st, step);
    if (latest < until)
        until = latest;
    if (until <= now_ns)
        return true;
    if (until < *ret_retry_ns)
        *ret_retry_ns = until;
    return false;
}

static bool fair_choice(const struct sv_sched *s, uint64_t now_ns, struct sv_choice *ret,
                        uint64_t *ret_retry_ns)
{
    ret->model = NULL;
    for (struct sv_model *m = s->active; m; m = m->next) {
        uint32_t step = (uint32_t)m->n_stages + 1;
        while (step > 0 && !ripe(s, m, step - 1, now_ns, ret_retry_ns))
            step--;
        if (step > 0 && (!ret->model || m->virtual_ns < ret->model->virtual_ns))
            *ret = (struct sv_choice){ .model = m, .step = step - 1 };
    }
    return ret->model != NULL;
}

/* Replaces the choice by the queue whose head would be late after it, if there is one. */
static void yield_to_urgent(const struct sv_sched *s, uint64_t now_ns,
                            struct sv_choice *ret)
{
    uint64_t start = now_ns + sv_cost_ns(cost_of(ret->model, ret->step), ret->n);
    uint64_t share = ret->model->virtual_ns + MAX_LEAD_NS;

    for (struct sv_model *m = s->active; m; m = m->next) {
        for (uint32_t i = 0; i <= m->n_stages && m->virtual_ns <= share; i++) {
            const struct sv_request *head = sv_queue_head(&m->steps[i], i);
            uint64_t latest = head ? sv_latest_start_ns(head, i) : SV_NO_DEADLINE;
            if (latest < now_ns || latest >= start)
                continue;
            start = latest;
            *ret = (struct sv_choice){ .model = m, .step = i };
        }
    }
}

/* An even share for every worker, so that none grabs all while another idles; with all
 * others busy, at least a batch worth its fixed cost. */
static size_t batch_size(const struct sv_sched *s, const struct sv_model *m,
                         uint32_t step)
{
    const struct sv_step *st = &m->steps[step];
    size_t most = max_batch(s, m, step);
    size_t n = (st->queue.n + s->p.n_workers - 1) / s->p.n_workers;

    if (s->n_working + 1 >= s->p.n_workers) {
        size_t worth = sv_cost_worthwhile(&st->cost, most);
        if (worth > st->queue.n)
            worth = st->queue.n;
        if (n < worth)
            n = worth;
    }
    return n < most ? n : most;
}

bool sv_pick(struct sv_sched *s, uint64_t now_ns, struct sv_choice *ret,
             uint64_t *ret_retry_ns)
{
    *ret_retry_ns = UINT64_MAX;
    if (!fair_choice(s, now_ns, ret, ret_retry_ns))
        return false;
    ret->n = batch_size(s, ret->model, ret->step);
    yield_to_urgent(s, now_ns, ret);
    ret->n = batch_size(s, ret->model, ret->step);
    return true;
}
