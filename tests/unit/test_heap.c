#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/core/heap.h"

#define N 500

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void the_smallest_key_comes_out_first(void **state)
{
    static struct sv_heap_node nodes[N];
    struct sv_heap h = { 0 };
    uint32_t random = 1;
    uint64_t last = 0;

    (void)state;
    for (size_t i = 0; i < N; i++)
        sv_heap_push(&h, &nodes[i], next_random(&random) % 100);
    for (size_t i = 0; i < N; i++) {
        uint64_t key = h.root->key;
        assert_true(key >= last);
        last = key;
        sv_heap_remove(&h, h.root);
    }
    assert_null(h.root);
    assert_int_equal(h.n, 0);
}

static void equal_keys_come_out_in_the_order_they_came(void **state)
{
    static struct sv_heap_node nodes[N];
    struct sv_heap h = { 0 };

    (void)state;
    for (size_t i = 0; i < N; i++)
        sv_heap_push(&h, &nodes[i], 7);
    for (size_t i = 0; i < N; i++) {
        assert_ptr_equal(h.root, &nodes[i]);
        sv_heap_remove(&h, h.root);
    }
}

/* Against a plain array: random pushes, pops and removals from anywhere. */
static void removals_leave_the_others_in_order(void **state)
{
    static struct sv_heap_node nodes[N];
    static uint64_t keys[N];
    struct sv_heap h = { 0 };
    uint32_t random = 42;
    size_t n = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t i = next_random(&random) % N;
        if (nodes[i].queued) {
            sv_heap_remove(&h, &nodes[i]);
            n--;
        } else {
            keys[i] = next_random(&random) % 50;
            sv_heap_push(&h, &nodes[i], keys[i]);
            n++;
        }
        assert_int_equal(h.n, n);
        if (round % 50 == 0 && n > 0) {
            uint64_t least = UINT64_MAX;
            size_t n_seen = 0;
            for (const struct sv_heap_node *p = h.root; p; p = sv_heap_next(p))
                n_seen += p->queued && p >= nodes && p < nodes + N;
            assert_int_equal(n_seen, n);
            for (size_t k = 0; k < N; k++)
                if (nodes[k].queued && keys[k] < least)
                    least = keys[k];
            assert_int_equal(h.root->key, least);
        }
    }
}

static void removing_what_is_not_queued_does_nothing(void **state)
{
    struct sv_heap_node in, out = { 0 };
    struct sv_heap h = { 0 };

    (void)state;
    sv_heap_push(&h, &in, 1);
    sv_heap_remove(&h, &out);
    assert_int_equal(h.n, 1);
    sv_heap_remove(&h, &in);
    sv_heap_remove(&h, &in);
    assert_int_equal(h.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_key_comes_out_first),
        cmocka_unit_test(equal_keys_come_out_in_the_order_they_came),
        cmocka_unit_test(removals_leave_the_others_in_order),
        cmocka_unit_test(removing_what_is_not_queued_does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
