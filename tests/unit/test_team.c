#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>

#include "tools/team.h"

enum {
    N_ITEMS = 200,
    N_THREADS = 3
};

struct work {
    unsigned done[N_ITEMS]; /* plain: each item is one member's alone */
    atomic_int inside[N_THREADS];
    atomic_int overlaps;
};

static void do_item(void *arg, size_t i, size_t worker)
{
    struct work *w = arg;

    if (atomic_fetch_add(&w->inside[worker], 1) != 0)
        atomic_fetch_add(&w->overlaps, 1);
    w->done[i]++;
    atomic_fetch_sub(&w->inside[worker], 1);
}

static void every_item_is_done_once_before_run_returns(void **state)
{
    struct al_team *team = NULL;
    struct work w = { .overlaps = 0 };

    (void)state;
    assert_int_equal(tl_team_new(N_THREADS, &team, NULL), AL_OK);
    assert_int_equal(team->n_threads, N_THREADS);
    for (unsigned round = 1; round <= 200; round++) {
        const size_t n = round % N_ITEMS;

        memset(w.done, 0, sizeof(w.done));
        team->run(team, n, do_item, &w);
        for (size_t i = 0; i < N_ITEMS; i++)
            assert_int_equal(w.done[i], i < n);
    }
    assert_int_equal(w.overlaps, 0);
    tl_team_free(team);
}

static void a_team_may_be_freed_without_a_run(void **state)
{
    struct al_team *team = NULL;

    (void)state;
    assert_int_equal(tl_team_new(2, &team, NULL), AL_OK);
    tl_team_free(team);
    tl_team_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_done_once_before_run_returns),
        cmocka_unit_test(a_team_may_be_freed_without_a_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
