#include "tests/kern/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_output_width_has_right_tails(void **unused)
{
    (void)unused;
    for (int32_t w = 1; w <= 40; w++) {
        for (int32_t stride = 1; stride <= 3; stride++) {
            struct problem p = { .s = square(11, 37, 3, 3, 1, 1, 1) };
            p.s.in_w = w;
            p.s.stride_w = stride;
            close_shape(&p.s, 1, 1);
            check_problem(&p);
        }
    }
}

static void every_channel_count_is_right(void **unused)
{
    (void)unused;
    for (int32_t c = 1; c <= 40; c += 3) {
        for (int32_t k = 1; k <= 70; k += 5) {
            struct problem p = { .s = square(c, k, 5, 3, 1, 1, 1) };
            check_problem(&p);
        }
    }
}

static void planar_inputs_of_every_stride_are_right(void **unused)
{
    (void)unused;
    for (int32_t stride = 1; stride <= 5; stride++) {
        for (int32_t pad = 0; pad <= 3; pad++) {
            struct problem p = { .s = square(3, 21, 31, 7, stride, pad, 1),
                                 .act = AL_CONV_ACT_RELU };
            p.s.planar_input = true;
            close_shape(&p.s, pad, pad);
            check_problem(&p);
        }
    }
}

static void groups_of_every_kind_are_right(void **unused)
{
    /* channels in, channels out, groups */
    static const int32_t kinds[][3] = {
        { 32, 32, 2 },  { 32, 64, 2 },  { 128, 128, 32 }, { 24, 24, 3 },
        { 48, 20, 4 },  { 64, 64, 64 }, { 19, 19, 19 },   { 12, 24, 12 },
        { 6, 8, 2 },    { 96, 256, 2 }, { 30, 30, 10 },   { 240, 40, 40 },
        { 40, 40, 40 }, { 33, 33, 33 }, { 16, 16, 4 },    { 20, 20, 5 },
        { 72, 72, 9 },  { 40, 40, 5 },  { 256, 256, 32 },
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        for (int32_t stride = 1; stride <= 3; stride++) {
            struct problem p = { .s = square(kinds[i][0], kinds[i][1], 9, 3, stride, 1,
                                             kinds[i][2]) };
            check_problem(&p);
        }
    }
}

static void five_by_five_patches_of_every_size_are_right(void **unused)
{
    (void)unused;
    for (int32_t w = 1; w <= 20; w++) {
        struct problem p = { .s = square(20, 33, 9, 5, 1, 2, 1),
                             .with_add = w % 2,
                             .act = AL_CONV_ACT_RELU };
        p.s.in_w = w;
        close_shape(&p.s, 2, 2);
        check_problem(&p);
    }
}

static void depthwise_tails_are_right_for_every_stride(void **unused)
{
    (void)unused;
    for (int32_t w = 1; w <= 36; w++) {
        for (int32_t stride = 1; stride <= 3; stride++) {
            struct problem p = { .s = square(20, 20, 5, 3, stride, 1, 20) };
            p.s.in_w = w;
            close_shape(&p.s, 1, 1);
            check_problem(&p);
        }
    }
}

static void one_by_one_is_right_flat_and_by_rows(void **unused)
{
    (void)unused;
    for (int32_t size = 1; size <= 21; size += 4) {
        for (int i = 0; i < 2; i++) {
            struct problem p = { .s = square(20, 33, size, 1, 1, 0, 1),
                                 .with_add = true,
                                 .act = AL_CONV_ACT_RELU };
            if (i == 0)
                p.s.out_halo = p.s.add_halo = (struct al_halo){ 1, 0, 2, 0 };
            check_problem(&p);
        }
    }
}

static void every_activation_and_addition_is_right(void **unused)
{
    (void)unused;
    for (int act = AL_CONV_ACT_NONE; act <= AL_CONV_ACT_GELU_TANH; act++) {
        for (int i = 0; i < 4; i++) {
            struct problem p = { .s = square(5, 21, 8, 3, 1, 1, 1),
                                 .act = (enum al_conv_act)act,
                                 .act_a = i < 2 ? 0.25F : -0.5F,
                                 .act_b = 0.75F,
                                 .with_add = i % 2 };
            if (i == 3)
                p.s.add_halo = p.s.out_halo;
            check_problem(&p);
        }
    }
}

