#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "server/proto/text.h"

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void assert_as_printf(double v, int digits)
{
    struct sv_text t = { 0 };
    char expected[64];

    (void)snprintf(expected, sizeof(expected), "%.*g", digits, v);
    sv_text_number(&t, v, digits);
    sv_text_bytes(&t, "", 1);
    assert_false(t.failed);
    assert_string_equal(t.data, expected);
    sv_text_done(&t);
}

static void numbers_at_the_edges_are_as_printf_writes_them(void **state)
{
    const double values[] = { 0,
                              1,
                              9,
                              10,
                              0.1,
                              0.5,
                              0.25,
                              1e-4,
                              9.9999e-5,
                              0.99999999999,
                              9.5,
                              99999.5,
                              1e8,
                              1e9,
                              1e15,
                              1e16,
                              1e17,
                              1e22,
                              1e-10,
                              1e-11,
                              1e-12,
                              1e-300,
                              5e-324,
                              1e300,
                              0.125,
                              2.5,
                              1.5e-5,
                              123456789,
                              999999999.5,
                              1.0 / 3,
                              4503599627370496.5,
                              9007199254740993.0 };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        for (int digits = 0; digits <= 18; digits++) {
            assert_as_printf(values[i], digits);
            assert_as_printf(-values[i], digits);
            assert_as_printf(nextafter(values[i], (double)INFINITY), digits);
            assert_as_printf(nextafter(values[i], 0), digits);
        }
}

static void powers_of_ten_and_their_neighbours_are_as_printf_writes_them(void **state)
{
    (void)state;
    for (int power = -40; power <= 40; power++)
        for (int digits = 1; digits <= 17; digits++) {
            double v = pow(10, power);

            assert_as_printf(v, digits);
            assert_as_printf(nextafter(v, 0), digits);
            assert_as_printf(nextafter(v, (double)INFINITY), digits);
        }
}

static void random_numbers_are_as_printf_writes_them(void **state)
{
    uint64_t random = 88172645463325252U;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        double fraction = (double)(next_random(&random) >> 11) * 0x1p-53;
        int shift = (int)(next_random(&random) % 80) - 60;

        assert_as_printf((double)(float)fraction, 9);
        assert_as_printf(ldexp(fraction, shift), 1 + i % 17);
    }
}

/* Halves of the last digit: sums of few powers of two. */
static void ties_are_rounded_to_even(void **state)
{
    (void)state;
    for (int i = 1; i < 4096; i++)
        for (int digits = 1; digits <= 9; digits++)
            assert_as_printf(i / 64.0, digits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_at_the_edges_are_as_printf_writes_them),
        cmocka_unit_test(powers_of_ten_and_their_neighbours_are_as_printf_writes_them),
        cmocka_unit_test(random_numbers_are_as_printf_writes_them),
        cmocka_unit_test(ties_are_rounded_to_even),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
