#include "tests/kern/check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/kern/bf16.h"
#include "engine/kern/cpu.h"
#include "engine/kern/fc.h"
#include "engine/kern/fc_amx.h"

static float from_bits(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

static void a_float_becomes_the_nearest_bfloat16_ties_to_even(void **unused)
{
    /* bits of a float, and of its bfloat16 */
    static const uint32_t cases[][2] = {
        { 0x00000000, 0x0000 }, { 0x80000000, 0x8000 }, { 0x3f800000, 0x3f80 },
        { 0x3f807fff, 0x3f80 }, { 0x3f808000, 0x3f80 }, { 0x3f808001, 0x3f81 },
        { 0x3f818000, 0x3f82 }, { 0x3f817fff, 0x3f81 }, { 0xbf818000, 0xbf82 },
        { 0x3fffffff, 0x4000 }, { 0x7f7fffff, 0x7f80 }, { 0x7f800000, 0x7f80 },
        { 0xff800000, 0xff80 }, { 0x7f800001, 0x7fc0 }, { 0x7fc12345, 0x7fc1 },
        { 0x00800000, 0x0080 }, { 0x007fffff, 0x0000 }, { 0x80000001, 0x8000 },
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(al_bf16(from_bits(cases[i][0])), cases[i][1]);
}

/* A 1x1 convolution with the unit matrix: what comes out is what was read. */
#define CHANNELS 16
#define SIDE     64

static void pass_through(const struct al_conv_algo *a, const float *x, float *y)
{
    static const float bias[CHANNELS];
    const struct al_conv_shape s = { .in_c = CHANNELS,
                                     .in_h = SIDE,
                                     .in_w = SIDE,
                                     .out_c = CHANNELS,
                                     .out_h = SIDE,
                                     .out_w = SIDE,
                                     .kernel_h = 1,
                                     .kernel_w = 1,
                                     .stride_h = 1,
                                     .stride_w = 1,
                                     .dilation_h = 1,
                                     .dilation_w = 1,
                                     .groups = 1 };
    struct guarded packed = guarded_new(a->packed_floats(&s));
    struct guarded scratch = guarded_new(a->scratch_bytes(&s, 1) / sizeof(float));
    float unit[CHANNELS * CHANNELS] = { 0 };

    for (int i = 0; i < CHANNELS; i++)
        unit[i * CHANNELS + i] = 1.0F;
    a->pack(&s, unit, packed.data);
    a->run(&(struct al_conv_run){ .shape = &s,
                                  .weights = packed.data,
                                  .bias = bias,
                                  .n_rows = 1,
                                  .x = &x,
                                  .y = &y,
                                  .scratch = scratch.data,
                                  .tile_end = SIZE_MAX });
    guarded_free(&packed);
    guarded_free(&scratch);
}

/* Finite numbers of every size; many lie halfway between two bfloat16. */
static float any_finite(void)
{
    const uint32_t low[] = { 0, 0x7fff, 0x8000, 0x8001, 0xffff };
    uint32_t bits = (uint32_t)check_random_int(0, 0xffff) << 16;

    if ((bits & 0x7f800000U) == 0x7f800000U || (bits & 0x7fff0000U) == 0x7f7f0000U)
        bits &= 0x807f0000U;
    return from_bits(bits | low[check_random_int(0, 4)]);
}

static void kernels_round_pictures_as_the_portable_code(void **unused)
{
    struct guarded x = guarded_new((size_t)CHANNELS * SIDE * SIDE);
    struct guarded y = guarded_new(x.n);
    size_t at = 0, n_direct = 0;

    (void)unused;
    for (size_t i = 0; i < x.n; i++)
        x.data[i] = any_finite();
    for (const struct al_conv_algo *a; (a = check_algo_next(&at));) {
        if (a->precision != AL_CONV_BF16 || strncmp(a->name, "direct", 6))
            continue;
        pass_through(a, x.data, y.data);
        for (size_t k = 0; k < x.n; k++)
            assert_true(fabsf(y.data[k] - al_bf16_float(al_bf16(x.data[k]))) <= 0.0F);
        n_direct++;
    }
    assert_true(n_direct > 0);
    guarded_free(&x);
    guarded_free(&y);
}

/* ---- fully connected layers ---- */

#define FC_MOST_ROWS 23

struct fc_problem {
    const struct al_fc_algo *algo;
    size_t n_in, n_out;
    struct guarded weights, bias, packed, x[FC_MOST_ROWS], alone[FC_MOST_ROWS];
};

/* Numbers whose products are exact; for AMX any. */
static struct guarded random_inputs(size_t n)
{
    struct guarded g = guarded_random(n);

    for (size_t i = 0; i < n && !check_is_amx(); i++)
        g.data[i] = al_bf16_float(al_bf16(g.data[i]));
    return g;
}

/* Rows first, first + 1, ... (modulo their number), tile by tile from the last. */
static void fc_run(const struct fc_problem *p, size_t first, size_t n_rows,
                   struct guarded *y)
{
    const float *x[FC_MOST_ROWS];
    float *out[FC_MOST_ROWS];
    struct al_fc f = { .n_in = p->n_in,
                       .n_out = p->n_out,
                       .weights = p->packed.data,
                       .bias = p->bias.data,
                       .n_rows = n_rows,
                       .x = x,
                       .y = out,
                       .post = { AL_CONV_ACT_RELU, 0, 0 } };

    for (size_t i = 0; i < n_rows; i++) {
        y[i] = guarded_new(p->n_out);
        x[i] = p->x[(first + i) % FC_MOST_ROWS].data;
        out[i] = y[i].data;
    }
    for (size_t t = al_fc_tiles(p->n_out); t-- > 0;) {
        f.tile_begin = t;
        f.tile_end = t + 1;
        p->algo->run(&f);
    }
}

static float fc_tolerance(const struct fc_problem *p)
{
    const float n = (float)p->n_in;

    if (check_is_amx() && strstr(p->algo->name, "bf16"))
        return 5e-3F * (1.0F + sqrtf(n));
    return (strstr(p->algo->name, "x3") ? 1e-5F : 1e-6F) * (2.0F + 0.05F * n);
}

static void check_fc_row(const struct fc_problem *p, size_t r)
{
    struct guarded want = guarded_new(p->n_out);

    for (size_t o = 0; o < p->n_out; o++) {
        double sum = (double)p->bias.data[o];
        for (size_t i = 0; i < p->n_in; i++)
            sum += (double)p->weights.data[o * p->n_in + i] * (double)p->x[r].data[i];
        want.data[o] = reference_act((float)sum, AL_CONV_ACT_RELU, 0, 0);
    }
    check_near(p->algo->name, p->alone[r].data, want.data, p->n_out, fc_tolerance(p));
    guarded_free(&want);
}

/* The transposed matrix packs to the same. */
static void check_pack_columns(const struct fc_problem *p)
{
    struct guarded columns = guarded_new(p->weights.n);
    struct guarded packed = guarded_new(p->packed.n);

    for (size_t i = 0; i < p->weights.n; i++)
        columns.data[i % p->n_in * p->n_out + i / p->n_in] = p->weights.data[i];
    p->algo->pack_columns(p->n_in, p->n_out, columns.data, packed.data);
    check_same_bits("packed columns", packed.data, p->packed.data, packed.n);
    guarded_free(&columns);
    guarded_free(&packed);
}

/* All rows by the emulation of AMX: the same bits. */
static void check_fc_twin(const struct fc_problem *p, const struct al_fc_algo *twin)
{
    struct fc_problem q = *p;
    struct guarded y[FC_MOST_ROWS];

    q.algo = twin;
    fc_run(&q, 0, FC_MOST_ROWS, y);
    for (size_t r = 0; r < FC_MOST_ROWS; r++) {
        check_same_bits(twin->name, y[r].data, p->alone[r].data, p->n_out);
        guarded_free(&y[r]);
    }
}

static void check_fc_problem(const struct al_fc_algo *algo, const struct al_fc_algo *twin,
                             size_t n_in, size_t n_out)
{
    struct guarded together[FC_MOST_ROWS];
    struct fc_problem p = { .algo = algo,
                            .n_in = n_in,
                            .n_out = n_out,
                            .weights = random_inputs(n_in * n_out),
                            .bias = guarded_random(n_out) };

    p.packed = guarded_new(p.algo->packed_floats(n_in, n_out));
    p.algo->pack(n_in, n_out, p.weights.data, p.packed.data);
    check_pack_columns(&p);
    for (size_t r = 0; r < FC_MOST_ROWS; r++) {
        p.x[r] = random_inputs(n_in);
        fc_run(&p, r, 1, &p.alone[r]);
        check_fc_row(&p, r);
    }
    for (size_t n = 2; n <= FC_MOST_ROWS; n += 3) {
        fc_run(&p, n, n, together);
        for (size_t i = 0; i < n; i++) {
            check_same_bits(p.algo->name, together[i].data,
                            p.alone[(n + i) % FC_MOST_ROWS].data, n_out);
            guarded_free(&together[i]);
        }
    }
    if (twin)
        check_fc_twin(&p, twin);
    for (size_t r = 0; r < FC_MOST_ROWS; r++) {
        guarded_free(&p.x[r]);
        guarded_free(&p.alone[r]);
    }
    guarded_free(&p.weights);
    guarded_free(&p.bias);
    guarded_free(&p.packed);
}

static void check_fc_sizes(const struct al_fc_algo *algo, const struct al_fc_algo *twin)
{
    for (size_t n_out = 1; n_out <= 140; n_out += n_out < 70 ? 3 : 17)
        check_fc_problem(algo, twin, 37, n_out);
    for (size_t n_in = 1; n_in <= 600; n_in += n_in < 40 ? 1 : 73)
        check_fc_problem(algo, twin, n_in, 84);
}

static void fully_connected_layers_of_any_size_are_right_in_any_company(void **unused)
{
    (void)unused;
    assert_null(al_fc_bf16(check_level & ~(unsigned)AL_CPU_AVX512_BF16));
    assert_null(al_fc_amx(check_level & ~(unsigned)AL_CPU_AMX, AL_CONV_FAST));
    if (!check_is_amx()) {
        check_fc_sizes(al_fc_bf16(check_level), NULL);
        return;
    }
    for (enum al_conv_precision p = AL_CONV_EXACT; p <= AL_CONV_BF16; p++) {
        const struct al_fc_algo *emulated = check_emulated_fc(p);

        if (check_is_emulated)
            check_fc_sizes(emulated, NULL);
        else
            check_fc_sizes(al_fc_amx(check_level, p), emulated);
    }
}

int check_bf16(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_float_becomes_the_nearest_bfloat16_ties_to_even),
        cmocka_unit_test(kernels_round_pictures_as_the_portable_code),
        cmocka_unit_test(fully_connected_layers_of_any_size_are_right_in_any_company),
    };

    if (!(check_level & AL_CPU_AVX512_BF16))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
