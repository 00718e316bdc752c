#include "sched_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sched_stream.h"
#include "server/core/sched.h"

#define NEVER      UINT64_MAX
#define ROW_BYTES  128
#define BODY_BYTES 1000

/* A client's request with what must come out of it. */
struct sim_request {
    struct sv_request base;
    struct sim_request *next;
    struct sim_arrival a;
    uint64_t id;
    bool closed; /* was answered or cancelled */
};

/* What a row's memory holds: whose it is, and how far it has come. */
struct sim_row {
    uint64_t request_id;
    uint32_t index;
    uint32_t next_stage;
    bool in_job, left;
};

struct sim_worker {
    struct sv_job job;
    uint64_t until_ns; /* NEVER: idle */
    uint64_t started_ns;
    uint64_t retry_ns;
};

struct sim {
    const struct sim_params *p;
    struct sv_sched *sched;
    struct sv_model *models[SIM_MAX_MODELS];
    struct sim_worker workers[SIM_MAX_WORKERS];
    struct sim_request *open; /* accepted, not closed; for cancellation */
    struct sim_stream stream;
    uint64_t now, next_id;
    uint64_t n_accepted, n_freed;
    struct sim_result r;
};

/* ---- chance ---- */

/* Whether a row leaves at a stage: fixed for its whole life. */
static bool leaves(const struct sim *s, unsigned model, uint64_t id, uint32_t index,
                   uint32_t stage)
{
    const struct sim_model *m = &s->p->models[model];
    uint64_t key = sim_mix(s->p->seed ^ sim_mix(id)) + index * UINT64_C(64) + stage;

    return stage + 1 == m->n_stages || sim_uniform(key) < m->leave[stage];
}

static void digest(struct sim *s, uint64_t what)
{
    s->r.digest = sim_mix(s->r.digest ^ what);
}

/* ---- requests ---- */

static void discard(struct sim *s, struct sim_request *q)
{
    s->n_freed++;
    sv_request_done(&q->base);
    memset(q, 0xee, sizeof(*q)); /* whoever still looks at it shall notice */
    free(q);
}

static void arrive(struct sim *s)
{
    struct sim_request *q = calloc(1, sizeof(*q));
    uint32_t retry_after_s = 0;

    assert_non_null(q);
    q->a = s->stream.next;
    q->id = s->next_id++;
    sv_request_init(&q->base, s->models[q->a.model]);
    q->base.priority = q->a.priority;
    q->base.size_bytes = BODY_BYTES;
    if (q->a.deadline_ns)
        q->base.deadline_ns = s->now + q->a.deadline_ns;
    sim_stream_next(&s->stream);
    if (sv_sched_submit(s->sched, &q->base, s->now, &retry_after_s) == AL_OK) {
        s->n_accepted++;
        q->next = s->open;
        s->open = q;
        return;
    }
    assert_in_range(retry_after_s, 1, 3600);
    s->r.n_refused++;
    s->n_freed++;
    s->n_accepted++;
    sv_request_done(&q->base);
    free(q);
}

static void close_request(struct sim *s, struct sim_request *q)
{
    struct sim_request **at = &s->open;

    assert_false(q->closed);
    q->closed = true;
    while (*at && *at != q)
        at = &(*at)->next;
    assert_ptr_equal(*at, q);
    *at = q->next;
    if (sv_sched_release(s->sched, &q->base))
        discard(s, q);
}

static void check_answers(struct sim *s, const struct sim_request *q)
{
    const struct sv_request *r = &q->base;

    for (uint32_t i = 0; i < r->n_rows; i++) {
        const struct sv_row *row = &r->rows[i];
        s->r.n_forced_rows += row->forced;
        if (row->forced)
            assert_true(q->a.deadline_ns > 0);
        else
            assert_true(leaves(s, q->a.model, q->id, i, row->exit));
        for (uint32_t k = 0; k < row->exit; k++)
            assert_false(leaves(s, q->a.model, q->id, i, k));
        assert_int_equal(row->top, (sim_mix(q->id + i) + row->exit) % 1000);
    }
}

