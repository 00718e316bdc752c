#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/proto/json_doc.h"
#include "server/proto/json_numbers.h"

/* ---- numbers ---- */

static double scan(const char *text)
{
    const char *p = text, *end = text + strlen(text);
    double v = 0;

    assert_true(sv_json_number(&p, end, &v));
    assert_ptr_equal(p, end);
    return v;
}

static void assert_same_bits(const char *text)
{
    double ours = scan(text), theirs = strtod(text, NULL);

    assert_memory_equal(&ours, &theirs, sizeof(ours));
}

static void numbers_are_the_nearest_doubles(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "1",
        "0.1",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "123456789",
        "9007199254740993",
        "1e400",
        "1e-400",
        "4.9e-324",
        "0.30000000000000004",
        "2.2250738585072011e-308",
        "179769313486231580793e289",
        "0.000000000000000000000000000000000000000000000000001",
        "12345678901234567890123456789",
        "1.7976931348623157e308"
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_same_bits(texts[i]);
}

static void print(char *text, size_t size, int notation, double v)
{
    if (notation == 0)
        (void)snprintf(text, size, "%.17g", v);
    else if (notation == 1)
        (void)snprintf(text, size, "%.9g", v);
    else if (notation == 2)
        (void)snprintf(text, size, "%.3f", v);
    else if (notation == 3)
        (void)snprintf(text, size, "%e", v);
    else
        (void)snprintf(text, size, "%.25g", v);
}

static void random_numbers_of_every_notation_are_the_nearest_doubles(void **state)
{
    uint64_t x = 88172645463325252U;
    char text[400];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double v;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(&v, &x, sizeof(v));
        if (i % 2)
            v = (double)(int64_t)x / 1e15;
        if (!isfinite(v) || (fabs(v) > 1e100 && i % 5 == 2))
            continue;
        print(text, sizeof(text), i % 5, v);
        assert_same_bits(text);
    }
}

static void what_json_does_not_allow_is_no_number(void **state)
{
    static const char *const texts[] = { "",   "-",   "01",  "+1",  ".5", "1.",
                                         "1e", "1e+", "nan", "--1", "inf" };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *p = texts[i], *end = p + strlen(p);
        double v;

        assert_false(sv_json_number(&p, end, &v) && p == end);
    }
}

struct sum {
    size_t n;
    double total;
};

static enum al_status add_up(void *arg, const double *v, size_t n, struct al_error *err)
{
    struct sum *s = arg;

    for (size_t i = 0; i < n; i++)
        s->total += v[i];
    s->n += n;
    return s->n > 1000 ? al_fail(err, AL_TOO_LARGE, "more than 1000") : AL_OK;
}

static enum al_status sum_of(const char *text, struct sum *ret)
{
    const struct sv_json_sink sink = { add_up, ret };
    struct al_error err;

    *ret = (struct sum){ 0 };
    return sv_json_numbers(text, strlen(text), &sink, &err);
}

static void nested_arrays_are_flattened_in_order(void **state)
{
    struct sum s;

    (void)state;
    assert_int_equal(sum_of("[[1, 2],[ [3.5],true ] , false,[]]", &s), AL_OK);
    assert_int_equal(s.n, 5);
    assert_true(fabs(s.total - 7.5) < 1e-12);
}

static void malformed_arrays_are_refused(void **state)
{
    static const char *const texts[] = { "[1,]",  "[,1]",   "[1 2]", "[1",
                                         "[[1]",  "[1,,2]", "1",     "]",
                                         "[tru]", "[1][",   "[-]" };
    struct sum s;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(texts[i], "[1][") != 0) /* what follows is the caller's affair */
            assert_int_equal(sum_of(texts[i], &s), AL_INVALID);
}

static void the_sink_can_end_the_scan(void **state)
{
    char *text = calloc(1, 8192);
    struct sum s;

    (void)state;
    memset(text, '[', 1);
    for (int i = 1; i < 6000; i += 2)
        memcpy(text + i, "1,", 2);
    memcpy(text + 6001, "1]", 2);
    assert_int_equal(sum_of(text, &s), AL_TOO_LARGE);
    free(text);
}

/* ---- documents ---- */

static enum al_status read(const char *text, struct sv_json_doc *doc)
{
    const struct sv_json_limits limits = { .max_depth = 10, .max_values = 20 };
    struct al_error err;

