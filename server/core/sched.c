#include "server/core/sched.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/state.h"

struct sv_sched *sv_sched_new(const struct sv_sched_params *p)
{
    struct sv_sched *s = calloc(1, sizeof(*s));

    if (s)
        s->p = *p;
    return s;
}

void sv_sched_free(struct sv_sched *s)
{
    assert(!s || s->n_active == 0);
    free(s);
}

bool sv_sched_has_work(const struct sv_sched *s)
{
    return s->n_queued > 0;
}

size_t sv_sched_n_active(const struct sv_sched *s)
{
    return s->n_active;
}

size_t sv_sched_n_rows(const struct sv_sched *s)
{
    return s->n_rows;
}

size_t sv_sched_n_bytes(const struct sv_sched *s)
{
    return s->n_bytes;
}

/* ---- take ---- */

/* Gives up the head of a queue that cannot be answered in time any more, in favour of
 * those behind it. The last of a queue always runs, so that an estimate that is wrong
 * gets measured again. */
static bool give_up_head(struct sv_sched *s, const struct sv_choice *c, uint64_t now_ns,
                         struct sv_outbox *out)
{
    const struct sv_step *st = &c->model->steps[c->step];
    struct sv_request *head = sv_queue_head(st, c->step);

    if (st->queue.n < 2 || sv_latest_start_ns(head, c->step) >= now_ns)
        return false;
    sv_close_late(s, head, now_ns, out);
    return true;
}

/* Most entries that can run with the head of the queue and let it be in time. */
static size_t in_time(const struct sv_choice *c, uint64_t now_ns)
{
    const struct sv_step *st = &c->model->steps[c->step];
    const struct sv_request *head = sv_queue_head(st, c->step);

    if (head->deadline_ns == SV_NO_DEADLINE || c->step == 0)
        return SIZE_MAX;
    return sv_cost_rows_within(&st->cost, head->deadline_ns - now_ns);
}

static void add_request(struct sv_job *job, struct sv_request *r)
{
    r->state = SV_REQUEST_DECODING;
    r->n_running++;
    job->status[job->n] = AL_INTERNAL;
    job->requests[job->n++] = r;
}

static void add_row(struct sv_job *job, struct sv_row *row)
{
    row->request->n_running++;
    job->rows[job->n++] = row;
}

/* Lays the rows of a stage job out for the engine. */
static void lay_out(struct sv_job *job)
{
    for (size_t i = 0; job->kind == SV_JOB_STAGE && i < job->n; i++)
        job->run[i] = (struct al_stage_row){ .row = job->rows[i]->data,
                                             .rule = &job->rows[i]->rule };
}

static void start(struct sv_sched *s, struct sv_job *job)
{
    uint32_t step = job->kind == SV_JOB_DECODE ? 0 : job->stage + 1;
    struct sv_model *m = job->model;

    job->charged_ns = sv_cost_ns(&m->steps[step].cost, job->n);
    job->n_helpers = sv_helpers(s, m, step, job->n);
    job->helped = false;
    s->virtual_ns = m->virtual_ns;
    m->virtual_ns += job->charged_ns;
    m->steps[step].n_running++;
    s->n_working++;
    s->n_helping += job->n_helpers;
    lay_out(job);
}

static void fill(struct sv_sched *s, const struct sv_choice *c, uint64_t now_ns,
                 struct sv_job *job, struct sv_outbox *out)
{
    const struct sv_step *st = &c->model->steps[c->step];
    size_t n;

    job->n = 0;
    while (give_up_head(s, c, now_ns, out))
        continue;
    if (st->queue.n == 0)
        return;
    job->model = c->model;
    job->kind = c->step == 0 ? SV_JOB_DECODE : SV_JOB_STAGE;
    job->stage = c->step == 0 ? 0 : c->step - 1;
    n = in_time(c, now_ns);
    if (n > c->n)
        n = c->n;
    while (job->n < n && st->queue.n > 0) {
        if (c->step == 0)
            add_request(job, sv_queue_pop_request(s, c->model, now_ns));
        else
            add_row(job, sv_queue_pop_row(s, c->model, c->step, now_ns));
    }
}

/* whole_batches: what survived the last stage goes on, less what was given up. */
static bool carry_on(struct sv_sched *s, struct sv_job *job, struct sv_outbox *out)
{
    size_t n = 0;

    for (size_t i = 0; i < job->n; i++) {
        struct sv_row *row = job->rows[i];
        if (row->request->state == SV_REQUEST_DONE)
            sv_unhold(s, row->request, out);
        else
            job->rows[n++] = row;
    }
    job->n = n;
    return n > 0;
}