static void note_latency(struct sim *s, const struct sim_request *q)
{
    uint64_t ns = q->base.done_ns - q->base.arrived_ns;
    uint64_t *by_priority = &s->r.worst_ns[q->a.priority];
    uint64_t *by_model = &s->r.model_worst_ns[q->a.model];

    sv_histogram_add(&s->r.latency_ns, ns, 1);
    *by_priority = ns > *by_priority ? ns : *by_priority;
    *by_model = ns > *by_model ? ns : *by_model;
}

static void collect(struct sim *s, struct sv_outbox *out)
{
    while (out->answer) {
        struct sim_request *q = (void *)out->answer;
        out->answer = out->answer->next;
        digest(s, q->id * 16 + q->base.status);
        if (q->base.status == AL_OK) {
            s->r.n_ok++;
            check_answers(s, q);
            note_latency(s, q);
        } else if (q->base.status == AL_TIMEOUT) {
            assert_true(q->a.deadline_ns > 0);
            s->r.n_timeout++;
        } else if (q->base.status == AL_OVERLOADED) {
            s->r.n_refused++;
        } else {
            assert_true(q->a.broken);
            s->r.n_broken++;
        }
        close_request(s, q);
    }
    while (out->free) {
        struct sim_request *q = (void *)out->free;
        out->free = out->free->next;
        assert_true(q->closed);
        discard(s, q);
    }
}

static void cancel_due(struct sim *s)
{
    struct sim_request *q = s->open;

    while (q) {
        struct sim_request *next = q->next;
        if (q->a.cancel_ns && q->base.arrived_ns + q->a.cancel_ns <= s->now) {
            assert_true(sv_sched_cancel(s->sched, &q->base, s->now));
            s->r.n_cancelled++;
            close_request(s, q);
        }
        q = next;
    }
}

/* ---- workers ---- */

static size_t model_index(const struct sim *s, const struct sv_model *m)
{
    size_t i = 0;

    while (i + 1 < s->p->n_models && s->models[i] != m)
        i++;
    assert_ptr_equal(s->models[i], m);
    return i;
}

static uint64_t service_ns(struct sim *s, const struct sv_job *job)
{
    const struct sim_model *m = &s->p->models[model_index(s, job->model)];
    double ns, noise = 1 + s->p->noise * (2 * sim_chance(&s->stream) - 1);

    ns = job->kind == SV_JOB_DECODE ? (double)(m->decode_ns * job->n)
                                    : (double)(m->fixed_ns + m->row_ns * job->n);
    if (job->n_helpers > 0)
        ns *= s->p->helped_time;
    if (s->p->p_stall > 0 && sim_chance(&s->stream) < s->p->p_stall)
        ns += (double)s->p->stall_ns;
    return (uint64_t)(ns * noise) + 1;
}

static void start_row(struct sim *s, const struct sv_job *job, const struct sv_row *row)
{
    struct sim_request *q = (void *)row->request;
    struct sim_row *mine = row->data;

    assert_ptr_equal(q->base.model, job->model);
    assert_true(q->base.deadline_ns > s->now);
    assert_int_equal(mine->request_id, q->id);
    assert_int_equal(mine->index, row->index);
    assert_int_equal(mine->next_stage, job->stage);
    assert_false(mine->in_job);
    assert_false(mine->left);
    mine->in_job = true;
    digest(s, q->id * 64 + row->index);
}

/* Only who is idle while nothing waits is asked to help. */
static void check_help(const struct sim *s, const struct sim_worker *w)
{
    size_t n_idle = 0;

    if (w->job.n_helpers == 0)
        return;
    for (size_t i = 0; i < s->p->n_workers; i++)
        n_idle += &s->workers[i] != w && s->workers[i].until_ns == NEVER;
    assert_in_range(w->job.n_helpers, 1, n_idle);
    assert_true(w->job.n_helpers < s->p->max_threads);
    assert_int_equal(w->job.kind, SV_JOB_STAGE);
    assert_false(sv_sched_has_work(s->sched));
}

