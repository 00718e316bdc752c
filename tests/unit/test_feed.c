#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/feed.h"

/* Pictures lie class by class: the last ones are another class than the first. */
static void picks_are_spread_over_the_whole_set(void **state)
{
    static const size_t counts[] = { 1000, 1001, 1500, 1999, 2000, 60000, 67108864 };
    const size_t n_rows = 1000;

    (void)state;
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        const size_t n = counts[c], gap = (n + n_rows - 1) / n_rows;

        assert_int_equal(tl_feed_pick(n, n_rows, 0), 0);
        for (size_t i = 1; i < n_rows; i++) {
            const size_t before = tl_feed_pick(n, n_rows, i - 1);
            const size_t at = tl_feed_pick(n, n_rows, i);

            assert_true(at > before && at - before <= gap);
        }
        assert_true(n - tl_feed_pick(n, n_rows, n_rows - 1) <= gap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_are_spread_over_the_whole_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
