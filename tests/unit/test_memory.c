#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/exec/memory.h"

static bool clash(const struct al_span *a, const struct al_span *b)
{
    return a->first <= b->last && b->first <= a->last &&
           a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static void spans_alive_together_never_overlap(void **state)
{
    struct al_span spans[200];
    uint32_t seed = 7;
    size_t bytes;
    size_t all = 0;

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        seed = seed * 1664525U + 1013904223U;
        spans[i] = (struct al_span){ .bytes = seed >> 20,
                                     .first = (uint32_t)i,
                                     .last = (uint32_t)i + (seed >> 8) % 9 };
        all += spans[i].bytes;
    }
    assert_int_equal(al_memory_place(spans, 200, &bytes, NULL), AL_OK);
    assert_true(bytes < all / 4);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(spans[i].offset % AL_MEMORY_ALIGN, 0);
        assert_true(spans[i].offset + spans[i].bytes <= bytes);
        for (size_t k = 0; k < i; k++)
            assert_false(clash(&spans[i], &spans[k]));
    }
}

static void a_chain_needs_two_buffers(void **state)
{
    struct al_span spans[50];
    size_t bytes;

    (void)state;
    for (uint32_t i = 0; i < 50; i++)
        spans[i] = (struct al_span){ .bytes = 640, .first = i, .last = i + 1 };
    assert_int_equal(al_memory_place(spans, 50, &bytes, NULL), AL_OK);
    assert_int_equal(bytes, 1280);
}

static void nothing_needs_nothing(void **state)
{
    size_t bytes = 1;

    (void)state;
    assert_int_equal(al_memory_place(NULL, 0, &bytes, NULL), AL_OK);
    assert_int_equal(bytes, 0);
}

static void an_overflow_is_refused(void **state)
{
    struct al_span spans[2] = { { .bytes = SIZE_MAX - 4096 }, { .bytes = 8192 } };
    size_t bytes;

    (void)state;
    assert_int_equal(al_memory_place(spans, 2, &bytes, NULL), AL_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_alive_together_never_overlap),
        cmocka_unit_test(a_chain_needs_two_buffers),
        cmocka_unit_test(nothing_needs_nothing),
        cmocka_unit_test(an_overflow_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
