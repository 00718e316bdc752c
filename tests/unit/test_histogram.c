#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/core/histogram.h"
#include "server/core/rate.h"

static const uint64_t second = 1000000000;

static void every_bucket_begins_where_the_last_one_ends(void **state)
{
    (void)state;
    for (size_t i = 1; i < SV_HISTOGRAM_BUCKETS; i++) {
        uint64_t lower = sv_histogram_lower(i);
        assert_int_equal(sv_histogram_bucket(lower), i);
        assert_int_equal(sv_histogram_bucket(lower - 1), i - 1);
    }
    assert_int_equal(sv_histogram_bucket(0), 0);
    assert_int_equal(sv_histogram_bucket(UINT64_MAX), SV_HISTOGRAM_BUCKETS - 1);
}

static void small_values_are_exact_and_large_ones_within_a_sixteenth(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < 32; v++)
        assert_int_equal(sv_histogram_lower(sv_histogram_bucket(v)), v);
    for (uint64_t v = 33; v < (uint64_t)1 << 39; v = v * 9 / 8 + 1) {
        size_t i = sv_histogram_bucket(v);
        uint64_t width = sv_histogram_lower(i + 1) - sv_histogram_lower(i);
        assert_true(width * 16 <= v);
    }
}

static void quantiles_bracket_the_values(void **state)
{
    struct sv_histogram h = { 0 };

    (void)state;
    assert_int_equal(sv_histogram_quantile(&h, 0.5), 0);
    for (uint64_t v = 1; v <= 1000; v++)
        sv_histogram_add(&h, v * 1000, 1);
    assert_int_equal(h.count, 1000);
    assert_int_equal(h.sum, 500500000);
    assert_in_range(sv_histogram_quantile(&h, 0.5), 500000, 532000);
    assert_in_range(sv_histogram_quantile(&h, 0.99), 990000, 1000000);
    assert_int_equal(sv_histogram_quantile(&h, 1), 1000000);
    assert_in_range(sv_histogram_quantile(&h, 0), 1000, 1063);
}

static void one_value_is_every_quantile(void **state)
{
    struct sv_histogram h = { 0 };

    (void)state;
    sv_histogram_add(&h, 123456789, 3);
    assert_int_equal(sv_histogram_quantile(&h, 0), 123456789);
    assert_int_equal(sv_histogram_quantile(&h, 0.5), 123456789);
    assert_int_equal(sv_histogram_quantile(&h, 0.999), 123456789);
}

static void counts_up_to_a_value_never_fall_and_end_at_all(void **state)
{
    struct sv_histogram h = { 0 };
    struct sv_histogram_walk walk = { 0 };
    uint64_t last = 0;

    (void)state;
    for (uint64_t v = 1; v < (uint64_t)1 << 50; v *= 3)
        sv_histogram_add(&h, v, 2);
    for (uint64_t v = 1; v < (uint64_t)1 << 51; v = v * 5 / 4 + 1) {
        struct sv_histogram_walk from_below = { 0 };
        uint64_t n = sv_histogram_upto(&h, &walk, v);
        assert_true(n >= last);
        assert_int_equal(n, sv_histogram_upto(&h, &from_below, v));
        last = n;
    }
    assert_int_equal(last, h.count);
}

static void a_rate_is_the_mean_over_whole_seconds(void **state)
{
    struct sv_rate r = { 0 };

    (void)state;
    for (uint64_t s = 100; s < 200; s++)
        sv_rate_add(&r, s * second + second / 2, s < 195 ? 10 : 30);
    assert_float_equal(sv_rate_per_second(&r, 200 * second, 1), 30, 1e-6);
    assert_float_equal(sv_rate_per_second(&r, 200 * second, 10), 20, 1e-6);
    assert_float_equal(sv_rate_per_second(&r, 200 * second + 999, 60), 700 / 60.0F, 1e-6);
    assert_float_equal(sv_rate_per_second(&r, 202 * second, 1), 0, 1e-6);
    assert_float_equal(sv_rate_per_second(&r, 900 * second, 60), 0, 1e-6);
}

static void the_running_second_does_not_count_yet(void **state)
{
    struct sv_rate r = { 0 };

    (void)state;
    sv_rate_add(&r, 0, 5);
    assert_float_equal(sv_rate_per_second(&r, second - 1, 1), 0, 1e-6);
    assert_float_equal(sv_rate_per_second(&r, second, 1), 5, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bucket_begins_where_the_last_one_ends),
        cmocka_unit_test(small_values_are_exact_and_large_ones_within_a_sixteenth),
        cmocka_unit_test(quantiles_bracket_the_values),
        cmocka_unit_test(one_value_is_every_quantile),
        cmocka_unit_test(counts_up_to_a_value_never_fall_and_end_at_all),
        cmocka_unit_test(a_rate_is_the_mean_over_whole_seconds),
        cmocka_unit_test(the_running_second_does_not_count_yet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
