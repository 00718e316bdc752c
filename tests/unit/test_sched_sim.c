/* The scheduler under streams of events: what must always hold is checked by the
 * simulator after every event; here are the streams, and what they must end in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sched_sim.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

static const struct sim_model three_exits = { .n_stages = 3,
                                              .max_batch = 16,
                                              .share = 0.5,
                                              .fixed_ns = 200 * US,
                                              .row_ns = 300 * US,
                                              .decode_ns = 50 * US,
                                              .leave = { 0.6, 0.5 } };
static const struct sim_model one_exit = { .n_stages = 1,
                                           .max_batch = 8,
                                           .share = 0.5,
                                           .fixed_ns = 50 * US,
                                           .row_ns = 100 * US,
                                           .decode_ns = 200 * US };

/* Two models, everything that can happen happening. */
static struct sim_params everything(uint64_t seed, double per_second)
{
    return (struct sim_params){ .seed = seed,
                                .n_workers = 1 + seed % 4,
                                .max_rows = 200,
                                .noise = 0.5,
                                .n_models = 2,
                                .models = { three_exits, one_exit },
                                .n_arrivals = 3000,
                                .per_second = per_second,
                                .max_request_rows = 6,
                                .min_priority = 1,
                                .max_priority = 8,
                                .p_deadline = 0.5,
                                .p_cancel = 0.1,
                                .p_broken = 0.02,
                                .deadline_ns = 30 * MS };
}

static void no_row_is_lost_duplicated_or_mixed_under_random_streams(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim_params p = everything(seed, seed % 3 == 0 ? 5000 : 500);
        struct sim_result r;
        p.whole_batches = seed % 5 == 0;
        p.max_threads = seed % 6;
        p.helped_time = 0.6;
        r = sim_run(&p);
        assert_true(r.n_ok > 100);
        assert_true(r.n_cancelled > 0 && r.n_broken > 0);
    }
}

#define MAX_RECORDED 1000

/* Reads a recorded stream, `speed` times as fast; how many arrivals it has. */
static size_t read_recorded(const char *path, unsigned speed, struct sim_arrival *ret)
{
    FILE *f = fopen(path, "r");
    char line[200];
    size_t n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        struct sim_arrival *a = &ret[n];
        unsigned long at, deadline, cancel;
        int n_fields;
        if (line[0] == '#')
            continue;
        assert_true(n < MAX_RECORDED);
        *a = (struct sim_arrival){ 0 };
        n_fields = sscanf(line, /* NOLINT(cert-err34-c): a file of ours */
                          "%lu %u %u %u %lu %lu", &at, &a->model, &a->n_rows,
                          &a->priority, &deadline, &cancel);
        assert_int_equal(n_fields, 6);
        a->at_ns = at * US / speed;
        a->deadline_ns = deadline * US;
        a->cancel_ns = cancel * US;
        n++;
    }
    (void)fclose(f);
    return n;
}

static void a_recorded_stream_keeps_the_rules_at_any_speed(void **state)
{
    static struct sim_arrival recorded[MAX_RECORDED];
    uint64_t n_late[2];

    (void)state;
    for (int fast = 0; fast < 2; fast++) {
        struct sim_params p = everything(2, 0);
        p.n_workers = 1;
        p.recorded = recorded;
        p.n_arrivals =
            read_recorded(TEST_DATA "/arrivals/bursts.txt", fast ? 20 : 1, recorded);
        struct sim_result r = sim_run(&p);
        assert_int_equal(sim_run(&p).digest, r.digest);
        assert_true(r.n_ok > p.n_arrivals / 4);
        n_late[fast] = r.n_timeout + r.n_refused;
    }
    assert_true(n_late[1] > n_late[0]);
}

static void the_same_events_give_the_same_decisions(void **state)
{
    struct sim_params p = everything(7, 2000), other = everything(8, 2000);
    uint64_t digest = sim_run(&p).digest;

    (void)state;
    assert_int_equal(sim_run(&p).digest, digest);
    assert_int_not_equal(sim_run(&other).digest, digest);
}