bool sv_sched_take(struct sv_sched *s, uint64_t now_ns, struct sv_job *job,
                   struct sv_outbox *out, uint64_t *ret_retry_ns)
{
    struct sv_choice choice;

    *ret_retry_ns = UINT64_MAX;
    sv_sched_expire(s, now_ns, out);
    if (carry_on(s, job, out)) {
        start(s, job);
        return true;
    }
    job->kind = SV_JOB_NONE;
    job->model = NULL;
    while (sv_pick(s, now_ns, &choice, ret_retry_ns)) {
        fill(s, &choice, now_ns, job, out);
        if (job->n == 0)
            continue;
        start(s, job);
        return true;
    }
    return false;
}

/* ---- finish ---- */

static void decoded(struct sv_sched *s, struct sv_request *r, enum al_status status,
                    uint64_t now_ns, struct sv_outbox *out)
{
    if (r->state == SV_REQUEST_DONE)
        return;
    if (status != AL_OK) {
        if (!r->rejected)
            r->model->counters->n_rejected[SV_REJECT_DECODE]++;
        sv_close(s, r, status, now_ns);
        sv_outbox_answer(out, r);
        return;
    }
    r->state = SV_REQUEST_RUNNING;
    for (uint32_t i = 0; i < r->n_rows; i++) {
        r->rows[i].queue_ns = r->queue_ns;
        sv_queue_row(s, &r->rows[i], now_ns);
    }
}

static void finish_decode(struct sv_sched *s, struct sv_job *job, uint64_t elapsed_ns,
                          uint64_t now_ns, struct sv_outbox *out)
{
    uint64_t each_ns = elapsed_ns / job->n;

    sv_histogram_add(&job->model->counters->decode_ns, each_ns, job->n);
    for (size_t i = 0; i < job->n; i++) {
        struct sv_request *r = job->requests[i];
        r->decode_ns = each_ns;
        decoded(s, r, job->status[i], now_ns, out);
        sv_unhold(s, r, out);
    }
    job->n = 0;
}

/* Takes over what the engine found out about a row; true: it goes on. */
static bool advance(struct sv_sched *s, struct sv_row *row,
                    const struct al_stage_row *result, uint64_t elapsed_ns,
                    uint64_t now_ns, struct sv_outbox *out)
{
    struct sv_request *r = row->request;

    if (r->state == SV_REQUEST_DONE)
        return false;
    if (result->evaluated) {
        row->exit = row->stage;
        row->score = result->score;
        row->top = result->top;
    }
    row->compute_ns += elapsed_ns;
    row->stage++;
    if (!result->leave)
        return true;
    assert(row->exit != SV_NO_EXIT);
    row->left = true;
    if (++r->n_left == r->n_rows) {
        sv_close(s, r, AL_OK, now_ns);
        sv_outbox_answer(out, r);
    }
    return false;
}

static void finish_stage(struct sv_sched *s, struct sv_job *job, uint64_t elapsed_ns,
                         uint64_t now_ns, struct sv_outbox *out)
{
    struct sv_stage_counters *c = &job->model->counters->stage[job->stage];
    size_t n = job->n, kept = 0;

    sv_histogram_add(&c->run_ns, elapsed_ns, 1);
    c->n_helped += job->helped;
    c->by_batch[n].count++;
    c->by_batch[n].ns += elapsed_ns;
    for (size_t i = 0; i < n; i++) {
        struct sv_row *row = job->rows[i];
        bool goes_on = advance(s, row, &job->run[i], elapsed_ns, now_ns, out);
        if (goes_on && s->p.whole_batches) {
            job->rows[kept++] = row;
            continue;
        }
        if (goes_on)
            sv_queue_row(s, row, now_ns);
        sv_unhold(s, row->request, out);
    }
    job->n = kept;
    job->stage++;
}

void sv_sched_finish(struct sv_sched *s, struct sv_job *job, uint64_t elapsed_ns,
                     uint64_t now_ns, struct sv_outbox *out)
{
    struct sv_model *m = job->model;
    struct sv_step *st;

    if (job->kind == SV_JOB_NONE)
        return;
    st = &m->steps[job->kind == SV_JOB_DECODE ? 0 : job->stage + 1];
    if (job->helped)
        sv_helped(st, job->n, elapsed_ns);
    else
        sv_cost_observe(&st->cost, job->n, elapsed_ns);
    m->virtual_ns += elapsed_ns;
    m->virtual_ns -= job->charged_ns;
    st->n_running--;
    sv_model_passed(m, (size_t)(st - m->steps), job->n);
    s->n_working--;
    s->n_helping -= job->n_helpers;
    if (job->kind == SV_JOB_DECODE)
        finish_decode(s, job, elapsed_ns, now_ns, out);
    else
        finish_stage(s, job, elapsed_ns, now_ns, out);
}
