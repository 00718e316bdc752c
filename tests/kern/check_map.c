#include "tests/kern/check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct al_halo some_halo(void)
{
    return (struct al_halo){ check_random_int(0, 2), check_random_int(0, 2),
                             check_random_int(0, 2), check_random_int(0, 2) };
}

static struct al_map some_map(int32_t c)
{
    return (struct al_map){ c, check_random_int(1, 6), check_random_int(1, 9),
                            some_halo() };
}

static size_t plain_floats(const struct al_map *m)
{
    return (size_t)m->c * (size_t)m->h * (size_t)m->w;
}

/* Calls `fn` for every table of the level and 1 to 40 channels. */
static void for_tables(void (*fn)(const struct al_kern *k, int32_t c))
{
    const struct al_kern *tables[2];
    const size_t n = check_tables(tables);

    assert_true(n >= 1);
    for (size_t i = 0; i < n; i++) {
        for (int32_t c = 1; c <= 40; c++)
            fn(tables[i], c);
    }
}

static void check_pack(const struct al_kern *k, int32_t c)
{
    const struct al_map m = some_map(c);
    struct guarded plain = guarded_random(plain_floats(&m));
    struct guarded blocked = guarded_random(al_map_floats(&m, k->block));
    struct guarded want = block_picture(&m, k->block, plain.data);
    struct guarded back = guarded_new(plain.n);

    k->pack(&m, plain.data, blocked.data);
    check_same_bits("pack", blocked.data, want.data, want.n);
    k->unpack(&m, blocked.data, back.data);
    check_same_bits("unpack", back.data, plain.data, plain.n);
    guarded_free(&plain);
    guarded_free(&blocked);
    guarded_free(&want);
    guarded_free(&back);
}

static void packing_and_unpacking_are_exact(void **unused)
{
    (void)unused;
    for_tables(check_pack);
}

/* One elementwise operation on random data against its definition. */
enum operation {
    ADD,
    MUL,
    ACTIVATE,
    AFFINE,
    AFFINE_NO_SHIFT,
    N_OPERATIONS
};

struct eltwise_case {
    struct al_map x, z, y;
    struct guarded plain_x, plain_z, scale, shift, want;
};

static float eltwise_want(enum operation op, const struct eltwise_case *e, size_t i)
{
    const size_t c = i / (size_t)(e->x.h * e->x.w);
    const float x = e->plain_x.data[i];

    switch (op) {
    case ADD:
        return x + e->plain_z.data[i];
    case MUL:
        return x * e->plain_z.data[i];
    case AFFINE:
        return x * e->scale.data[c] + e->shift.data[c];
    case AFFINE_NO_SHIFT:
        return x * e->scale.data[c];
    case ACTIVATE:
    case N_OPERATIONS:
        break;
    }
    return x;
}

static void eltwise_call(const struct al_kern *k, enum operation op,
                         const struct al_eltwise *a, const struct eltwise_case *e,
                         const float *x, const float *z, float *y)
{
    switch (op) {
    case ADD:
        k->add(a, x, z, y);
        break;
    case MUL:
        k->mul(a, x, z, y);
        break;
    case AFFINE:
        k->affine(a, e->scale.data, e->shift.data, x, y);
        break;
    case AFFINE_NO_SHIFT:
        k->affine(a, e->scale.data, NULL, x, y);
        break;
    case ACTIVATE:
    case N_OPERATIONS:
        k->activate(a, x, y);
        break;
    }
}

static struct guarded channel_vector(int32_t c, int32_t block)
{
    struct guarded g = guarded_random((size_t)((c + block - 1) / block * block));

    for (size_t i = (size_t)c; i < g.n; i++)
        g.data[i] = 0.0F;
    return g;
}

static void check_eltwise_in(const struct al_kern *k, enum operation op,
                             struct al_post post, struct eltwise_case *e, bool in_place)
{
    struct guarded x = block_picture(&e->x, k->block, e->plain_x.data);
    struct guarded z = block_picture(&e->z, k->block, e->plain_z.data);
    struct guarded y = guarded_random(al_map_floats(&e->y, k->block));
    const struct al_eltwise a = { e->x.c,    e->x.h,    e->x.w, e->x.halo,
                                  e->z.halo, e->y.halo, post };

