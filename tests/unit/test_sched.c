#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/sched.h"

#define MS UINT64_C(1000000)

/* A scheduler, its clock and what it handed back last. */
struct world {
    struct sv_sched *sched;
    uint64_t now;
    uint64_t retry;
    struct sv_outbox out;
};

static struct world world_new(size_t n_workers)
{
    struct sv_sched_params p = { .n_workers = n_workers,
                                 .max_rows = 100,
                                 .max_bytes = 100000,
                                 .max_decode_batch = 32 };
    struct world w = { .sched = sv_sched_new(&p), .now = 1000 * MS };

    assert_non_null(w.sched);
    return w;
}

static struct sv_model *model_new(const char *name, size_t n_stages, size_t max_batch)
{
    struct sv_model_params p = {
        .name = name, .version = 1, .n_stages = n_stages, .max_batch = max_batch
    };
    struct sv_model *m = sv_model_new(&p);

    assert_non_null(m);
    return m;
}

static void submit(struct world *w, struct sv_request *r)
{
    uint32_t retry_after_s;
    assert_int_equal(sv_sched_submit(w->sched, r, w->now, &retry_after_s), AL_OK);
}

static void submit_new(struct world *w, struct sv_request *r, struct sv_model *m)
{
    sv_request_init(r, m);
    submit(w, r);
}

static bool take(struct world *w, struct sv_job *job)
{
    return sv_sched_take(w->sched, w->now, job, &w->out, &w->retry);
}

static void finish(struct world *w, struct sv_job *job, uint64_t elapsed)
{
    w->now += elapsed;
    sv_sched_finish(w->sched, job, elapsed, w->now, &w->out);
}

static void decode(struct world *w, struct sv_job *job, uint64_t elapsed)
{
    assert_int_equal(job->kind, SV_JOB_DECODE);
    for (size_t i = 0; i < job->n; i++)
        job->status[i] = sv_request_alloc_rows(job->requests[i], 64, NULL);
    finish(w, job, elapsed);
}

/* Every row of the job is evaluated; those that `leaves` names by a set bit leave. */
static void run(struct world *w, struct sv_job *job, uint64_t elapsed, unsigned leaves)
{
    assert_int_equal(job->kind, SV_JOB_STAGE);
    for (size_t i = 0; i < job->n; i++) {
        job->run[i].evaluated = true;
        job->run[i].score = 0.5F;
        job->run[i].top = job->stage;
        job->run[i].leave = leaves >> i & 1;
    }
    finish(w, job, elapsed);
}

/* Takes a job, checks its kind, stage and size. */
static void expect(struct world *w, struct sv_job *job, enum sv_job_kind kind,
                   uint32_t stage, size_t n)
{
    assert_true(take(w, job));
    assert_int_equal(job->kind, kind);
    assert_int_equal(job->stage, stage);
    assert_int_equal(job->n, n);
}

static struct sv_request *answered(struct world *w)
{
    struct sv_request *r = w->out.answer;

    assert_non_null(r);
    w->out.answer = r->next;
    return r;
}

static void put_away(struct world *w, struct sv_request *r)
{
    assert_true(sv_sched_release(w->sched, r));
    sv_request_done(r);
}

static void world_done(struct world *w, struct sv_model *m)
{
    assert_null(w->out.answer);
    assert_null(w->out.free);
    assert_int_equal(sv_sched_n_active(w->sched), 0);
    assert_int_equal(sv_sched_n_rows(w->sched), 0);
    assert_int_equal(sv_sched_n_bytes(w->sched), 0);
    assert_false(sv_sched_has_work(w->sched));
    sv_sched_free(w->sched);
    sv_model_unref(m);
}

/* Teaches the scheduler what a step costs, by lone requests that leave at stage 0. */
static void teach(struct world *w, struct sv_model *m, size_t step, uint64_t fixed,
                  uint64_t row)
{
    (void)w;
    for (size_t i = 0; i < 100; i++)
        sv_cost_observe(&m->steps[step].cost, i % 4 + 1, fixed + row * (i % 4 + 1));
}

