#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/proto/base64.h"
#include "server/proto/multipart.h"
#include "server/proto/text.h"
#include "server/proto/zip.h"

/* ---- text ---- */

static void assert_text(struct sv_text *t, const char *expected)
{
    assert_false(t->failed);
    assert_int_equal(t->size, strlen(expected));
    assert_memory_equal(t->data, expected, t->size);
    sv_text_done(t);
}

static void json_strings_are_escaped_and_always_utf8(void **state)
{
    struct sv_text t = { 0 };

    (void)state;
    sv_text_json(&t, "a\"\\\n\1\xc3\xa4", 7);
    assert_text(&t, "\"a\\\"\\\\\\n\\u0001\xc3\xa4\"");
    sv_text_json(&t, "\xff\xc3(\xe0\x80\x80\xed\xa0\x80", 9);
    assert_text(&t, "\"\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"");
    sv_text_json(&t, "\xf0\x9f\x9a", 3);
    assert_text(&t, "\"\\ufffd\\ufffd\\ufffd\"");
}

static void numbers_that_json_cannot_say_become_null(void **state)
{
    struct sv_text t = { 0 };

    (void)state;
    sv_text_number(&t, (double)NAN, 9);
    sv_text_number(&t, (double)INFINITY, 9);
    sv_text_number(&t, 0.25, 9);
    assert_text(&t, "nullnull0.25");
}

static void text_grows_past_any_size(void **state)
{
    struct sv_text t = { 0 };

    (void)state;
    for (int i = 0; i < 1000; i++)
        sv_text_printf(&t, "%0300d", i);
    sv_text_u64(&t, UINT64_MAX);
    assert_int_equal(t.size, 300020);
    assert_memory_equal(t.data + 300000, "18446744073709551615", 20);
    sv_text_done(&t);
}

/* ---- base64 ---- */

static void base64_is_decoded(void **state)
{
    uint8_t out[SV_BASE64_BYTES(8)];
    size_t n;

    (void)state;
    assert_true(sv_base64_decode("Zm9vYg==", 8, out, &n));
    assert_int_equal(n, 4);
    assert_memory_equal(out, "foob", 4);
    assert_true(sv_base64_decode("_-8", 3, out, &n));
    assert_int_equal(n, 2);
    assert_memory_equal(out, "\xff\xef", 2);
    assert_false(sv_base64_decode("Zm9 ", 4, out, &n));
    assert_false(sv_base64_decode("A", 1, out, &n));
    assert_true(sv_base64_decode("", 0, out, &n));
    assert_int_equal(n, 0);
}

/* ---- multipart ---- */

#define TYPE "multipart/form-data; boundary=xx"

static size_t parts_of(const char *type, const char *body, size_t size)
{
    struct sv_multipart m;
    struct al_error err;
    size_t n = 0;

    if (sv_multipart_init(&m, type, body, size, &err) != AL_OK)
        return SIZE_MAX;
    return sv_multipart_count(m, 3, &n, &err) == AL_OK ? n : SIZE_MAX - 1;
}

static void parts_are_found_and_headers_left_out(void **state)
{
    static const char body[] = "--xx\r\nA: b\r\n\r\none\r\n--xx\r\n\r\n\r\n--xx--\r\n";
    struct sv_multipart m;
    struct al_error err;
    const char *part;
    size_t size;

    (void)state;
    assert_int_equal(sv_multipart_init(&m, TYPE, body, sizeof(body) - 1, &err), AL_OK);
    assert_true(sv_multipart_next(&m, &part, &size));
    assert_int_equal(size, 3);
    assert_memory_equal(part, "one", 3);
    assert_true(sv_multipart_next(&m, &part, &size));
    assert_int_equal(size, 0);
    assert_false(sv_multipart_next(&m, &part, &size));
    assert_int_equal(parts_of("multipart/x; boundary=\"xx\"", body, sizeof(body) - 1), 2);
}

static void a_body_cut_anywhere_is_refused(void **state)
{
    static const char body[] = "pre\r\n--xx\r\n\r\none\r\n--xx\r\n\r\ntwo\r\n--xx--";

    (void)state;
    for (size_t n = 0; n < sizeof(body); n++) {
        char *copy = malloc(n + 1); /* exact, so that a sanitizer sees reads past it */
        size_t parts;

        memcpy(copy, body, n);
        parts = parts_of(TYPE, copy, n);
        if (n < sizeof(body) - 1)
            assert_true(parts >= SIZE_MAX - 1);
        else
            assert_int_equal(parts, 2);
        free(copy);
    }
}

static void too_many_parts_and_bad_boundaries_are_refused(void **state)
{
    static const char body[] =
        "--xx\r\n\r\n1\r\n--xx\r\n\r\n2\r\n--xx\r\n\r\n3\r\n--xx\r\n\r\n4"
        "\r\n--xx--";

    (void)state;
    assert_int_equal(parts_of(TYPE, body, sizeof(body) - 1), SIZE_MAX - 1);
    assert_int_equal(parts_of("multipart/form-data", body, sizeof(body) - 1), SIZE_MAX);
    assert_int_equal(parts_of("multipart/x; boundary=", body, sizeof(body) - 1),
                     SIZE_MAX);
    assert_int_equal(parts_of("multipart/x; boundary=yy", body, sizeof(body) - 1),
                     SIZE_MAX);
}

/* ---- Accept-Encoding ---- */

static void gzip_is_accepted_unless_its_own_weight_is_zero(void **state)
{
    (void)state;
    assert_true(sv_accepts_gzip("gzip"));
    assert_true(sv_accepts_gzip("deflate, GZIP;q=0.5, br;q=0"));
    assert_true(sv_accepts_gzip("gzip, br;q=0"));
    assert_true(sv_accepts_gzip("br;q=0, gzip"));
    assert_false(sv_accepts_gzip("gzip; q=0"));
    assert_false(sv_accepts_gzip("gzip;q=0.000, br;q=1"));
    assert_false(sv_accepts_gzip("br"));
    assert_false(sv_accepts_gzip(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_strings_are_escaped_and_always_utf8),
        cmocka_unit_test(numbers_that_json_cannot_say_become_null),
        cmocka_unit_test(text_grows_past_any_size),
        cmocka_unit_test(base64_is_decoded),
        cmocka_unit_test(parts_are_found_and_headers_left_out),
        cmocka_unit_test(a_body_cut_anywhere_is_refused),
        cmocka_unit_test(too_many_parts_and_bad_boundaries_are_refused),
        cmocka_unit_test(gzip_is_accepted_unless_its_own_weight_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