    eltwise_call(k, op, &a, e, x.data, z.data, in_place ? x.data : y.data);
    struct guarded got = unblock_picture(&e->y, k->block, in_place ? x.data : y.data);
    check_near("elementwise", got.data, e->want.data, got.n, 1e-6F);
    guarded_free(&got);
    guarded_free(&x);
    guarded_free(&z);
    guarded_free(&y);
}

static void check_eltwise(const struct al_kern *k, int32_t c)
{
    struct eltwise_case e = { .x = some_map(c) };
    const struct al_post post = { (enum al_conv_act)(c % (AL_CONV_ACT_GELU_TANH + 1)),
                                  0.25F, 0.75F };

    e.z = e.y = e.x;
    e.z.halo = some_halo();
    e.y.halo = c % 2 ? e.x.halo : some_halo();
    e.plain_x = guarded_random(plain_floats(&e.x));
    e.plain_z = guarded_random(plain_floats(&e.x));
    e.want = guarded_new(plain_floats(&e.x));
    e.scale = channel_vector(c, k->block);
    e.shift = channel_vector(c, k->block);
    for (int op = ADD; op < N_OPERATIONS; op++) {
        for (size_t i = 0; i < e.want.n; i++)
            e.want.data[i] = reference_act(eltwise_want((enum operation)op, &e, i),
                                           post.act, post.a, post.b);
        check_eltwise_in(k, (enum operation)op, post, &e, false);
        if (c % 2)
            check_eltwise_in(k, (enum operation)op, post, &e, true);
    }
    guarded_free(&e.plain_x);
    guarded_free(&e.plain_z);
    guarded_free(&e.want);
    guarded_free(&e.scale);
    guarded_free(&e.shift);
}

static void elementwise_operators_are_right_with_any_halo(void **unused)
{
    (void)unused;
    for_tables(check_eltwise);
}

/* y gets channels from three pictures, as concatenation does. */
static void check_concat(const struct al_kern *k, int32_t c)
{
    const struct al_map y = some_map(3 * c);
    struct guarded plain = guarded_random(plain_floats(&y));
    struct guarded blocked = guarded_random(al_map_floats(&y, k->block));

    for (int32_t i = 0; i < 3; i++) {
        const struct al_map x = { c + 5, y.h, y.w, some_halo() };
        struct guarded part = guarded_random(plain_floats(&x));
        memcpy(part.data + (size_t)(i * y.h * y.w),
               plain.data + (size_t)(i * c * y.h * y.w),
               (size_t)(c * y.h * y.w) * sizeof(float));
        struct guarded from = block_picture(&x, k->block, part.data);
        k->copy_channels(&(struct al_channels){ x, y, i, i * c, c }, from.data,
                         blocked.data);
        guarded_free(&part);
        guarded_free(&from);
    }
    struct guarded got = unblock_picture(&y, k->block, blocked.data);
    check_same_bits("copy_channels", got.data, plain.data, got.n);
    guarded_free(&got);
    guarded_free(&plain);
    guarded_free(&blocked);
}

static void channels_are_copied_between_any_offsets(void **unused)
{
    (void)unused;
    for_tables(check_concat);
}

static void check_activate_vector(const struct al_kern *k, int32_t c)
{
    const size_t n = (size_t)c;
    struct guarded x = guarded_random(n), y = guarded_new(n), want = guarded_new(n);

    for (int act = AL_CONV_ACT_NONE; act <= AL_CONV_ACT_GELU_TANH; act++) {
        for (size_t i = 0; i < n; i++) {
            x.data[i] = 12.0F * check_random();
            want.data[i] = reference_act(x.data[i], (enum al_conv_act)act, 0.1F, 6.0F);
        }
        k->activate_vector((struct al_post){ (enum al_conv_act)act, 0.1F, 6.0F }, n,
                           x.data, y.data);
        check_near("activate_vector", y.data, want.data, n, 1e-6F);
    }
    guarded_free(&x);
    guarded_free(&y);
    guarded_free(&want);
}

static void activations_of_vectors_are_right(void **unused)
{
    (void)unused;
    for_tables(check_activate_vector);
}