    return sv_json_doc_read(text, strlen(text), &limits, doc, &err);
}

static void arrays_of_numbers_stay_in_the_text(void **state)
{
    struct sv_json_doc doc;
    const struct sv_json_span *span;
    json_t *input;

    (void)state;
    assert_int_equal(
        read("{\"inputs\":[{\"shape\":[2],\"data\" : [[1],[2]]}],\"k\":\"[\"}", &doc),
        AL_OK);
    input = json_array_get(json_object_get(doc.root, "inputs"), 0);
    span = sv_json_doc_span(&doc, json_object_get(input, "data"));
    assert_non_null(span);
    assert_int_equal(span->size, 9);
    assert_memory_equal(span->text, "[[1],[2]]", 9);
    assert_null(sv_json_doc_span(&doc, json_object_get(input, "shape")));
    assert_string_equal(json_string_value(json_object_get(doc.root, "k")), "[");
    sv_json_doc_done(&doc);
}

static void arrays_of_strings_become_values(void **state)
{
    struct sv_json_doc doc;

    (void)state;
    assert_int_equal(read("{\"data\":[\"a\",\"b\"]}", &doc), AL_OK);
    assert_int_equal(json_array_size(json_object_get(doc.root, "data")), 2);
    sv_json_doc_done(&doc);
}

static void deep_nesting_is_refused_wherever_it_is(void **state)
{
    struct sv_json_doc doc;

    (void)state;
    assert_int_equal(read("{\"a\":[[[[[[[[[[1]]]]]]]]]]}", &doc), AL_INVALID);
    sv_json_doc_done(&doc);
    assert_int_equal(read("{\"data\":[[[[[[[[[[1]]]]]]]]]]}", &doc), AL_INVALID);
    sv_json_doc_done(&doc);
    assert_int_equal(read("{\"data\":[[[[[[[[[1]]]]]]]]]}", &doc), AL_OK);
    sv_json_doc_done(&doc);
}

static void values_are_bounded_but_not_numbers_in_arrays(void **state)
{
    struct sv_json_doc doc;

    (void)state;
    assert_int_equal(read("{\"a\":[1,2,3,4,5,6,7,8,9,{},{},[],[],{}]}", &doc), AL_OK);
    sv_json_doc_done(&doc);
    assert_int_equal(read("{\"a\":[{},{},{},{},{},{},{},{},{},{}]}", &doc), AL_TOO_LARGE);
    sv_json_doc_done(&doc);
    assert_int_equal(read("{\"a\":1,\"data\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,"
                          "18,19,20,[21],[22],[23],[24]]}",
                          &doc),
                     AL_OK);
    sv_json_doc_done(&doc);
}

static void malformed_documents_are_refused(void **state)
{
    static const char *const texts[] = {
        "",    "[]",     "{",   "{\"a\":}", "{\"a\":1,\"a\":2}", "\"", "{\"data\":[1,2}",
        "{}}", "{\"a\\", "nul",
    };
    struct sv_json_doc doc;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(read(texts[i], &doc), AL_INVALID);
        sv_json_doc_done(&doc);
    }
}

static void a_forged_mark_refers_to_nothing_else(void **state)
{
    struct sv_json_doc doc;

    (void)state;
    assert_int_equal(read("{\"data\":\"\\u00013\"}", &doc), AL_OK);
    assert_null(sv_json_doc_span(&doc, json_object_get(doc.root, "data")));
    sv_json_doc_done(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_the_nearest_doubles),
        cmocka_unit_test(random_numbers_of_every_notation_are_the_nearest_doubles),
        cmocka_unit_test(what_json_does_not_allow_is_no_number),
        cmocka_unit_test(nested_arrays_are_flattened_in_order),
        cmocka_unit_test(malformed_arrays_are_refused),
        cmocka_unit_test(the_sink_can_end_the_scan),
        cmocka_unit_test(arrays_of_numbers_stay_in_the_text),
        cmocka_unit_test(arrays_of_strings_become_values),
        cmocka_unit_test(deep_nesting_is_refused_wherever_it_is),
        cmocka_unit_test(values_are_bounded_but_not_numbers_in_arrays),
        cmocka_unit_test(malformed_documents_are_refused),
        cmocka_unit_test(a_forged_mark_refers_to_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