static void a_lone_request_never_waits(void **state)
{
    struct sv_model *m = model_new("m", 3, 8);
    struct world w = world_new(2);
    struct sv_job job = { 0 };
    struct sv_request r;

    (void)state;
    for (size_t k = 0; k < 4; k++)
        teach(&w, m, k, 5 * MS, MS);
    submit_new(&w, &r, m);
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    decode(&w, &job, MS);
    for (uint32_t k = 0; k < 3; k++) {
        expect(&w, &job, SV_JOB_STAGE, k, 1);
        run(&w, &job, MS, k == 2);
    }
    assert_ptr_equal(answered(&w), &r);
    assert_int_equal(r.status, AL_OK);
    assert_int_equal(r.rows[0].exit, 2);
    assert_int_equal(r.rows[0].queue_ns, 0);
    assert_int_equal(r.rows[0].compute_ns, 3 * MS);
    assert_int_equal(r.done_ns - r.arrived_ns, 4 * MS);
    assert_false(take(&w, &job));
    put_away(&w, &r);
    world_done(&w, m);
}

static void a_row_leaves_at_the_exit_that_let_it_go(void **state)
{
    struct sv_model *m = model_new("m", 3, 8);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r;

    (void)state;
    sv_request_init(&r, m);
    r.n_rows = 2;
    submit(&w, &r);
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    decode(&w, &job, MS);
    expect(&w, &job, SV_JOB_STAGE, 0, 2);
    run(&w, &job, MS, 1);
    assert_null(w.out.answer);
    expect(&w, &job, SV_JOB_STAGE, 1, 1);
    run(&w, &job, MS, 1);
    assert_ptr_equal(answered(&w), &r);
    assert_int_equal(r.rows[0].exit, 0);
    assert_int_equal(r.rows[1].exit, 1);
    assert_int_equal(m->counters->stage[0].n_rows, 1);
    assert_int_equal(m->counters->stage[1].n_rows, 1);
    assert_int_equal(m->counters->stage[2].n_rows, 0);
    put_away(&w, &r);
    world_done(&w, m);
}

static void survivors_of_different_requests_run_together(void **state)
{
    struct sv_model *m = model_new("m", 2, 8);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r[3];

    (void)state;
    for (size_t i = 0; i < 3; i++)
        submit_new(&w, &r[i], m);
    expect(&w, &job, SV_JOB_DECODE, 0, 3);
    decode(&w, &job, MS);
    expect(&w, &job, SV_JOB_STAGE, 0, 3);
    run(&w, &job, MS, 2);
    assert_ptr_equal(answered(&w), &r[1]);
    expect(&w, &job, SV_JOB_STAGE, 1, 2);
    assert_ptr_equal(job.rows[0], &r[0].rows[0]);
    assert_ptr_equal(job.rows[1], &r[2].rows[0]);
    run(&w, &job, MS, 3);
    assert_int_equal(r[0].status, AL_OK);
    assert_int_equal(r[2].status, AL_OK);
    for (size_t i = 0; i < 3; i++)
        put_away(&w, &r[i]);
    w.out.answer = NULL;
    world_done(&w, m);
}

static void workers_get_even_shares(void **state)
{
    struct sv_model *m = model_new("m", 1, 32);
    struct world w = world_new(2);
    struct sv_job job[2] = { 0 };
    struct sv_request r[5];

    (void)state;
    for (size_t i = 0; i < 5; i++)
        submit_new(&w, &r[i], m);
    expect(&w, &job[0], SV_JOB_DECODE, 0, 3);
    expect(&w, &job[1], SV_JOB_DECODE, 0, 1);
    decode(&w, &job[1], 0);
    decode(&w, &job[0], 0);
    while (take(&w, &job[0])) {
        if (job[0].kind == SV_JOB_DECODE)
            decode(&w, &job[0], MS);
        else
            run(&w, &job[0], MS, ~0U);
    }
    for (size_t i = 0; i < 5; i++)
        put_away(&w, answered(&w));
    world_done(&w, m);
}