static void random_shapes_are_right(void **unused)
{
    (void)unused;
    for (int i = 0; i < 150; i++) {
        struct problem p = {
            .s = { .groups = check_random_int(0, 3) ? 1 : check_random_int(1, 6),
                   .in_h = check_random_int(1, 24),
                   .in_w = check_random_int(1, 24),
                   .kernel_h = check_random_int(1, 5),
                   .kernel_w = check_random_int(1, 5),
                   .stride_h = check_random_int(1, 3),
                   .stride_w = check_random_int(1, 3),
                   .dilation_h = check_random_int(1, 2),
                   .dilation_w = check_random_int(1, 2),
                   .planar_input = check_random_int(0, 2) == 0 },
            .act = check_random_int(0, 1) ? AL_CONV_ACT_RELU : AL_CONV_ACT_NONE,
            .with_add = check_random_int(0, 1),
        };
        p.s.in_c = p.s.groups * check_random_int(1, 20);
        p.s.out_c = p.s.groups * check_random_int(1, 20);
        p.s.pad_top = check_random_int(0, 4);
        p.s.pad_left = check_random_int(0, 4);
        while (p.s.in_h + p.s.pad_top < (p.s.kernel_h - 1) * p.s.dilation_h + 1)
            p.s.in_h++;
        while (p.s.in_w + p.s.pad_left < (p.s.kernel_w - 1) * p.s.dilation_w + 1)
            p.s.in_w++;
        close_shape(&p.s, check_random_int(0, 4), check_random_int(0, 4));
        check_problem(&p);
    }
}

/* Of the algorithms only some pool; with wider blocks than 8 none. */
static void pooled_results_of_few_channels_are_right(void **unused)
{
    static const enum al_conv_act acts[] = { AL_CONV_ACT_NONE, AL_CONV_ACT_RELU,
                                             AL_CONV_ACT_CLIP };

    (void)unused;
    for (int32_t half = 1; half <= 20; half++) {
        struct problem p = { .s = square(1 + half % 3, 1 + half % 6, 1, 1 + half % 5,
                                         1 + half % 2, half % 3, 1),
                             .act = acts[half % 3],
                             .act_a = -0.5F,
                             .act_b = 0.75F };

        p.s.planar_input = p.s.max_pool = true;
        p.s.stride_w = 1;
        p.s.in_w = 2 * half + p.s.kernel_w - 1 - p.s.pad_left;
        p.s.in_h = (4 * (half % 9) + 3) * p.s.stride_h + p.s.kernel_h - p.s.pad_top;
        close_shape(&p.s, 0, 0);
        check_problem(&p);
    }
}

static void work_cut_in_many_tiles_is_right(void **unused)
{
    struct problem p = { .s = square(128, 272, 14, 3, 1, 1, 1), .act = AL_CONV_ACT_RELU };
    struct problem q = { .s = square(3, 64, 96, 7, 2, 3, 1) };

    (void)unused;
    check_problem(&p);
    q.s.planar_input = true;
    close_shape(&q.s, 3, 3);
    check_problem(&q);
}

static void an_input_without_the_halo_it_needs_is_refused(void **unused)
{
    struct al_conv_shape s = square(16, 16, 8, 3, 1, 1, 1);
    size_t n;
    const struct al_conv_algo *const *algos = al_conv_algos(&n);

    (void)unused;
    s.in_halo = (struct al_halo){ 0 };
    for (size_t i = 0; i < n; i++)
        assert_false(algos[i]->fits(&s));
}

static void only_planar_inputs_are_pooled(void **unused)
{
    struct al_conv_shape s = square(8, 5, 8, 3, 1, 1, 1);

    (void)unused;
    assert_false(al_conv_pools(&s, 8));
    assert_false(al_conv_pools(&s, 16));
    s.planar_input = true;
    assert_true(al_conv_pools(&s, 8));
    assert_false(al_conv_pools(&s, 16));
}

int check_conv(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_output_width_has_right_tails),
        cmocka_unit_test(every_channel_count_is_right),
        cmocka_unit_test(planar_inputs_of_every_stride_are_right),
        cmocka_unit_test(groups_of_every_kind_are_right),
        cmocka_unit_test(five_by_five_patches_of_every_size_are_right),
        cmocka_unit_test(depthwise_tails_are_right_for_every_stride),
        cmocka_unit_test(one_by_one_is_right_flat_and_by_rows),
        cmocka_unit_test(every_activation_and_addition_is_right),
        cmocka_unit_test(random_shapes_are_right),
        cmocka_unit_test(pooled_results_of_few_channels_are_right),
        cmocka_unit_test(work_cut_in_many_tiles_is_right),
        cmocka_unit_test(only_planar_inputs_are_pooled),
        cmocka_unit_test(an_input_without_the_halo_it_needs_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
