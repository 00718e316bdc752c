#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "server/app/crew.h"

enum {
    N_ITEMS = 64,
    N_HELPERS = 3
};

/* A crew with helpers that come back for every run, sleeping in between. */
struct scene {
    struct sv_crew crew;
    pthread_t helpers[N_HELPERS];
    pthread_mutex_t mutex; /* guards nothing: helpers sleep by it */
    pthread_cond_t wake;
    atomic_bool leave, stop;

    unsigned done[N_ITEMS]; /* plain: each item is one worker's alone */
    atomic_int inside[N_HELPERS + 1];
    atomic_int overlaps;
    atomic_size_t by_helpers;
};

static void wake(void *arg)
{
    struct scene *s = arg;

    (void)pthread_mutex_lock(&s->mutex);
    (void)pthread_cond_broadcast(&s->wake);
    (void)pthread_mutex_unlock(&s->mutex);
}

static void rest(struct scene *s, uint64_t seen)
{
    (void)pthread_mutex_lock(&s->mutex);
    atomic_fetch_add(&s->crew.n_asleep, 1);
    if (!sv_crew_is_news(&s->crew, seen) && !atomic_load(&s->leave))
        (void)pthread_cond_wait(&s->wake, &s->mutex);
    atomic_fetch_sub(&s->crew.n_asleep, 1);
    (void)pthread_mutex_unlock(&s->mutex);
}

static void *helper(void *arg)
{
    struct scene *s = arg;
    uint64_t seen = 0;

    while (!atomic_load(&s->stop)) {
        if (sv_crew_help(&s->crew, &s->leave, &seen) == SV_CREW_QUIET)
            rest(s, seen);
        else
            (void)sched_yield();
    }
    return NULL;
}

static void start(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    sv_crew_init(&s->crew, wake, s);
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_cond_init(&s->wake, NULL);
    for (size_t i = 0; i < N_HELPERS; i++)
        assert_int_equal(pthread_create(&s->helpers[i], NULL, helper, s), 0);
}

static void stop(struct scene *s)
{
    atomic_store(&s->stop, true);
    atomic_store(&s->leave, true);
    wake(s);
    for (size_t i = 0; i < N_HELPERS; i++)
        (void)pthread_join(s->helpers[i], NULL);
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->mutex);
}

static void do_item(void *arg, size_t i, size_t worker)
{
    struct scene *s = arg;

    if (atomic_fetch_add(&s->inside[worker], 1) != 0)
        atomic_fetch_add(&s->overlaps, 1);
    s->done[i]++;
    atomic_fetch_add(&s->by_helpers, worker > 0);
    atomic_fetch_sub(&s->inside[worker], 1);
}

/* Holds the step open until a helper has come. */
static void wait_for_helper(void *arg, size_t i, size_t worker)
{
    struct scene *s = arg;

    do_item(arg, i, worker);
    while (worker == 0 && atomic_load(&s->by_helpers) == 0)
        (void)sched_yield();
}

static void every_item_is_done_once_before_run_returns(void **state)
{
    static struct scene s;

    (void)state;
    start(&s);
    for (unsigned run = 0; run < 20; run++) {
        sv_crew_open(&s.crew, 1 + run % N_HELPERS);
        for (size_t n = 0; n < N_ITEMS; n++) {
            memset(s.done, 0, sizeof(s.done));
            s.crew.team.run(&s.crew.team, n, do_item, &s);
            for (size_t i = 0; i < N_ITEMS; i++)
                assert_int_equal(s.done[i], i < n);
            for (size_t i = 2 + run % N_HELPERS; i <= N_HELPERS; i++)
                assert_int_equal(atomic_load(&s.inside[i]), 0);
        }
        (void)sv_crew_close(&s.crew);
    }
    assert_int_equal(atomic_load(&s.overlaps), 0);
    stop(&s);
}

static void helpers_that_sleep_get_up_for_the_next_step(void **state)
{
    static struct scene s;

    (void)state;
    start(&s);
    for (unsigned run = 0; run < 3; run++) {
        sv_crew_open(&s.crew, N_HELPERS);
        while (atomic_load(&s.crew.n_asleep) < N_HELPERS)
            (void)sched_yield();
        atomic_store(&s.by_helpers, 0);
        s.crew.team.run(&s.crew.team, 2, wait_for_helper, &s);
        assert_true(sv_crew_close(&s.crew));
    }
    stop(&s);
}

static void helpers_that_missed_a_step_may_sleep_all_the_same(void **state)
{
    static struct scene s;

    (void)state;
    start(&s);
    sv_crew_open(&s.crew, N_HELPERS);
    s.crew.team.run(&s.crew.team, 0, do_item, &s); /* too short for anybody */
    while (atomic_load(&s.crew.n_asleep) < N_HELPERS)
        (void)sched_yield();
    (void)sv_crew_close(&s.crew);
    stop(&s);
}

static void a_run_nobody_came_to_says_so(void **state)
{
    static struct scene s;

    (void)state;
    memset(&s, 0, sizeof(s));
    sv_crew_init(&s.crew, wake, &s);
    sv_crew_open(&s.crew, 2);
    s.crew.team.run(&s.crew.team, N_ITEMS, do_item, &s);
    assert_false(sv_crew_close(&s.crew));
    assert_int_equal(s.done[N_ITEMS - 1], 1);
}

static void set_leave(void *arg, size_t i, size_t worker)
{
    struct scene *s = arg;

    do_item(arg, i, worker);
    while (worker == 0 && atomic_load(&s->by_helpers) == 0)
        (void)sched_yield();
    atomic_store(&s->leave, true);
}

static void helpers_with_work_of_their_own_leave_in_the_middle_of_a_step(void **state)
{
    static struct scene s;

    (void)state;
    start(&s);
    sv_crew_open(&s.crew, N_HELPERS);
    s.crew.team.run(&s.crew.team, N_ITEMS, set_leave, &s);
    assert_in_range(atomic_load(&s.by_helpers), 1, N_HELPERS);
    assert_true(sv_crew_close(&s.crew));
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_done_once_before_run_returns),
        cmocka_unit_test(helpers_that_sleep_get_up_for_the_next_step),
        cmocka_unit_test(helpers_that_missed_a_step_may_sleep_all_the_same),
        cmocka_unit_test(a_run_nobody_came_to_says_so),
        cmocka_unit_test(helpers_with_work_of_their_own_leave_in_the_middle_of_a_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