static void a_full_queue_refuses_and_says_when_to_come_back(void **state)
{
    struct sv_model *m = model_new("m", 1, 32);
    struct world w = world_new(1);
    struct sv_request r, extra, huge;
    struct sv_job job = { 0 };
    uint32_t after = 0;

    (void)state;
    teach(&w, m, 1, 0, 50 * MS);
    sv_request_init(&r, m);
    r.n_rows = 100;
    submit(&w, &r);
    sv_request_init(&extra, m);
    assert_int_equal(sv_sched_submit(w.sched, &extra, w.now, &after), AL_OVERLOADED);
    assert_int_equal(after, 1);
    sv_request_init(&huge, m);
    huge.n_rows = 101;
    assert_int_equal(sv_sched_submit(w.sched, &huge, w.now, &after), AL_TOO_LARGE);
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    decode(&w, &job, MS);
    assert_int_equal(sv_sched_submit(w.sched, &extra, w.now, &after), AL_OVERLOADED);
    assert_int_equal(after, 5); /* 100 rows of 50 ms */
    assert_int_equal(m->counters->n_rejected[SV_REJECT_QUEUE_ROWS], 2);
    assert_int_equal(m->counters->n_rejected[SV_REJECT_TOO_LARGE], 1);
    assert_true(sv_sched_cancel(w.sched, &r, w.now));
    put_away(&w, &r);
    sv_request_done(&extra);
    sv_request_done(&huge);
    world_done(&w, m);
}

static void bytes_are_bounded_until_they_are_freed(void **state)
{
    struct sv_model *m = model_new("m", 1, 32);
    struct world w = world_new(1);
    struct sv_request r, extra;
    uint32_t after;

    (void)state;
    sv_request_init(&r, m);
    r.size_bytes = 60000;
    submit(&w, &r);
    sv_request_init(&extra, m);
    extra.size_bytes = 40001;
    assert_int_equal(sv_sched_submit(w.sched, &extra, w.now, &after), AL_OVERLOADED);
    assert_true(sv_sched_cancel(w.sched, &r, w.now));
    assert_int_equal(sv_sched_submit(w.sched, &extra, w.now, &after), AL_OVERLOADED);
    put_away(&w, &r);
    submit(&w, &extra);
    assert_true(sv_sched_cancel(w.sched, &extra, w.now));
    put_away(&w, &extra);
    world_done(&w, m);
}

static void rows_found_by_the_decoder_must_fit_too(void **state)
{
    struct sv_model *m = model_new("m", 1, 32);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r[2];

    (void)state;
    submit_new(&w, &r[0], m);
    submit_new(&w, &r[1], m);
    expect(&w, &job, SV_JOB_DECODE, 0, 2);
    assert_int_equal(sv_sched_reserve(w.sched, &r[0], 60, 1000), AL_OK);
    assert_int_equal(sv_sched_reserve(w.sched, &r[1], 60, 1000), AL_OVERLOADED);
    assert_int_equal(sv_sched_n_rows(w.sched), 61);
    assert_int_equal(sv_sched_reserve(w.sched, &r[1], 101, 0), AL_TOO_LARGE);
    assert_int_equal(sv_sched_reserve(w.sched, &r[1], 1, SIZE_MAX), AL_TOO_LARGE);
    job.status[0] = sv_request_alloc_rows(&r[0], 64, NULL);
    job.status[1] = AL_OVERLOADED;
    finish(&w, &job, MS);
    assert_ptr_equal(answered(&w), &r[1]);
    assert_int_equal(r[1].status, AL_OVERLOADED);
    expect(&w, &job, SV_JOB_STAGE, 0, 32);
    run(&w, &job, MS, ~0U);
    expect(&w, &job, SV_JOB_STAGE, 0, 28);
    run(&w, &job, MS, ~0U);
    assert_ptr_equal(answered(&w), &r[0]);
    assert_int_equal(m->counters->n_rows, 61);
    assert_int_equal(m->counters->n_rows_failed, 1);
    assert_int_equal(m->counters->stage[0].n_rows, 60);
    put_away(&w, &r[0]);
    put_away(&w, &r[1]);
    world_done(&w, m);
}

static void a_body_that_cannot_be_decoded_fails_alone(void **state)
{
    struct sv_model *m = model_new("m", 1, 32);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r[2];

    (void)state;
    submit_new(&w, &r[0], m);
    submit_new(&w, &r[1], m);
    expect(&w, &job, SV_JOB_DECODE, 0, 2);
    job.status[0] = AL_INVALID;
    job.status[1] = sv_request_alloc_rows(&r[1], 64, NULL);
    finish(&w, &job, MS);
    assert_ptr_equal(answered(&w), &r[0]);
    assert_int_equal(r[0].status, AL_INVALID);
    expect(&w, &job, SV_JOB_STAGE, 0, 1);
    run(&w, &job, MS, 1);
    assert_ptr_equal(answered(&w), &r[1]);
    assert_int_equal(m->counters->n_rejected[SV_REJECT_DECODE], 1);
    put_away(&w, &r[0]);
    put_away(&w, &r[1]);
    world_done(&w, m);
}