static void start_job(struct sim *s, struct sim_worker *w)
{
    struct sv_job *job = &w->job;

    digest(s, s->now ^ (uint64_t)job->kind << 62 ^ (uint64_t)job->stage << 56 ^ job->n);
    assert_in_range(job->n, 1, job->kind == SV_JOB_STAGE ? job->model->max_batch : 8);
    for (size_t i = 0; i < job->n; i++) {
        if (job->kind == SV_JOB_STAGE) {
            start_row(s, job, job->rows[i]);
            assert_ptr_equal(job->run[i].row, job->rows[i]->data);
            assert_ptr_equal(job->run[i].rule, &job->rows[i]->rule);
        } else {
            assert_true(job->requests[i]->deadline_ns > s->now);
            digest(s, ((struct sim_request *)(void *)job->requests[i])->id);
        }
    }
    if (job->kind == SV_JOB_STAGE) {
        s->r.n_runs++;
        s->r.n_run_rows += job->n;
    }
    check_help(s, w);
    job->helped = job->n_helpers > 0;
    s->r.n_helped += job->helped;
    s->r.n_jobs++;
    w->started_ns = s->now;
    w->until_ns = s->now + service_ns(s, job);
}

static enum al_status decode(struct sim *s, struct sim_request *q)
{
    enum al_status status = AL_OK;

    if (q->a.broken)
        return AL_INVALID;
    if (q->a.n_rows > 1)
        status =
            sv_sched_reserve(s->sched, &q->base, q->a.n_rows, q->a.n_rows * (size_t)100);
    if (status == AL_OK)
        status = sv_request_alloc_rows(&q->base, ROW_BYTES, NULL);
    for (uint32_t i = 0; status == AL_OK && i < q->base.n_rows; i++)
        *(struct sim_row *)q->base.rows[i].data =
            (struct sim_row){ .request_id = q->id, .index = i };
    return status;
}

static void run_row(struct sim *s, struct sv_job *job, size_t i)
{
    struct sim_request *q = (void *)job->rows[i]->request;
    struct sim_row *mine = job->run[i].row;
    struct al_stage_row *result = &job->run[i];

    mine->in_job = false;
    mine->next_stage++;
    mine->left = leaves(s, q->a.model, q->id, mine->index, job->stage);
    result->evaluated = true;
    result->leave = mine->left;
    result->score = 0.5F;
    result->top = (uint32_t)((sim_mix(q->id + mine->index) + job->stage) % 1000);
}

static void end_job(struct sim *s, struct sim_worker *w)
{
    struct sv_outbox out = { 0 };
    uint64_t elapsed = s->now - w->started_ns;

    for (size_t i = 0; i < w->job.n; i++) {
        if (w->job.kind == SV_JOB_DECODE)
            w->job.status[i] = decode(s, (void *)w->job.requests[i]);
        else
            run_row(s, &w->job, i);
    }
    s->r.busy_ns += elapsed;
    s->r.model_busy_ns[model_index(s, w->job.model)] += elapsed;
    sv_sched_finish(s->sched, &w->job, elapsed, s->now, &out);
    w->until_ns = NEVER;
    collect(s, &out);
}

static bool any_busy(const struct sim *s)
{
    for (size_t i = 0; i < s->p->n_workers; i++)
        if (s->workers[i].until_ns != NEVER)
            return true;
    return false;
}

/* When the most urgent of the rows that wait has to start. */
static uint64_t smallest_slack_ns(const struct sim *s)
{
    uint64_t first = NEVER;

    for (const struct sim_request *q = s->open; q; q = q->next) {
        const struct sv_request *r = &q->base;

        for (uint32_t i = 0; r->state == SV_REQUEST_RUNNING && i < r->n_rows; i++) {
            const struct sv_row *row = &r->rows[i];
            uint64_t cost;

            if (!row->node.queued)
                continue;
            cost = sv_cost_ns(&r->model->steps[row->stage + 1].cost, 1);
            if (r->deadline_ns - cost < first)
                first = r->deadline_ns - cost;
        }
    }
    return first;
}

/* Idle workers look for work; what is left queued is held for company that a busy worker
 * may bring, and not for ever. */
static void dispatch(struct sim *s)
{
    for (size_t i = 0; i < s->p->n_workers; i++) {
        struct sim_worker *w = &s->workers[i];
        struct sv_outbox out = { 0 };
        bool found;
        if (w->until_ns != NEVER)
            continue;
        found = sv_sched_take(s->sched, s->now, &w->job, &out, &w->retry_ns);
        collect(s, &out);
        if (found) {
            start_job(s, w);
        } else if (sv_sched_has_work(s->sched)) {
            assert_true(w->retry_ns > s->now && w->retry_ns != NEVER);
            assert_true(w->retry_ns <= smallest_slack_ns(s));
            assert_true(any_busy(s));
        }
    }
}