static void requests_that_meet_nobody_take_their_service_time_only(void **state)
{
    struct sim_params p = { .seed = 3,
                            .n_workers = 2,
                            .max_rows = 10,
                            .n_models = 1,
                            .models = { three_exits },
                            .n_arrivals = 500,
                            .per_second = 1,
                            .max_request_rows = 1,
                            .min_priority = 4,
                            .max_priority = 4 };
    struct sim_result r = sim_run(&p);

    (void)state;
    assert_int_equal(r.n_ok, 500);
    assert_int_equal(r.hold_ns, 0);
    /* every step adds one nanosecond of its own */
    assert_in_range(r.latency_ns.max, 1550 * US, 1550 * US + 4);
}

/* One row at a time on four workers; a run takes 500 us alone. */
static struct sim_result rows_that_may_be_helped(double per_second, size_t max_threads)
{
    struct sim_params p = { .seed = 3,
                            .n_workers = 4,
                            .max_rows = 2000,
                            .max_threads = max_threads,
                            .helped_time = 0.4,
                            .n_models = 1,
                            .models = { three_exits },
                            .n_arrivals = 2000,
                            .per_second = per_second,
                            .max_request_rows = 1,
                            .min_priority = 4,
                            .max_priority = 4 };

    p.models[0].fixed_ns = 0;
    p.models[0].row_ns = 1000 * US;
    return sim_run(&p);
}

static void idle_workers_make_lone_requests_faster(void **state)
{
    struct sim_result alone = rows_that_may_be_helped(1, 1);
    struct sim_result helped = rows_that_may_be_helped(1, 4);

    (void)state;
    assert_int_equal(alone.n_helped, 0);
    assert_true(helped.n_helped + 10 > helped.n_runs); /* all but the first of a stage */
    assert_true(sv_histogram_quantile(&helped.latency_ns, 0.5) <
                sv_histogram_quantile(&alone.latency_ns, 0.5) / 2);
}

static void under_load_every_worker_runs_its_own_batches(void **state)
{
    struct sim_result alone = rows_that_may_be_helped(2200, 1);
    struct sim_result helped = rows_that_may_be_helped(2200, 4);

    (void)state;
    print_message(
        "# %llu of %llu runs with help, p50 %.2f against %.2f ms, p99 %.2f, %.2f\n",
        (unsigned long long)helped.n_helped, (unsigned long long)helped.n_runs,
        (double)sv_histogram_quantile(&helped.latency_ns, 0.5) / 1e6,
        (double)sv_histogram_quantile(&alone.latency_ns, 0.5) / 1e6,
        (double)sv_histogram_quantile(&helped.latency_ns, 0.99) / 1e6,
        (double)sv_histogram_quantile(&alone.latency_ns, 0.99) / 1e6);
    assert_true(helped.n_helped < helped.n_runs / 5);
    assert_true(sv_histogram_quantile(&helped.latency_ns, 0.99) <=
                sv_histogram_quantile(&alone.latency_ns, 0.99));
}

static void below_capacity_nobody_is_refused_or_forced_and_all_is_quick(void **state)
{
    struct sim_params p = everything(11, 600);
    struct sim_result r;

    (void)state;
    p.n_workers = 4;
    p.p_cancel = p.p_broken = 0;
    p.deadline_ns = 400 * MS;
    r = sim_run(&p);
    assert_int_equal(r.n_ok, p.n_arrivals);
    assert_int_equal(r.n_forced_rows, 0);
    assert_true(sv_histogram_quantile(&r.latency_ns, 0.99) < 30 * MS);
}

/* Four times more work than the workers can do, and the queue full all the time. */
static void overload_starves_no_priority(void **state)
{
    struct sim_params p = everything(5, 8000);
    struct sim_result r;

    (void)state;
    p.n_workers = 2;
    p.n_arrivals = 60000;
    p.p_deadline = p.p_cancel = p.p_broken = 0;
    r = sim_run(&p);
    assert_true(r.n_refused > p.n_arrivals / 4);
    for (unsigned i = 1; i <= 8; i++)
        assert_in_range(r.worst_ns[i], 1, 8500 * MS);
    assert_true(r.worst_ns[1] < r.worst_ns[8]);
}