static void at_the_deadline_the_best_answer_goes_out_while_its_row_still_runs(
    void **state)
{
    struct sv_model *m = model_new("m", 2, 8);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r;

    (void)state;
    sv_request_init(&r, m);
    r.deadline_ns = w.now + 10 * MS;
    submit(&w, &r);
    assert_int_equal(sv_sched_next_deadline(w.sched), r.deadline_ns);
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    decode(&w, &job, MS);
    expect(&w, &job, SV_JOB_STAGE, 0, 1);
    run(&w, &job, MS, 0);
    expect(&w, &job, SV_JOB_STAGE, 1, 1);
    sv_sched_expire(w.sched, r.deadline_ns - 1, &w.out);
    assert_null(w.out.answer);
    sv_sched_expire(w.sched, r.deadline_ns, &w.out);
    assert_ptr_equal(answered(&w), &r);
    assert_int_equal(r.status, AL_OK);
    assert_true(r.rows[0].forced);
    assert_int_equal(r.rows[0].exit, 0);
    assert_false(sv_sched_release(w.sched, &r)); /* the worker still writes its row */
    w.now = r.deadline_ns;
    run(&w, &job, 5 * MS, 1);
    assert_int_equal(r.rows[0].exit, 0);
    assert_ptr_equal(w.out.free, &r);
    w.out.free = NULL;
    sv_request_done(&r);
    assert_int_equal(m->counters->stage[0].n_forced, 1);
    assert_int_equal(m->counters->stage[0].n_rows, 1);
    world_done(&w, m);
}

static void without_an_answer_the_deadline_is_a_time_out(void **state)
{
    struct sv_model *m = model_new("m", 2, 8);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r;

    (void)state;
    sv_request_init(&r, m);
    r.deadline_ns = w.now + 10 * MS;
    submit(&w, &r);
    w.now += 10 * MS;
    assert_false(take(&w, &job)); /* expired work never runs */
    assert_ptr_equal(answered(&w), &r);
    assert_int_equal(r.status, AL_TIMEOUT);
    assert_int_equal(m->counters->n_rejected[SV_REJECT_DEADLINE], 1);
    put_away(&w, &r);
    world_done(&w, m);
}

static void a_deadline_in_the_body_counts_from_then_on(void **state)
{
    struct sv_model *m = model_new("m", 2, 8);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r;

    (void)state;
    submit_new(&w, &r, m);
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    assert_int_equal(sv_sched_next_deadline(w.sched), SV_NO_DEADLINE);
    sv_sched_set_limits(w.sched, &r, SV_PRIORITY_HIGHEST, w.now + 5 * MS);
    assert_int_equal(sv_sched_next_deadline(w.sched), w.now + 5 * MS);
    decode(&w, &job, MS);
    sv_sched_expire(w.sched, w.now + 4 * MS, &w.out);
    assert_int_equal(answered(&w)->status, AL_TIMEOUT);
    put_away(&w, &r);
    world_done(&w, m);
}

static void work_that_cannot_be_in_time_makes_way(void **state)
{
    struct sv_model *m = model_new("m", 1, 1);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r[2];

    (void)state;
    teach(&w, m, 1, 0, 10 * MS);
    for (size_t i = 0; i < 2; i++) {
        sv_request_init(&r[i], m);
        r[i].deadline_ns = w.now + (i == 0 ? 5 : 50) * MS;
        submit(&w, &r[i]);
    }
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    assert_ptr_equal(job.requests[0], &r[1]);
    assert_ptr_equal(answered(&w), &r[0]);
    assert_int_equal(r[0].status, AL_TIMEOUT);
    assert_true(sv_sched_cancel(w.sched, &r[1], w.now));
    decode(&w, &job, MS);
    put_away(&w, &r[0]);
    put_away(&w, &r[1]);
    world_done(&w, m);
}

