/* How a request gets into the scheduler, and how it ends. */
#include "sched_world.h"

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

static void a_full_queue_refuses_and_says_when_to_come_back(void **state)
{
    struct sv_model *m = model_new("m", 1, 32);
    struct world w = world_new(1);
    struct sv_request r, extra, huge;
    struct sv_job job = { 0 };
    uint32_t after = 0;

    (void)state;
    teach(m, 1, 0, 50 * MS);
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

static enum al_status try(struct world *w, struct sv_request *r, struct sv_model *m,
                          uint64_t deadline_ms, unsigned priority)
{
    uint32_t after;

    sv_request_init(r, m);
    r->priority = priority;
    if (deadline_ms)
        r->deadline_ns = w->now + deadline_ms * MS;
    return sv_sched_submit(w->sched, r, w->now, &after);
}

static void who_would_come_too_late_is_refused_at_once(void **state)
{
    struct sv_model *m = model_new("m", 1, 8);
    struct world w = world_new(1);
    struct sv_request r[13];

    (void)state;
    teach(m, 1, 0, 10 * MS);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(try(&w, &r[i], m, 100, 4), AL_OK);
    assert_int_equal(try(&w, &r[8], m, 100, 4), AL_OVERLOADED); /* starts after 80 ms */
    assert_int_equal(r[8].queue_ns, 80 * MS);
    assert_int_equal(m->counters->n_rejected[SV_REJECT_QUEUE_TIME], 1);
    sv_request_done(&r[8]);
    assert_int_equal(try(&w, &r[8], m, 120, 4), AL_OK);  /* has time */
    assert_int_equal(try(&w, &r[9], m, 20, 4), AL_OK);   /* is due before them */
    assert_int_equal(try(&w, &r[10], m, 100, 1), AL_OK); /* likewise */
    assert_int_equal(try(&w, &r[11], m, 0, 4), AL_OK);   /* waits as long as it takes */
    assert_int_equal(try(&w, &r[12], m, 100, 8), AL_OVERLOADED);
    sv_request_done(&r[12]);
    for (size_t i = 0; i < 12; i++) {
        assert_true(sv_sched_cancel(w.sched, &r[i], w.now));
        put_away(&w, &r[i]);
    }
    assert_int_equal(try(&w, &r[0], m, 100, 8), AL_OK); /* nothing is left of them */
    assert_true(sv_sched_cancel(w.sched, &r[0], w.now));
    put_away(&w, &r[0]);
    world_done(&w, m);
}

static void a_model_waits_for_the_shares_of_others_too(void **state)
{
    struct sv_model *m = model_new("m", 1, 8), *other = model_new("other", 1, 8);
    struct world w = world_new(1);
    struct sv_request r[6], others[3];

    (void)state;
    teach(m, 1, 0, 10 * MS);
    teach(other, 1, 0, 10 * MS);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(try(&w, &others[i], other, 0, 4), AL_OK);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(try(&w, &r[i], m, 100, 4), AL_OK);
    assert_int_equal(r[0].queue_ns, 0);       /* nothing of its own is before it */
    assert_int_equal(r[2].queue_ns, 40 * MS); /* as much of the other's */
    assert_int_equal(r[4].queue_ns, 70 * MS); /* which has no more */
    assert_int_equal(try(&w, &r[5], m, 100, 4), AL_OVERLOADED);
    sv_request_done(&r[5]);
    for (size_t i = 0; i < 5; i++) {
        assert_true(sv_sched_cancel(w.sched, &r[i], w.now));
        put_away(&w, &r[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(sv_sched_cancel(w.sched, &others[i], w.now));
        put_away(&w, &others[i]);
    }
    sv_model_unref(other);
    world_done(&w, m);
}

/* `n` requests, one after the other, of `n_rows` rows each. */
static void serve(struct world *w, struct sv_model *m, size_t n, uint32_t n_rows)
{
    struct sv_job job = { 0 };
    struct sv_request r;

    while (n-- > 0) {
        submit_new(w, &r, m);
        expect(w, &job, SV_JOB_DECODE, 0, 1);
        assert_int_equal(sv_sched_reserve(w->sched, &r, n_rows, 0), AL_OK);
        decode(w, &job, 0);
        expect(w, &job, SV_JOB_STAGE, 0, n_rows);
        run(w, &job, n_rows * 10 * MS, ~0U);
        assert_ptr_equal(answered(w), &r);
        put_away(w, &r);
    }
}

static void what_requests_brought_long_ago_refuses_nobody(void **state)
{
    struct sv_model *m = model_new("m", 1, 32);
    struct world w = world_new(1);
    struct sv_request r[3];

    (void)state;
    teach(m, 1, 0, 10 * MS);
    serve(&w, m, 5000, 32);
    assert_int_equal(try(&w, &r[0], m, 100, 4), AL_OK);
    assert_int_equal(try(&w, &r[1], m, 100, 4), AL_OVERLOADED); /* 320 ms by experience */
    sv_request_done(&r[1]);
    assert_true(sv_sched_cancel(w.sched, &r[0], w.now));
    put_away(&w, &r[0]);
    serve(&w, m, 3000, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(try(&w, &r[i], m, 100, 4), AL_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_true(sv_sched_cancel(w.sched, &r[i], w.now));
        put_away(&w, &r[i]);
    }
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
    assert_int_equal(m->counters->n_rejected[SV_REJECT_QUEUE_ROWS], 1);
    assert_int_equal(m->counters->n_rejected[SV_REJECT_DECODE], 0);
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

static void a_request_too_large_for_the_queue_is_counted_once(void **state)
{
    struct sv_model *m = model_new("m", 1, 32);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r;

    (void)state;
    submit_new(&w, &r, m);
    expect(&w, &job, SV_JOB_DECODE, 0, 1);
    job.status[0] = sv_sched_reserve(w.sched, &r, 101, 0);
    assert_int_equal(job.status[0], AL_TOO_LARGE);
    finish(&w, &job, MS);
    assert_ptr_equal(answered(&w), &r);
    assert_int_equal(m->counters->n_rejected[SV_REJECT_TOO_LARGE], 1);
    assert_int_equal(m->counters->n_rejected[SV_REJECT_DECODE], 0);
    put_away(&w, &r);
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
    teach(m, 1, 0, 10 * MS);
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
    teach(m, 1, 0, 10 * MS);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_leaves_at_the_exit_that_let_it_go),
        cmocka_unit_test(a_full_queue_refuses_and_says_when_to_come_back),
        cmocka_unit_test(who_would_come_too_late_is_refused_at_once),
        cmocka_unit_test(a_model_waits_for_the_shares_of_others_too),
        cmocka_unit_test(what_requests_brought_long_ago_refuses_nobody),
        cmocka_unit_test(bytes_are_bounded_until_they_are_freed),
        cmocka_unit_test(rows_found_by_the_decoder_must_fit_too),
        cmocka_unit_test(a_request_too_large_for_the_queue_is_counted_once),
        cmocka_unit_test(a_body_that_cannot_be_decoded_fails_alone),
        cmocka_unit_test(
            at_the_deadline_the_best_answer_goes_out_while_its_row_still_runs),
        cmocka_unit_test(without_an_answer_the_deadline_is_a_time_out),
        cmocka_unit_test(a_deadline_in_the_body_counts_from_then_on),
        cmocka_unit_test(work_that_cannot_be_in_time_makes_way),
        cmocka_unit_test(the_last_of_a_queue_runs_although_it_seems_too_late),
        cmocka_unit_test(a_cancelled_request_stays_until_the_worker_returns_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
