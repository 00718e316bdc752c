/* Which work the scheduler gives out next, and how much of it. */
#include "sched_world.h"

static void put_all_away(struct world *w, struct sv_request *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)sv_sched_cancel(w->sched, &r[i], w->now);
    for (size_t i = 0; i < n; i++)
        put_away(w, &r[i]);
    w->out.answer = NULL;
}

static void a_lone_request_never_waits(void **state)
{
    struct sv_model *m = model_new("m", 3, 8);
    struct world w = world_new(2);
    struct sv_job job = { 0 };
    struct sv_request r;

    (void)state;
    for (size_t k = 0; k < 4; k++)
        teach(m, k, 5 * MS, MS);
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

static void a_batch_is_no_larger_than_its_head_has_time_for(void **state)
{
    struct sv_model *m = model_new("m", 1, 32);
    struct world w = world_new(1);
    struct sv_job job = { 0 };
    struct sv_request r[10];

    (void)state;
    teach(m, 1, 0, 10 * MS);
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
    teach(m, 2, 3 * MS, MS);
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
    teach(m, 2, 30 * MS, 0);
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

static void the_most_urgent_row_ends_the_wait_wherever_it_stands(void **state)
{
    struct sv_model *m = model_new("m", 2, 8);
    struct world w = world_new(2);
    struct sv_job job[2] = { 0 };
    struct sv_request r[3];
    static const unsigned priority[3] = { 1, 8, 8 };
    static const uint64_t allowed[3] = { 200 * MS, 50 * MS, 1000 * MS };

    (void)state;
    teach(m, 2, 30 * MS, 0);
    for (size_t i = 0; i < 3; i++) {
        sv_request_init(&r[i], m);
        r[i].priority = priority[i];
        r[i].deadline_ns = w.now + allowed[i];
        submit(&w, &r[i]);
    }
    expect(&w, &job[0], SV_JOB_DECODE, 0, 2);
    expect(&w, &job[1], SV_JOB_DECODE, 0, 1);
    decode(&w, &job[0], 0);
    expect(&w, &job[0], SV_JOB_STAGE, 0, 1); /* r[0] is due first */
    run(&w, &job[0], 0, 0);
    expect(&w, &job[0], SV_JOB_STAGE, 0, 1);
    run(&w, &job[0], 0, 0);
    assert_false(take(&w, &job[0])); /* r[2] may catch up, but r[1] has 20 ms */
    assert_in_range(w.retry, w.now + 20 * MS - 10, w.now + 20 * MS + 10);
    put_all_away(&w, r, 2);
    (void)sv_sched_cancel(w.sched, &r[2], w.now);
    decode(&w, &job[1], 0);
    put_away(&w, &r[2]);
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
    teach(m, 2, 0, 20 * MS);
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
    teach(m, 2, 3 * MS, MS);
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
        teach(m[i], 0, 0, MS);
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
        teach(urgent, k, 0, 10 * MS);
        teach(calm, k, 0, 10 * MS);
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
        cmocka_unit_test(survivors_of_different_requests_run_together),
        cmocka_unit_test(workers_get_even_shares),
        cmocka_unit_test(a_batch_is_no_larger_than_its_head_has_time_for),
        cmocka_unit_test(a_higher_priority_overtakes_but_not_for_ever),
        cmocka_unit_test(survivors_wait_for_company_no_longer_than_it_could_save),
        cmocka_unit_test(a_deadline_ends_the_wait_for_company),
        cmocka_unit_test(the_most_urgent_row_ends_the_wait_wherever_it_stands),
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
