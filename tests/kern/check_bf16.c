#include "tests/kern/check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/kern/bf16.h"
#include "engine/kern/cpu.h"

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
    size_t n, n_direct = 0;
    const struct al_conv_algo *const *algos = al_conv_algos(&n);

    (void)unused;
    for (size_t i = 0; i < x.n; i++)
        x.data[i] = any_finite();
    for (size_t i = 0; i < n; i++) {
        if (!check_algo_is_of_level(algos[i]) || strncmp(algos[i]->name, "direct", 6))
            continue;
        pass_through(algos[i], x.data, y.data);
        for (size_t k = 0; k < x.n; k++)
            assert_true(fabsf(y.data[k] - al_bf16_float(al_bf16(x.data[k]))) <= 0.0F);
        n_direct++;
    }
    assert_true(n_direct > 0);
    guarded_free(&x);
    guarded_free(&y);
}

int check_bf16(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_float_becomes_the_nearest_bfloat16_ties_to_even),
        cmocka_unit_test(kernels_round_pictures_as_the_portable_code),
    };

    if (!(check_level & AL_CPU_AVX512_BF16))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