/* ---- the run ---- */

static void check_sums(const struct sim *s)
{
    uint64_t rows_open = 0, requests_open = 0;

    for (size_t i = 0; i < s->p->n_models; i++) {
        const struct sv_model_counters *c = s->models[i]->counters;
        rows_open += c->n_rows - c->n_rows_failed;
        requests_open += c->n_requests - c->n_cancelled;
        for (size_t k = 0; k < c->n_stages; k++)
            rows_open -= c->stage[k].n_rows;
        for (size_t k = 0; k < SV_N_STATUSES; k++)
            requests_open -= c->n_answered[k];
    }
    assert_int_equal(rows_open, sv_sched_n_rows(s->sched));
    assert_int_equal(requests_open, sv_sched_n_active(s->sched));
    assert_true(sv_sched_n_rows(s->sched) <= s->p->max_rows);
}

static uint64_t next_event(const struct sim *s)
{
    uint64_t t = s->stream.next.at_ns;

    for (size_t i = 0; i < s->p->n_workers; i++) {
        const struct sim_worker *w = &s->workers[i];
        uint64_t at = w->until_ns == NEVER ? w->retry_ns : w->until_ns;
        t = at < t ? at : t;
    }
    if (sv_sched_next_deadline(s->sched) < t)
        t = sv_sched_next_deadline(s->sched);
    for (const struct sim_request *q = s->open; q; q = q->next)
        if (q->a.cancel_ns && q->base.arrived_ns + q->a.cancel_ns < t)
            t = q->base.arrived_ns + q->a.cancel_ns;
    return t;
}

static void step(struct sim *s)
{
    struct sv_outbox out = { 0 };

    for (size_t i = 0; i < s->p->n_workers; i++)
        if (s->workers[i].until_ns <= s->now)
            end_job(s, &s->workers[i]);
    sv_sched_expire(s->sched, s->now, &out);
    collect(s, &out);
    cancel_due(s);
    while (s->stream.next.at_ns <= s->now)
        arrive(s);
    dispatch(s);
    check_sums(s);
}

static void sim_init(struct sim *s, const struct sim_params *p)
{
    struct sv_sched_params sp = { .n_workers = p->n_workers,
                                  .max_rows = p->max_rows,
                                  .max_bytes = 100000000,
                                  .whole_batches = p->whole_batches };

    s->p = p;
    s->sched = sv_sched_new(&sp);
    assert_non_null(s->sched);
    for (size_t i = 0; i < p->n_models; i++) {
        struct sv_model_params mp = { .name = "m",
                                      .version = 1,
                                      .n_stages = p->models[i].n_stages,
                                      .max_batch = p->models[i].max_batch,
                                      .max_threads = p->max_threads };
        s->models[i] = sv_model_new(&mp);
        assert_non_null(s->models[i]);
    }
    for (size_t i = 0; i < p->n_workers; i++)
        s->workers[i].until_ns = s->workers[i].retry_ns = NEVER;
    s->stream = sim_stream_new(p);
}

struct sim_result sim_run(const struct sim_params *p)
{
    struct sim *s = calloc(1, sizeof(*s));
    struct sim_result result;
    uint64_t t;

    assert_non_null(s);
    sim_init(s, p);
    while ((t = next_event(s)) != NEVER) {
        if (any_busy(s) && sv_sched_has_work(s->sched))
            for (size_t i = 0; i < p->n_workers; i++)
                s->r.hold_ns += s->workers[i].until_ns == NEVER ? t - s->now : 0;
        assert_true(t >= s->now);
        s->now = t;
        step(s);
    }
    s->r.end_ns = s->now;
    assert_int_equal(sv_sched_n_active(s->sched), 0);
    assert_int_equal(sv_sched_n_rows(s->sched), 0);
    assert_int_equal(sv_sched_n_bytes(s->sched), 0);
    assert_int_equal(s->n_freed, s->n_accepted);
    assert_int_equal(s->r.n_ok + s->r.n_timeout + s->r.n_broken + s->r.n_cancelled +
                         s->r.n_refused,
                     p->n_arrivals);
    sv_sched_free(s->sched);
    for (size_t i = 0; i < p->n_models; i++)
        sv_model_unref(s->models[i]);
    result = s->r;
    free(s);
    return result;
}