static void the_last_of_a_queue_runs_although_it_seems_too_late(void **state)
{
    struct sv_model *m = model_new("m", 1, 1);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r;

    (void)state;
    teach(&w, m, 1, 0, 10 * MS);
    sv_request_init(&r, m);
    r.deadline_ns = w.now + 5 * MS;
    submit(&w, &r);
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    decode(&w, &job, MS);
    expect(&w, &job, SV_JOB_STAGE, 0, 1);
    run(&w, &job, MS, 1);
    assert_int_equal(answered(&w)->status, AL_OK);
    put_away(&w, &r);
    world_done(&w, m);
}

static void a_batch_is_no_larger_than_its_head_has_time_for(void **state)
{
    struct sv_model *m = model_new("m", 1, 32);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r[10];

    (void)state;
    teach(&w, m, 1, 0, 10 * MS);
    for (size_t i = 0; i < 10; i++) {
        sv_request_init(&r[i], m);
        if (i == 9)
            r[i].deadline_ns = w.now + 45 * MS;
        submit(&w, &r[i]);
    }
    expect(&w, &job, SV_JOB_DECODE, 0, 10);
    decode(&w, &job, 0);
    expect(&w, &job, SV_JOB_STAGE, 0, 4);
    assert_ptr_equal(job.rows[0]->request, &r[9]);
    run(&w, &job, 40 * MS, ~0U);
    expect(&w, &job, SV_JOB_STAGE, 0, 6);
    run(&w, &job, MS, ~0U);
    for (size_t i = 0; i < 10; i++)
        put_away(&w, answered(&w));
    world_done(&w, m);
}

static void a_cancelled_request_stays_until_the_worker_returns_it(void **state)
{
    struct sv_model *m = model_new("m", 2, 8);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r;

    (void)state;
    sv_request_init(&r, m);
    r.size_bytes = 500;
    submit(&w, &r);
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    assert_true(sv_sched_cancel(w.sched, &r, w.now));
    assert_false(sv_sched_cancel(w.sched, &r, w.now));
    assert_false(sv_sched_release(w.sched, &r));
    assert_int_equal(sv_sched_reserve(w.sched, &r, 2, 0), AL_TIMEOUT);
    assert_int_equal(sv_sched_n_bytes(w.sched), 500);
    decode(&w, &job, MS);
    assert_ptr_equal(w.out.free, &r);
    w.out.free = NULL;
    sv_request_done(&r);
    assert_int_equal(m->counters->n_cancelled, 1);
    assert_int_equal(m->counters->n_rows_failed, 1);
    world_done(&w, m);
}

static void a_higher_priority_overtakes_but_not_for_ever(void **state)
{
    struct sv_model *m = model_new("m", 1, 1);
    struct world w = world_new(64);
    struct sv_job job = { 0 };
    struct sv_request r[3];
    static const unsigned priority[3] = { 8, 1, 1 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        sv_request_init(&r[i], m);
        r[i].priority = priority[i];
        if (i == 2)
            w.now += 7001 * MS; /* seven levels at a second each */
        submit(&w, &r[i]);
    }
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    assert_ptr_equal(job.requests[0], &r[1]);
    decode(&w, &job, 0);
    expect(&w, &job, SV_JOB_STAGE, 0, 1);
    run(&w, &job, 0, 1);
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    assert_ptr_equal(job.requests[0], &r[0]);
    decode(&w, &job, 0);
    for (size_t i = 0; i < 3; i++)
        (void)sv_sched_cancel(w.sched, &r[i], w.now);
    for (size_t i = 0; i < 3; i++)
        put_away(&w, &r[i]);
    w.out.answer = NULL;
    world_done(&w, m);
}

