/* When idle workers are asked to help with a run. */
#include "sched_world.h"

/* One row on its way to stage 0 in a world of `n_workers`; stage 0 takes `alone` of a
 * row and may be shared by `max_threads`. */
struct scene {
    struct world w;
    struct sv_model *m;
    struct sv_request r;
    struct sv_job job;
};

static void set_up(struct scene *s, size_t n_workers, size_t max_threads, uint64_t alone)
{
    struct sv_model_params p = { .name = "m",
                                 .version = 1,
                                 .n_stages = 1,
                                 .max_batch = 8,
                                 .max_threads = max_threads };

    *s = (struct scene){ .w = world_new(n_workers), .m = sv_model_new(&p) };
    assert_non_null(s->m);
    teach(s->m, 1, 0, alone);
}

static void begin(struct scene *s)
{
    submit_new(&s->w, &s->r, s->m);
    expect(&s->w, &s->job, SV_JOB_DECODE, 0, 1);
    assert_int_equal(s->job.n_helpers, 0);
    decode(&s->w, &s->job, 0);
    expect(&s->w, &s->job, SV_JOB_STAGE, 0, 1);
}

static void end(struct scene *s, bool helped, uint64_t elapsed)
{
    s->job.helped = helped;
    run(&s->w, &s->job, elapsed, 1);
    put_away(&s->w, answered(&s->w));
}

/* One request from beginning to end; how many helpers it was given. */
static size_t serve(struct scene *s, uint64_t helped_ns)
{
    size_t n;

    begin(s);
    n = s->job.n_helpers;
    end(s, n > 0, n > 0 ? helped_ns : 10 * MS);
    return n;
}

static void every_idle_worker_may_help_a_lone_row(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, 4, 8, 10 * MS);
    assert_int_equal(serve(&s, 4 * MS), 3);
    assert_int_equal(s.m->counters->stage[0].n_helped, 1);
    assert_int_equal(serve(&s, 4 * MS), 3);
    world_done(&s.w, s.m);
}

static void no_more_help_than_the_model_can_use(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, 16, 8, 10 * MS);
    assert_int_equal(serve(&s, 2 * MS), 7);
    sv_model_unref(s.m);
    sv_sched_free(s.w.sched);
    set_up(&s, 16, 0, 10 * MS); /* a model that says nothing runs on one thread */
    assert_int_equal(serve(&s, 2 * MS), 0);
    world_done(&s.w, s.m);
}

static void nobody_is_woken_for_a_small_run(void **state)
{
    struct scene s;

    (void)state;
    set_up(&s, 2, 2, MS / 4);
    assert_int_equal(serve(&s, MS / 4), 0);
    world_done(&s.w, s.m);
}

static void nobody_helps_while_something_is_queued(void **state)
{
    struct scene s;
    struct sv_request other;

    (void)state;
    set_up(&s, 4, 4, 10 * MS);
    submit_new(&s.w, &s.r, s.m);
    expect(&s.w, &s.job, SV_JOB_DECODE, 0, 1);
    decode(&s.w, &s.job, 0);
    submit_new(&s.w, &other, s.m);
    expect(&s.w, &s.job, SV_JOB_STAGE, 0, 1);
    assert_int_equal(s.job.n_helpers, 0);
    (void)sv_sched_cancel(s.w.sched, &other, s.w.now);
    put_away(&s.w, &other);
    end(&s, false, 10 * MS);
    world_done(&s.w, s.m);
}

static void a_worker_is_asked_by_one_run_at_a_time(void **state)
{
    struct scene s;
    struct sv_request other;
    struct sv_job second = { 0 };

    (void)state;
    set_up(&s, 3, 4, 10 * MS);
    begin(&s);
    assert_int_equal(s.job.n_helpers, 2);
    submit_new(&s.w, &other, s.m);
    expect(&s.w, &second, SV_JOB_DECODE, 0, 1);
    decode(&s.w, &second, 0);
    expect(&s.w, &second, SV_JOB_STAGE, 0, 1);
    assert_int_equal(second.n_helpers, 0);
    end(&s, true, 5 * MS);
    run(&s.w, &second, 10 * MS, 1);
    put_away(&s.w, answered(&s.w));
    assert_int_equal(serve(&s, 5 * MS), 2);
    world_done(&s.w, s.m);
}

static void runs_with_help_do_not_tell_what_a_run_costs(void **state)
{
    struct scene s;
    uint64_t alone;

    (void)state;
    set_up(&s, 2, 2, 10 * MS);
    alone = sv_cost_ns(&s.m->steps[1].cost, 1);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(serve(&s, 6 * MS), 1);
    assert_int_equal(sv_cost_ns(&s.m->steps[1].cost, 1), alone);
    world_done(&s.w, s.m);
}

static void help_that_does_not_pay_is_tried_rarely(void **state)
{
    struct scene s;
    size_t n = 0;

    (void)state;
    set_up(&s, 2, 2, 10 * MS);
    for (size_t i = 0; i < 650; i++)
        n += serve(&s, 12 * MS);
    assert_in_range(n, 5, 15);
    while (serve(&s, 6 * MS) == 0) /* now it does: soon it is used always */
        ;
    for (size_t i = 0; i < 200; i++)
        (void)serve(&s, 6 * MS);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(serve(&s, 6 * MS), 1);
    world_done(&s.w, s.m);
}

static void one_run_held_up_does_not_end_help_for_long(void **state)
{
    struct scene s;
    size_t n = 0;

    (void)state;
    set_up(&s, 2, 2, 10 * MS);
    for (size_t i = 0; i < 10; i++)
        (void)serve(&s, 6 * MS);
    (void)serve(&s, 1000 * MS);
    for (size_t i = 0; i < 100; i++)
        n += serve(&s, 6 * MS);
    assert_in_range(n, 35, 100);
    world_done(&s.w, s.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_idle_worker_may_help_a_lone_row),
        cmocka_unit_test(no_more_help_than_the_model_can_use),
        cmocka_unit_test(nobody_is_woken_for_a_small_run),
        cmocka_unit_test(nobody_helps_while_something_is_queued),
        cmocka_unit_test(a_worker_is_asked_by_one_run_at_a_time),
        cmocka_unit_test(runs_with_help_do_not_tell_what_a_run_costs),
        cmocka_unit_test(help_that_does_not_pay_is_tried_rarely),
        cmocka_unit_test(one_run_held_up_does_not_end_help_for_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
