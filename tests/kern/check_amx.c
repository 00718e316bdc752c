/* What convolutions by tiles of AMX are in danger of getting wrong, and how far their
 * results may lie from the true ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/kern/problem.h"

static void channels_about_a_step_are_right_with_every_kernel(void **unused)
{
    static const int32_t channels[] = { 1, 15, 16, 17, 31, 32, 33, 48, 49, 64 };

    (void)unused;
    for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
        for (int32_t kernel = 1; kernel <= 5; kernel++) {
            struct problem p = { .s = square(channels[i], 16 + 16 * (kernel % 3), 7,
                                             kernel, 1 + kernel % 2, kernel / 2, 1) };
            check_problem(&p);
        }
    }
}

static void one_by_one_takes_every_nth_pixel(void **unused)
{
    (void)unused;
    for (int32_t stride = 1; stride <= 3; stride++) {
        for (int32_t size = 1; size <= 17; size += 4) {
            struct problem p = { .s = square(40, 33, size, 1, stride, stride % 2, 1),
                                 .with_add = true };
            check_problem(&p);
        }
    }
}

static void dilated_kernels_of_few_and_many_channels_are_right(void **unused)
{
    (void)unused;
    for (int32_t c = 16; c <= 48; c += 16) {
        struct problem p = { .s = square(c, 20, 11, 3, 1, 2, 1) };

        p.s.dilation_h = 3;
        p.s.dilation_w = 2;
        close_shape(&p.s, 2, 3);
        check_problem(&p);
    }
}

static void groups_of_whole_blocks_are_right(void **unused)
{
    /* channels in, channels out, groups */
    static const int32_t kinds[][3] = {
        { 32, 32, 2 }, { 64, 32, 2 }, { 48, 40, 1 }, { 64, 20, 4 }, { 96, 66, 3 }
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct problem p = { .s = square(kinds[i][0], kinds[i][1], 6, 3, 1, 1,
                                         kinds[i][2]) };
        check_problem(&p);
    }
}

static void planar_pictures_of_one_to_four_channels_are_right(void **unused)
{
    (void)unused;
    for (int32_t c = 1; c <= 4; c++) {
        for (int32_t kernel = 1; kernel <= 11; kernel += 2) {
            struct problem p = { .s = square(c, 17 + c, 19, kernel, c, kernel / 2, 1) };

            p.s.planar_input = true;
            p.s.dilation_w = 1 + kernel % 3 / 2;
            close_shape(&p.s, kernel / 2, kernel);
            check_problem(&p);
        }
    }
}

/* Largest error of a layer relative to the largest result. */
static void check_errors(const struct problem *p)
{
    static const struct {
        const char *name;
        float bound;
    } bounds[] = { { "x6", 1e-6F }, { "x3", 1e-5F }, { "bf16", 5e-3F } };
    size_t at = 0, n = 0;

    for (const struct al_conv_algo *a; (a = check_algo_next(&at));) {
        if (!a->fits(&p->s))
            continue;
        for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
            if (!strstr(a->name, bounds[i].name) || (i < 2 && strstr(a->name, "bf16-")))
                continue;
            const float error = problem_error(a, p);
            print_message("%-24s %dx%d to %d channels: %.2g\n", a->name, p->s.kernel_h,
                          p->s.in_c, p->s.out_c, (double)error);
            assert_true(error <= bounds[i].bound);
            n++;
        }
    }
    assert_int_equal(n, 3);
}

static void errors_of_a_layer_are_within_the_bounds_of_its_precision(void **unused)
{
    struct problem layers[] = {
        { .s = square(64, 64, 8, 3, 1, 1, 1) },  { .s = square(256, 64, 7, 1, 1, 0, 1) },
        { .s = square(16, 16, 16, 3, 1, 1, 1) }, { .s = square(32, 32, 6, 5, 1, 2, 1) },
        { .s = square(3, 32, 32, 7, 2, 3, 1) },
    };

    (void)unused;
    layers[4].s.planar_input = true;
    layers[4].s.in_halo = (struct al_halo){ 0 };
    for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
        problem_fill(&layers[i]);
        check_errors(&layers[i]);
        problem_done(&layers[i]);
    }
}

int check_amx(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_about_a_step_are_right_with_every_kernel),
        cmocka_unit_test(one_by_one_takes_every_nth_pixel),
        cmocka_unit_test(dilated_kernels_of_few_and_many_channels_are_right),
        cmocka_unit_test(groups_of_whole_blocks_are_right),
        cmocka_unit_test(planar_pictures_of_one_to_four_channels_are_right),
        cmocka_unit_test(errors_of_a_layer_are_within_the_bounds_of_its_precision),
    };

    return check_is_amx() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