static void survivors_wait_for_company_no_longer_than_it_could_save(void **state)
{
    struct sv_model *m = model_new("m", 2, 8);
    struct world w = world_new(2);
    struct sv_job job[2] = { 0 }, third = { 0 };
    struct sv_request r[2];

    (void)state;
    teach(&w, m, 2, 3 * MS, MS);
    submit_new(&w, &r[0], m);
    submit_new(&w, &r[1], m);
    expect(&w, &job[0], SV_JOB_DECODE, 0, 1);
    decode(&w, &job[0], 0);
    expect(&w, &job[0], SV_JOB_STAGE, 0, 1);
    expect(&w, &job[1], SV_JOB_DECODE, 0, 1);
    run(&w, &job[0], MS, 0);
    assert_false(take(&w, &job[0])); /* the other request may catch up */
    assert_in_range(w.retry, w.now + 3 * MS - 10, w.now + 3 * MS + 10);
    w.now = w.retry;
    expect(&w, &job[0], SV_JOB_STAGE, 1, 1);
    run(&w, &job[0], MS, 1);
    put_away(&w, answered(&w));
    decode(&w, &job[1], MS);
    assert_true(take(&w, &third));
    run(&w, &third, MS, 1);
    put_away(&w, answered(&w));
    world_done(&w, m);
}

static void a_deadline_ends_the_wait_for_company(void **state)
{
    struct sv_model *m = model_new("m", 2, 8);
    struct world w = world_new(2);
    struct sv_job job[2] = { 0 };
    struct sv_request r[2];

    (void)state;
    teach(&w, m, 2, 30 * MS, 0);
    sv_request_init(&r[0], m);
    r[0].deadline_ns = w.now + 40 * MS;
    submit(&w, &r[0]);
    submit_new(&w, &r[1], m);
    expect(&w, &job[0], SV_JOB_DECODE, 0, 1);
    decode(&w, &job[0], 0);
    expect(&w, &job[0], SV_JOB_STAGE, 0, 1);
    expect(&w, &job[1], SV_JOB_DECODE, 0, 1);
    run(&w, &job[0], 0, 0);
    assert_false(take(&w, &job[0]));
    assert_in_range(w.retry, w.now + 10 * MS - 10, w.now + 10 * MS + 10);
    w.now = w.retry;
    expect(&w, &job[0], SV_JOB_STAGE, 1, 1);
    run(&w, &job[0], 0, 1);
    put_away(&w, answered(&w));
    (void)sv_sched_cancel(w.sched, &r[1], w.now);
    decode(&w, &job[1], 0);
    put_away(&w, &r[1]);
    world_done(&w, m);
}

static void models_share_the_workers_by_time_not_by_requests(void **state)
{
    struct sv_model *slow = model_new("slow", 1, 1), *fast = model_new("fast", 1, 1);
    struct world w = world_new(1);
    struct sv_request a[40], b[40];
    struct sv_job job = { 0 };
    uint64_t time[2] = { 0 };

    (void)state;
    for (size_t i = 0; i < 40; i++) {
        submit_new(&w, &a[i], slow);
        submit_new(&w, &b[i], fast);
    }
    for (size_t i = 0; i < 50; i++) {
        bool is_slow;
        assert_true(take(&w, &job));
        is_slow = job.model == slow;
        if (job.kind == SV_JOB_DECODE) {
            decode(&w, &job, 0);
            continue;
        }
        time[is_slow] += is_slow ? 3 * MS : MS;
        run(&w, &job, is_slow ? 3 * MS : MS, 1);
    }
    assert_in_range(time[0], time[1] - 3 * MS, time[1] + 3 * MS);
    for (size_t i = 0; i < 40; i++) {
        (void)sv_sched_cancel(w.sched, &a[i], w.now);
        (void)sv_sched_cancel(w.sched, &b[i], w.now);
        put_away(&w, &a[i]);
        put_away(&w, &b[i]);
    }
    w.out.answer = NULL;
    sv_model_unref(fast);
    world_done(&w, slow);
}

static void a_queue_about_to_be_late_goes_before_a_deeper_one(void **state)
{
    struct sv_model *m = model_new("m", 2, 8);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r[2];

    (void)state;
    teach(&w, m, 2, 0, 20 * MS);
    submit_new(&w, &r[0], m);
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    decode(&w, &job, 0);
    expect(&w, &job, SV_JOB_STAGE, 0, 1);
    run(&w, &job, 0, 0);
    sv_request_init(&r[1], m);
    r[1].deadline_ns = w.now + 10 * MS;
    submit(&w, &r[1]);
    expect(&w, &job, SV_JOB_DECODE, 0, 1); /* stage 1 would take 20 ms */
    decode(&w, &job, MS);
    expect(&w, &job, SV_JOB_STAGE, 0, 1);
    run(&w, &job, MS, 1);
    put_away(&w, answered(&w));
    expect(&w, &job, SV_JOB_STAGE, 1, 1);
    run(&w, &job, MS, 1);
    put_away(&w, answered(&w));
    world_done(&w, m);
}

