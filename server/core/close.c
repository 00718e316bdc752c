#include <math.h>

#include "server/core/state.h"

static void count_exit(struct sv_model_counters *c, const struct sv_row *row,
                       uint64_t total_ns, uint64_t now_ns)
{
    struct sv_stage_counters *e = &c->stage[row->exit];
    float score = fminf(fmaxf(row->score, 0), 1);
    size_t bin = (size_t)(score * SV_SCORE_BINS);

    e->n_rows++;
    e->n_forced += row->forced;
    e->score_bin[bin < SV_SCORE_BINS ? bin : SV_SCORE_BINS - 1]++;
    e->score_sum += (double)score;
    sv_rate_add(&e->rate, now_ns, 1);
    sv_histogram_add(&e->queue_ns, row->queue_ns, 1);
    sv_histogram_add(&e->compute_ns, row->compute_ns, 1);
    sv_histogram_add(&e->total_ns, total_ns, 1);
}

static void add_timed(struct sv_timed *t, uint64_t ns)
{
    t->count++;
    t->ns += ns;
}

static void count_answer(struct sv_model_counters *c, const struct sv_request *r,
                         uint64_t now_ns)
{
    uint64_t total_ns = now_ns - r->arrived_ns;
    uint64_t queue_ns = 0, compute_ns = 0;

    for (uint32_t i = 0; i < r->n_rows; i++) {
        const struct sv_row *row = &r->rows[i];
        count_exit(c, row, total_ns, now_ns);
        if (row->queue_ns > queue_ns)
            queue_ns = row->queue_ns;
        if (row->compute_ns > compute_ns)
            compute_ns = row->compute_ns;
    }
    add_timed(&c->queue, queue_ns);
    add_timed(&c->decode, r->decode_ns);
    add_timed(&c->compute, compute_ns);
    add_timed(&c->total, total_ns);
    sv_histogram_add(&c->queue_ns, queue_ns, 1);
    sv_histogram_add(&c->total_ns, total_ns, 1);
    sv_rate_add(&c->rate, now_ns, r->n_rows);
    c->last_answer_ns = now_ns;
}

static void count(struct sv_model_counters *c, const struct sv_request *r,
                  enum al_status status, uint64_t now_ns)
{
    if (status == AL_OK) {
        count_answer(c, r, now_ns);
    } else {
        c->n_rows_failed += r->n_rows;
        add_timed(&c->failed, now_ns - r->arrived_ns);
    }
    if (r->cancelled) {
        c->n_cancelled++;
        c->n_rejected[SV_REJECT_CANCELLED]++;
        return;
    }
    c->n_answered[status]++;
    if (status == AL_TIMEOUT)
        c->n_rejected[SV_REJECT_DEADLINE]++;
}

static void deactivate(struct sv_sched *s, struct sv_model *m)
{
    struct sv_model **p = &s->active;

    while (*p != m)
        p = &(*p)->next;
    *p = m->next;
    m->next = NULL;
}

void sv_close(struct sv_sched *s, struct sv_request *r, enum al_status status,
              uint64_t now_ns)
{
    struct sv_model *m = r->model;

    sv_queue_drop(s, r);
    sv_heap_remove(&s->deadlines, &r->deadline_node);
    r->state = SV_REQUEST_DONE;
    r->status = status;
    r->done_ns = now_ns;
    s->n_rows -= r->n_rows;
    s->n_active--;
    if (--m->n_active == 0)
        deactivate(s, m);
    count(m->counters, r, status, now_ns);
}

void sv_close_late(struct sv_sched *s, struct sv_request *r, uint64_t now_ns,
                   struct sv_outbox *out)
{
    bool answered = r->state == SV_REQUEST_RUNNING;

    for (uint32_t i = 0; answered && i < r->n_rows; i++)
        answered = r->rows[i].exit != SV_NO_EXIT;
    for (uint32_t i = 0; answered && i < r->n_rows; i++)
        r->rows[i].forced = !r->rows[i].left;
    sv_close(s, r, answered ? AL_OK : AL_TIMEOUT, now_ns);
    sv_outbox_answer(out, r);
}

void sv_outbox_answer(struct sv_outbox *out, struct sv_request *r)
{
    r->next = out->answer;
    out->answer = r;
}

void sv_unhold(struct sv_sched *s, struct sv_request *r, struct sv_outbox *out)
{
    r->n_running--;
    if (r->n_running > 0 || !r->released)
        return;
    s->n_bytes -= r->size_bytes;
    r->next = out->free;
    out->free = r;
}

bool sv_sched_cancel(struct sv_sched *s, struct sv_request *r, uint64_t now_ns)
{
    if (r->state == SV_REQUEST_DONE)
        return false;
    r->cancelled = true;
    sv_close(s, r, AL_UNAVAILABLE, now_ns);
    return true;
}

bool sv_sched_release(struct sv_sched *s, struct sv_request *r)
{
    r->released = true;
    if (r->n_running > 0)
        return false;
    s->n_bytes -= r->size_bytes;
    return true;
}

uint64_t sv_sched_next_deadline(const struct sv_sched *s)
{
    return s->deadlines.root ? s->deadlines.root->key : SV_NO_DEADLINE;
}

void sv_sched_expire(struct sv_sched *s, uint64_t now_ns, struct sv_outbox *out)
{
    while (sv_sched_next_deadline(s) <= now_ns)
        sv_close_late(s, sv_request_of_deadline(s->deadlines.root), now_ns, out);
}