static void not_a_number_stays_one(void **unused)
{
    const struct al_kern *tables[2];
    const size_t n = check_tables(tables);

    (void)unused;
    for (size_t i = 0; i < n; i++) {
        for (int act = AL_CONV_ACT_NONE; act <= AL_CONV_ACT_GELU_TANH; act++) {
            float x[3] = { 1.0F, NAN, -1.0F };
            tables[i]->activate_vector((struct al_post){ (enum al_conv_act)act, 0, 1 }, 3,
                                       x, x);
            assert_true(isnan(x[1]));
            assert_false(isnan(x[0]) || isnan(x[2]));
        }
    }
}

/* Channels of three maps in an order of chance, some of them twice. */
static void check_gather(const struct al_kern *k, int32_t c)
{
    const struct al_map y = some_map(c);
    struct al_map x[3];
    struct guarded plain[3], blocked[3];
    struct al_channel_from from[40];
    const float *sources[3];
    const size_t hw = (size_t)y.h * (size_t)y.w;
    struct guarded want = guarded_new(plain_floats(&y)), planes = guarded_new(want.n);
    struct guarded got = guarded_random(al_map_floats(&y, k->block));

    for (size_t i = 0; i < 3; i++) {
        x[i] = (struct al_map){ check_random_int(1, 40), y.h, y.w, some_halo() };
        plain[i] = guarded_random(plain_floats(&x[i]));
        blocked[i] = block_picture(&x[i], k->block, plain[i].data);
        sources[i] = blocked[i].data;
    }
    for (size_t i = 0; i < (size_t)c; i++) {
        const uint32_t s = (uint32_t)check_random_int(0, 2);
        from[i] = (struct al_channel_from){ s, check_random_int(0, x[s].c - 1) };
        memcpy(want.data + i * hw, plain[s].data + (size_t)from[i].channel * hw,
               hw * sizeof(float));
    }
    const struct al_gather g = { y, x, from };
    k->gather_channels(&g, sources, got.data);
    k->gather_planes(&g, sources, planes.data);
    struct guarded back = unblock_picture(&y, k->block, got.data);
    check_same_bits("gather_channels", back.data, want.data, want.n);
    check_same_bits("gather_planes", planes.data, want.data, want.n);
    for (size_t i = 0; i < 3; i++) {
        guarded_free(&plain[i]);
        guarded_free(&blocked[i]);
    }
    guarded_free(&want);
    guarded_free(&planes);
    guarded_free(&got);
    guarded_free(&back);
}

static void channels_are_gathered_from_any_places(void **unused)
{
    (void)unused;
    for_tables(check_gather);
}

static void check_softmax(const struct al_kern *k, int32_t c)
{
    const size_t n = (size_t)c;
    struct guarded x = guarded_random(n), y = guarded_new(n), want = guarded_new(n);
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        x.data[i] = 1000.0F + 20.0F * x.data[i];
    for (size_t i = 0; i < n; i++)
        sum += exp((double)x.data[i] - 1000.0);
    for (size_t i = 0; i < n; i++)
        want.data[i] = (float)(exp((double)x.data[i] - 1000.0) / sum);
    k->softmax(n, x.data, y.data);
    check_near("softmax", y.data, want.data, n, 1e-6F);
    guarded_free(&x);
    guarded_free(&y);
    guarded_free(&want);
}

/* Softmax of what a mask excludes is zero, and long rows add up to one. */
static void softmax_of_minus_infinity_is_zero(void **unused)
{
    const struct al_kern *tables[2];
    const size_t n = check_tables(tables);

    (void)unused;
    for (size_t i = 0; i < n; i++) {
        float x[37];
        double sum = 0;

        for (size_t k = 0; k < 37; k++)
            x[k] = k % 3 ? -INFINITY : 0.01F * (float)k;
        tables[i]->softmax(37, x, x);
        for (size_t k = 0; k < 37; k++) {
            sum += (double)x[k];
            assert_true(k % 3 == 0 || (x[k] <= 0 && x[k] >= 0));
        }
        assert_true(fabs(sum - 1) < 1e-6);
    }
}