static void rows_of_a_lone_request_do_not_wait_for_each_other(void **state)
{
    struct sv_model *m = model_new("m", 2, 8);
    struct world w = world_new(2);
    struct sv_job job[2] = { 0 };
    struct sv_request r;

    (void)state;
    teach(&w, m, 2, 3 * MS, MS);
    submit_new(&w, &r, m);
    expect(&w, &job[0], SV_JOB_DECODE, 0, 1);
    assert_int_equal(sv_sched_reserve(w.sched, &r, 2, 0), AL_OK);
    decode(&w, &job[0], 0);
    expect(&w, &job[0], SV_JOB_STAGE, 0, 1);
    expect(&w, &job[1], SV_JOB_STAGE, 0, 1);
    run(&w, &job[0], MS, 0);
    expect(&w, &job[0], SV_JOB_STAGE, 1, 1);
    run(&w, &job[0], MS, 1);
    run(&w, &job[1], MS, 1);
    put_away(&w, answered(&w));
    world_done(&w, m);
}

/* Takes a job and does it, whatever it is; the model it was for. */
static const struct sv_model *serve(struct world *w, uint64_t elapsed)
{
    struct sv_job job = { 0 };
    const struct sv_model *m;

    assert_true(take(w, &job));
    m = job.model;
    if (job.kind == SV_JOB_DECODE)
        decode(w, &job, elapsed);
    else
        run(w, &job, elapsed, 1);
    return m;
}

/* Serves until `m` had its turn; how many went before. */
static size_t jobs_before(struct world *w, const struct sv_model *m, uint64_t elapsed)
{
    size_t n = 0;

    while (serve(w, elapsed) != m)
        n++;
    return n;
}

static void put_all_away(struct world *w, struct sv_request *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)sv_sched_cancel(w->sched, &r[i], w->now);
    for (size_t i = 0; i < n; i++)
        put_away(w, &r[i]);
    w->out.answer = NULL;
}

static void a_model_that_slept_may_not_make_up_for_it(void **state)
{
    struct sv_model *busy = model_new("busy", 1, 1), *idle = model_new("idle", 1, 1);
    struct world w = world_new(32);
    struct sv_request r[20], s[20];

    (void)state;
    for (size_t i = 0; i < 20; i++)
        submit_new(&w, &r[i], busy);
    submit_new(&w, &s[0], idle);
    (void)jobs_before(&w, idle, MS);
    (void)sv_sched_cancel(w.sched, &s[0], w.now);
    for (size_t i = 0; i < 20; i++) /* time that only the busy model takes */
        assert_int_equal(jobs_before(&w, busy, 10 * MS), 0);
    for (size_t i = 1; i < 20; i++)
        submit_new(&w, &s[i], idle);
    assert_true(jobs_before(&w, busy, 10 * MS) <= 2);
    put_all_away(&w, r, 20);
    put_all_away(&w, s, 20);
    sv_model_unref(idle);
    world_done(&w, busy);
}

static void workers_that_ask_together_serve_different_models(void **state)
{
    struct sv_model *m[2] = { model_new("a", 1, 1), model_new("b", 1, 1) };
    struct world w = world_new(2);
    struct sv_job job[2] = { 0 };
    struct sv_request r[2][8];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        teach(&w, m[i], 0, 0, MS);
        for (size_t k = 0; k < 8; k++)
            submit_new(&w, &r[i][k], m[i]);
    }
    assert_true(take(&w, &job[0]) && take(&w, &job[1]));
    assert_ptr_not_equal(job[0].model, job[1].model);
    for (size_t i = 0; i < 2; i++)
        decode(&w, &job[i], MS);
    put_all_away(&w, r[0], 8);
    put_all_away(&w, r[1], 8);
    sv_model_unref(m[1]);
    world_done(&w, m[0]);
}

