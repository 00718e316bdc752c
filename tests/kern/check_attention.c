#include "tests/kern/check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Random matrices whose rows lie apart, and what attention makes of them. */
struct heads {
    struct al_attention a;
    struct guarded q, k, v, want, scratch;
};

static double score(const struct al_attention *a, size_t i, size_t j)
{
    double sum = 0;

    for (size_t c = 0; c < a->n_features; c++)
        sum += (double)a->q[i * a->q_step + c] * (double)a->k[j * a->k_step + c];
    return (double)a->factor * sum;
}

/* Result `c` of query i. */
static double mixed(const struct al_attention *a, size_t i, size_t c)
{
    double top = -HUGE_VAL, sum = 0, result = 0;

    for (size_t j = 0; j < a->n_keys; j++)
        top = fmax(top, score(a, i, j));
    for (size_t j = 0; j < a->n_keys; j++) {
        const double e = exp(score(a, i, j) - top);
        sum += e;
        result += e * (double)a->v[j * a->v_step + c];
    }
    return result / sum;
}

static struct heads heads_new(size_t n_queries, size_t n_keys, size_t n_features,
                              size_t n_values)
{
    struct heads h = { .a = { .n_queries = n_queries,
                              .n_keys = n_keys,
                              .n_features = n_features,
                              .n_values = n_values,
                              .factor = 4.0F / sqrtf((float)n_features),
                              .q_step = n_features + 3,
                              .k_step = n_features + n_keys % 2,
                              .v_step = n_values + 5,
                              .y_step = n_values + n_queries % 3 } };

    h.q = guarded_random(n_queries * h.a.q_step - 3);
    h.k = guarded_random((n_keys - 1) * h.a.k_step + n_features);
    h.v = guarded_random((n_keys - 1) * h.a.v_step + n_values);
    h.want = guarded_new(n_queries * n_values);
    h.a.q = h.q.data;
    h.a.k = h.k.data;
    h.a.v = h.v.data;
    h.scratch = guarded_random(al_attention_floats(&h.a));
    for (size_t i = 0; i < n_queries; i++)
        for (size_t c = 0; c < n_values; c++)
            h.want.data[i * n_values + c] = (float)mixed(&h.a, i, c);
    return h;
}

static void heads_done(struct heads *h)
{
    guarded_free(&h->q);
    guarded_free(&h->k);
    guarded_free(&h->v);
    guarded_free(&h->want);
    guarded_free(&h->scratch);
}

/* The results of queries [first, first + n), one behind the other. */
static struct guarded attend(const struct al_kern *k, const struct heads *h, size_t first,
                             size_t n)
{
    struct al_attention a = h->a;
    struct guarded y = guarded_new((n - 1) * a.y_step + a.n_values);
    struct guarded rows = guarded_new(n * a.n_values);

    a.q += first * a.q_step;
    a.n_queries = n;
    a.y = y.data;
    k->attend(&a, h->scratch.data);
    for (size_t i = 0; i < n; i++)
        memcpy(rows.data + i * a.n_values, y.data + i * a.y_step,
               a.n_values * sizeof(float));
    guarded_free(&y);
    return rows;
}

static void check_heads(const struct al_kern *k, size_t n_queries, size_t n_keys,
                        size_t n_features, size_t n_values)
{
    struct heads h = heads_new(n_queries, n_keys, n_features, n_values);
    struct guarded all = attend(k, &h, 0, n_queries);

    check_near("attend", all.data, h.want.data, all.n, 2e-6F);
    for (size_t i = 0; i < n_queries; i += 5) {
        struct guarded one = attend(k, &h, i, 1);
        check_same_bits("attend", one.data, all.data + i * n_values, n_values);
        guarded_free(&one);
    }
    guarded_free(&all);
    heads_done(&h);
}

static void every_number_of_keys_is_right(void **unused)
{
    const struct al_kern *tables[2];
    const size_t n = check_tables(tables);

    (void)unused;
    for (size_t i = 0; i < n; i++)
        for (size_t keys = 1; keys <= 300; keys += keys < 40 ? 1 : 37)
            check_heads(tables[i], 1 + keys % 30, keys, 7, 5);
}

static void every_width_of_a_head_is_right(void **unused)
{
    const struct al_kern *tables[2];
    const size_t n = check_tables(tables);

    (void)unused;
    for (size_t i = 0; i < n; i++)
        for (size_t width = 1; width <= 100; width += width < 20 ? 1 : 16)
            check_heads(tables[i], 26, 21, width, 101 - width);
}

static void scores_of_any_size_do_not_overflow(void **unused)
{
    const struct al_kern *tables[2];
    const size_t n = check_tables(tables);

    (void)unused;
    for (size_t i = 0; i < n; i++) {
        struct heads h = heads_new(3, 20, 4, 6);
        h.a.factor = 1e4F;
        for (size_t j = 0; j < h.want.n; j++)
            h.want.data[j] = (float)mixed(&h.a, j / 6, j % 6);
        struct guarded y = attend(tables[i], &h, 0, 3);
        check_near("attend", y.data, h.want.data, y.n, 1e-2F);
        guarded_free(&y);
        heads_done(&h);
    }
}

int check_attention(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_of_keys_is_right),
        cmocka_unit_test(every_width_of_a_head_is_right),
        cmocka_unit_test(scores_of_any_size_do_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
