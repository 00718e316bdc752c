#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/reader.h"
#include "engine/base/tensor.h"

static void a_shape_counts_its_elements(void **state)
{
    struct al_shape s = { .rank = 3, .dims = { 2, 3, 4 } };
    size_t n = 0;

    (void)state;
    assert_int_equal(al_shape_count(&s, 4, &n, NULL), AL_OK);
    assert_int_equal(n, 24);
}

static void negative_and_overflowing_dims_are_refused(void **state)
{
    struct al_shape negative = { .rank = 2, .dims = { 2, -7 } };
    struct al_shape huge = { .rank = 3, .dims = { INT64_MAX, INT64_MAX, 2 } };
    struct al_error err;
    size_t n = 0;

    (void)state;
    assert_int_equal(al_shape_count(&negative, 4, &n, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "-7"));
    assert_int_equal(al_shape_count(&huge, 4, &n, &err), AL_TOO_LARGE);
    huge = (struct al_shape){ .rank = 1, .dims = { INT64_MAX } };
    assert_int_equal(al_shape_count(&huge, 8, &n, &err), AL_TOO_LARGE);
}

static void a_shape_prints_within_its_buffer(void **state)
{
    struct al_shape s = { .rank = 3, .dims = { 1, 28, -1 } };
    char buf[32];
    char small[4];

    (void)state;
    assert_string_equal(al_shape_text(&s, buf, sizeof(buf)), "[1,28,-1]");
    assert_string_equal(al_shape_text(&s, small, sizeof(small)), "[1,");
    s.rank = 0;
    assert_string_equal(al_shape_text(&s, buf, sizeof(buf)), "[]");
}

static void every_type_is_found_by_its_codes(void **state)
{
    (void)state;
    for (int t = AL_NO_DTYPE + 1; t < AL_N_DTYPES; t++)
        assert_int_equal(al_dtype_of_oip(al_dtype_oip((enum al_dtype)t)), t);
    assert_int_equal(al_dtype_of_onnx(1), AL_F32);
    assert_int_equal(al_dtype_of_onnx(8), AL_NO_DTYPE);
    assert_int_equal(al_dtype_of_oip("FP31"), AL_NO_DTYPE);
}

static void a_reader_stops_at_the_end(void **state)
{
    const uint8_t bytes[] = { 1, 2, 3, 4, 5 };
    struct al_reader r = al_reader_of(bytes, sizeof(bytes));
    uint32_t v = 0;
    uint16_t w = 0;

    (void)state;
    assert_true(al_reader_u32(&r, &v));
    assert_int_equal(v, 0x04030201);
    assert_false(al_reader_u16(&r, &w));
    assert_int_equal(al_reader_left(&r), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shape_counts_its_elements),
        cmocka_unit_test(negative_and_overflowing_dims_are_refused),
        cmocka_unit_test(a_shape_prints_within_its_buffer),
        cmocka_unit_test(every_type_is_found_by_its_codes),
        cmocka_unit_test(a_reader_stops_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