/* One model always has a request that would be late if the other went first. */
static void deadlines_of_one_model_cannot_shut_out_another(void **state)
{
    struct sv_model *urgent = model_new("urgent", 1, 1), *calm = model_new("calm", 1, 1);
    struct world w = world_new(1);
    struct sv_request r[20], c;
    size_t n = 0;

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        teach(&w, urgent, k, 0, 10 * MS);
        teach(&w, calm, k, 0, 10 * MS);
    }
    submit_new(&w, &c, calm);
    for (size_t jobs = 0; c.state == SV_REQUEST_WAITING; jobs++) {
        if (n == 0 || r[n - 1].state == SV_REQUEST_DONE) {
            sv_request_init(&r[n], urgent);
            r[n].deadline_ns = w.now + 21 * MS;
            submit(&w, &r[n++]);
        }
        assert_true(jobs < 15); /* 100 ms of lead, and what was begun */
        serve(&w, 10 * MS);
    }
    put_all_away(&w, r, n);
    put_all_away(&w, &c, 1);
    sv_model_unref(calm);
    world_done(&w, urgent);
}

static void whole_batches_stay_together_when_asked_for(void **state)
{
    struct sv_sched_params p = {
        .n_workers = 1, .max_rows = 100, .max_bytes = 1000, .whole_batches = true
    };
    struct sv_model *m = model_new("m", 2, 8);
    struct world w = { .sched = sv_sched_new(&p), .now = MS };
    struct sv_job job = { 0 };
    struct sv_request r[4], late;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        submit_new(&w, &r[i], m);
    expect(&w, &job, SV_JOB_DECODE, 0, 4);
    decode(&w, &job, MS);
    expect(&w, &job, SV_JOB_STAGE, 0, 4);
    submit_new(&w, &late, m);
    run(&w, &job, MS, 1);
    put_away(&w, answered(&w));
    assert_true(sv_sched_cancel(w.sched, &r[1], w.now));
    assert_false(sv_sched_release(w.sched, &r[1]));
    expect(&w, &job, SV_JOB_STAGE, 1, 2);
    assert_ptr_equal(w.out.free, &r[1]);
    sv_request_done(&r[1]);
    w.out.free = NULL;
    run(&w, &job, MS, 3);
    put_away(&w, answered(&w));
    put_away(&w, answered(&w));
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    assert_true(sv_sched_cancel(w.sched, &late, w.now));
    decode(&w, &job, MS);
    put_away(&w, &late);
    world_done(&w, m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_request_never_waits),
        cmocka_unit_test(a_row_leaves_at_the_exit_that_let_it_go),
        cmocka_unit_test(survivors_of_different_requests_run_together),
        cmocka_unit_test(workers_get_even_shares),
        cmocka_unit_test(a_full_queue_refuses_and_says_when_to_come_back),
        cmocka_unit_test(bytes_are_bounded_until_they_are_freed),
        cmocka_unit_test(rows_found_by_the_decoder_must_fit_too),
        cmocka_unit_test(a_body_that_cannot_be_decoded_fails_alone),
        cmocka_unit_test(
            at_the_deadline_the_best_answer_goes_out_while_its_row_still_runs),
        cmocka_unit_test(without_an_answer_the_deadline_is_a_time_out),
        cmocka_unit_test(a_deadline_in_the_body_counts_from_then_on),
        cmocka_unit_test(work_that_cannot_be_in_time_makes_way),
        cmocka_unit_test(the_last_of_a_queue_runs_although_it_seems_too_late),
        cmocka_unit_test(a_batch_is_no_larger_than_its_head_has_time_for),
        cmocka_unit_test(a_cancelled_request_stays_until_the_worker_returns_it),
        cmocka_unit_test(a_higher_priority_overtakes_but_not_for_ever),
        cmocka_unit_test(survivors_wait_for_company_no_longer_than_it_could_save),
        cmocka_unit_test(a_deadline_ends_the_wait_for_company),
        cmocka_unit_test(models_share_the_workers_by_time_not_by_requests),
        cmocka_unit_test(a_queue_about_to_be_late_goes_before_a_deeper_one),
        cmocka_unit_test(rows_of_a_lone_request_do_not_wait_for_each_other),
        cmocka_unit_test(a_model_that_slept_may_not_make_up_for_it),
        cmocka_unit_test(workers_that_ask_together_serve_different_models),
        cmocka_unit_test(deadlines_of_one_model_cannot_shut_out_another),
        cmocka_unit_test(whole_batches_stay_together_when_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