static void a_flood_for_one_model_does_not_keep_the_other_waiting(void **state)
{
    struct sim_params p = everything(9, 6000);
    struct sim_result r;

    (void)state;
    p.n_workers = 2;
    p.max_rows = 5000;
    p.p_deadline = p.p_cancel = p.p_broken = 0;
    p.max_request_rows = 1;
    p.min_priority = p.max_priority = 4;
    p.models[0].share = 0.98;
    p.models[1].share = 0.02;
    r = sim_run(&p);
    assert_int_equal(r.n_ok, p.n_arrivals);
    assert_true(r.model_worst_ns[0] > 300 * MS);
    assert_true(r.model_worst_ns[1] < 30 * MS);
}

/* Deadlines far shorter than the queue: the workers must not spend themselves on work
 * that comes too late, or nothing would be in time. Useful answers a second at `load`
 * times what the workers can do when nothing holds them up. */
static double useful_per_second(double load, double p_stall)
{
    struct sim_params p = everything(13, load * 2800);
    struct sim_result r;

    p.n_models = 1;
    p.n_workers = 2;
    p.noise = 0.2;
    p.p_stall = p_stall;
    p.stall_ns = 20 * MS;
    p.max_rows = 1000;
    p.n_arrivals = 20000;
    p.max_request_rows = 1;
    p.p_deadline = 1;
    p.p_cancel = p.p_broken = 0;
    p.deadline_ns = 100 * MS;
    r = sim_run(&p);
    assert_true(r.latency_ns.max <= 151 * MS);
    return (double)r.n_ok * 1e9 / (double)r.end_ns;
}

static void overload_leaves_useful_work_near_its_peak(void **state)
{
    double peak = useful_per_second(1, 0);

    (void)state;
    assert_true(peak > 2500);
    assert_true(useful_per_second(2, 0) > 0.95 * peak);
    assert_true(useful_per_second(4, 0) > 0.95 * peak);
}

static void overload_on_a_disturbed_machine_is_no_worse(void **state)
{
    double peak = useful_per_second(0.6, 0.1);

    (void)state;
    assert_true(useful_per_second(1.2, 0.1) > 0.85 * peak);
}

static void regrouping_survivors_does_more_useful_work_than_whole_batches(void **state)
{
    struct sim_params p = everything(17, 3600);
    struct sim_result r[2];

    (void)state;
    p.n_models = 1;
    p.n_workers = 2;
    p.models[0].fixed_ns = 1000 * US;
    p.models[0].row_ns = 200 * US;
    p.n_arrivals = 20000;
    p.max_rows = 1000;
    p.max_request_rows = 1;
    p.p_deadline = 1;
    p.p_cancel = p.p_broken = 0;
    p.deadline_ns = 50 * MS;
    for (int i = 0; i < 2; i++) {
        p.whole_batches = i == 1;
        r[i] = sim_run(&p);
    }
    print_message("# answered in time: %llu regrouped, %llu in whole batches\n",
                  (unsigned long long)r[0].n_ok, (unsigned long long)r[1].n_ok);
    assert_true(r[0].n_ok > r[1].n_ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_row_is_lost_duplicated_or_mixed_under_random_streams),
        cmocka_unit_test(a_recorded_stream_keeps_the_rules_at_any_speed),
        cmocka_unit_test(the_same_events_give_the_same_decisions),
        cmocka_unit_test(requests_that_meet_nobody_take_their_service_time_only),
        cmocka_unit_test(idle_workers_make_lone_requests_faster),
        cmocka_unit_test(under_load_every_worker_runs_its_own_batches),
        cmocka_unit_test(below_capacity_nobody_is_refused_or_forced_and_all_is_quick),
        cmocka_unit_test(overload_starves_no_priority),
        cmocka_unit_test(a_flood_for_one_model_does_not_keep_the_other_waiting),
        cmocka_unit_test(overload_leaves_useful_work_near_its_peak),
        cmocka_unit_test(overload_on_a_disturbed_machine_is_no_worse),
        cmocka_unit_test(regrouping_survivors_does_more_useful_work_than_whole_batches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
