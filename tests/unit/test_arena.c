#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/arena.h"

static void blocks_are_aligned_and_zeroed(void **state)
{
    AL_CLEANUP(al_arena_freep) struct al_arena *a = al_arena_new(1 << 20);

    (void)state;
    assert_non_null(a);
    for (size_t n = 1; n < 5000; n += 777) {
        unsigned char *p = al_arena_alloc(a, n, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
    }
}

static void the_limit_and_overflow_give_null(void **state)
{
    AL_CLEANUP(al_arena_freep) struct al_arena *a = al_arena_new(1000);

    (void)state;
    assert_non_null(al_arena_alloc(a, 15, 64));
    assert_null(al_arena_alloc(a, 65, 1));
    assert_null(al_arena_alloc(a, SIZE_MAX / 2, 3));
    assert_null(al_arena_strndup(a, "x", SIZE_MAX));
    assert_int_equal(al_arena_used(a), 15 * 64);
}

static void a_copied_string_is_terminated(void **state)
{
    AL_CLEANUP(al_arena_freep) struct al_arena *a = al_arena_new(1000);

    (void)state;
    assert_string_equal(al_arena_strndup(a, "exit one", 4), "exit");
}

static void a_large_allocation_can_be_given_back(void **state)
{
    AL_CLEANUP(al_arena_freep) struct al_arena *a = al_arena_new(1 << 20);
    char *small = al_arena_alloc(a, 64, 1);
    char *large = al_arena_alloc(a, 800000, 1);

    (void)state;
    assert_null(al_arena_alloc(a, 800000, 1));
    al_arena_release(a, small); /* shares its block: stays */
    assert_int_equal(al_arena_used(a), 64 + 800000);
    al_arena_release(a, large);
    assert_int_equal(al_arena_used(a), 64);
    large = al_arena_alloc(a, 800000, 1);
    assert_non_null(large);
    large[799999] = 1;
    small[0] = 1;
    al_arena_release(a, NULL);
}

static void what_is_gathered_lies_side_by_side(void **state)
{
    AL_CLEANUP(al_arena_freep) struct al_arena *a = al_arena_new(16 << 20);
    char *before = al_arena_alloc(a, 100000, 1);

    (void)state;
    al_arena_gather(a, 1 << 20);
    char *first = al_arena_alloc(a, 100032, 1);
    char *second = al_arena_alloc(a, 200000, 1);
    char *larger = al_arena_alloc(a, 3 << 20, 1);

    assert_non_null(larger);
    assert_ptr_equal(second, first + 100032);
    al_arena_release(a, first); /* has no memory of its own */
    second[0] = larger[(3 << 20) - 1] = 1;
    al_arena_release(a, larger);
    assert_int_equal(al_arena_used(a), 100032 + 100032 + 200000 + (3 << 20));
    al_arena_release(a, before);
    assert_int_equal(al_arena_used(a), 100032 + 200000 + (3 << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_zeroed),
        cmocka_unit_test(the_limit_and_overflow_give_null),
        cmocka_unit_test(a_copied_string_is_terminated),
        cmocka_unit_test(a_large_allocation_can_be_given_back),
        cmocka_unit_test(what_is_gathered_lies_side_by_side),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
