#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/core/cost.h"

static void observe(struct sv_cost *c, uint64_t fixed, uint64_t row, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        size_t b = (size_t)(i % 7) + 1;
        sv_cost_observe(c, b, fixed + row * b);
    }
}

static void nothing_seen_costs_nothing(void **state)
{
    struct sv_cost c = { 0 };

    (void)state;
    assert_int_equal(sv_cost_ns(&c, 10), 0);
    assert_int_equal(sv_cost_worthwhile(&c, 32), 1);
    assert_int_equal(sv_cost_rows_within(&c, 0), SIZE_MAX);
}

static void the_line_is_found(void **state)
{
    struct sv_cost c = { 0 };

    (void)state;
    observe(&c, 1000, 100, 100);
    assert_true(fabs(c.fixed_ns - 1000) < 1);
    assert_true(fabs(c.row_ns - 100) < 1);
    assert_in_range(sv_cost_worthwhile(&c, 64), 30, 31);
    assert_int_equal(sv_cost_worthwhile(&c, 8), 8);
    assert_int_equal(sv_cost_rows_within(&c, 2050), 10);
    assert_int_equal(sv_cost_rows_within(&c, 10), 1);
}

static void equal_batches_are_all_row_cost_at_first(void **state)
{
    struct sv_cost c = { 0 };

    (void)state;
    for (int i = 0; i < 10; i++)
        sv_cost_observe(&c, 4, 4000);
    assert_int_equal(sv_cost_ns(&c, 4), 4000);
    assert_int_equal(sv_cost_ns(&c, 1), 1000);
    assert_int_equal(sv_cost_worthwhile(&c, 32), 1);
}

static void the_estimate_follows_a_change(void **state)
{
    struct sv_cost c = { 0 };

    (void)state;
    observe(&c, 1000, 100, 100);
    observe(&c, 50, 500, 300);
    assert_true(fabs(c.fixed_ns - 50) < 5);
    assert_true(fabs(c.row_ns - 500) < 5);
}

static void neither_part_is_ever_negative(void **state)
{
    struct sv_cost c = { 0 };

    (void)state;
    for (int i = 0; i < 50; i++) { /* larger batches took less: no line with c >= 0 */
        size_t b = (size_t)(i % 5) + 1;
        sv_cost_observe(&c, b, 1000 - 100 * b);
        assert_true(c.fixed_ns >= 0 && c.row_ns >= 0);
    }
    assert_in_range(sv_cost_worthwhile(&c, 32), 1, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_seen_costs_nothing),
        cmocka_unit_test(the_line_is_found),
        cmocka_unit_test(equal_batches_are_all_row_cost_at_first),
        cmocka_unit_test(the_estimate_follows_a_change),
        cmocka_unit_test(neither_part_is_ever_negative),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