/* A mean a thousand times the deviation must cost no digits. */
static void check_layer_norm(const struct al_kern *k, int32_t c)
{
    const size_t n = (size_t)c;
    struct guarded x = guarded_random(n), y = guarded_new(n), want = guarded_new(n);
    struct guarded scale = guarded_random(n), bias = guarded_random(n);
    double mean = 0, squares = 0;

    for (size_t i = 0; i < n; i++) {
        x.data[i] = (c % 2 ? 1000.3F : 0) + x.data[i];
        mean += (double)x.data[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++)
        squares += ((double)x.data[i] - mean) * ((double)x.data[i] - mean);
    for (size_t i = 0; i < n; i++)
        want.data[i] = (float)(((double)x.data[i] - mean) /
                                   sqrt(squares / (double)n + (double)1e-5F) *
                                   (double)scale.data[i] +
                               (double)bias.data[i]);
    k->layer_norm(&(struct al_layer_norm){ n, 1e-5F, scale.data, bias.data }, x.data,
                  y.data);
    check_near("layer_norm", y.data, want.data, n, 1e-6F);
    k->layer_norm(&(struct al_layer_norm){ n, 1e-5F, scale.data, bias.data }, x.data,
                  x.data);
    check_same_bits("layer_norm in place", x.data, y.data, n);
    guarded_free(&x);
    guarded_free(&y);
    guarded_free(&want);
    guarded_free(&scale);
    guarded_free(&bias);
}

static void layer_norm_is_right_far_from_zero(void **unused)
{
    (void)unused;
    for_tables(check_layer_norm);
}

static void check_pair_of_vectors(const struct al_kern *k, int32_t c)
{
    const struct al_post relu = { AL_CONV_ACT_RELU, 0, 0 };
    const size_t n = (size_t)c;
    struct guarded x = guarded_random(n), z = guarded_random(n), y = guarded_new(n);
    struct guarded want = guarded_new(n);

    for (size_t i = 0; i < n; i++)
        want.data[i] = fmaxf(0, x.data[i] + z.data[i]);
    k->add_vector(relu, n, x.data, z.data, y.data);
    check_same_bits("add_vector", y.data, want.data, n);
    for (size_t i = 0; i < n; i++)
        want.data[i] = fmaxf(0, x.data[i] * z.data[i]);
    k->mul_vector(relu, n, x.data, z.data, y.data);
    check_near("mul_vector", y.data, want.data, n, 0);
    for (size_t i = 0; i < n; i++)
        want.data[i] = x.data[i] * 0.3F;
    k->scale_vector(n, 0.3F, x.data, x.data);
    check_same_bits("scale_vector", x.data, want.data, n);
    guarded_free(&x);
    guarded_free(&z);
    guarded_free(&y);
    guarded_free(&want);
}

static void sums_and_products_of_vectors_are_right(void **unused)
{
    (void)unused;
    for_tables(check_pair_of_vectors);
}

static void check_mean_rows(const struct al_kern *k, int32_t c)
{
    const size_t n = (size_t)c, n_rows = 1 + (size_t)(c * 7 % 50);
    struct guarded x = guarded_random(n * n_rows), y = guarded_new(n);
    struct guarded want = guarded_new(n);

    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t r = 0; r < n_rows; r++)
            sum += (double)x.data[r * n + i];
        want.data[i] = (float)(sum / (double)n_rows);
    }
    k->mean_rows(n_rows, n, x.data, y.data);
    check_near("mean_rows", y.data, want.data, n, 3e-7F);
    guarded_free(&x);
    guarded_free(&y);
    guarded_free(&want);
}

static void means_of_vectors_are_right(void **unused)
{
    (void)unused;
    for_tables(check_mean_rows);
}

static void softmax_is_right_and_does_not_overflow(void **unused)
{
    (void)unused;
    for_tables(check_softmax);
}

int check_map(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_and_unpacking_are_exact),
        cmocka_unit_test(elementwise_operators_are_right_with_any_halo),
        cmocka_unit_test(channels_are_copied_between_any_offsets),
        cmocka_unit_test(channels_are_gathered_from_any_places),
        cmocka_unit_test(activations_of_vectors_are_right),
        cmocka_unit_test(not_a_number_stays_one),
        cmocka_unit_test(softmax_is_right_and_does_not_overflow),
        cmocka_unit_test(softmax_of_minus_infinity_is_zero),
        cmocka_unit_test(layer_norm_is_right_far_from_zero),
        cmocka_unit_test(means_of_vectors_are_right),
        cmocka_unit_test(sums_and_products_of_vectors_are_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
