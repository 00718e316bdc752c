#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/exec/trial.h"

static const struct al_conv_shape shape = {
    .in_c = 8,
    .in_h = 6,
    .in_w = 6,
    .out_c = 20,
    .out_h = 6,
    .out_w = 6,
    .kernel_h = 3,
    .kernel_w = 3,
    .stride_h = 1,
    .stride_w = 1,
    .dilation_h = 1,
    .dilation_w = 1,
    .pad_top = 1,
    .pad_left = 1,
    .groups = 1,
    .in_halo = { 1, 1, 1, 1 },
};

static uint64_t ticks;

static uint64_t fake_now_ns(void)
{
    return ticks += 1000;
}

static const struct al_conv_algo *direct(void)
{
    size_t n, i = 0;
    const struct al_conv_algo *const *algos = al_conv_algos(&n);

    while (i < n && strcmp(algos[i]->name, "direct-c16") != 0)
        i++;
    assert_true(i < n);
    return algos[i];
}

/* The direct algorithm, and one result a thousandth of itself off. */
static void run_wrong(const struct al_conv_run *r)
{
    float *y = r->y[0];
    size_t most = 0;

    direct()->run(r);
    for (size_t i = 0; i < (size_t)6 * 6 * 32; i++)
        most = y[i] > y[most] ? i : most;
    y[most] *= 1.001F;
}

static bool agrees(const struct al_conv_algo *a)
{
    struct al_trial t = { .shape = &shape, .block = 16, .now_ns = fake_now_ns };
    uint64_t ns;
    bool ret = false;

    assert_int_equal(al_trial_init(&t, NULL), AL_OK);
    assert_int_equal(al_trial_time(&t, a, UINT64_MAX, &ns, NULL), AL_OK);
    assert_int_equal(al_trial_agrees(&t, a, direct(), &ret, NULL), AL_OK);
    al_trial_done(&t);
    return ret;
}

static void an_algorithm_agrees_with_itself(void **unused)
{
    (void)unused;
    assert_true(agrees(direct()));
}

static void one_wrong_result_is_no_agreement_but_in_a_coarse_precision(void **unused)
{
    struct al_conv_algo wrong = *direct();

    (void)unused;
    wrong.run = run_wrong;
    assert_false(agrees(&wrong));
    wrong.precision = AL_CONV_FAST;
    assert_false(agrees(&wrong));
    wrong.precision = AL_CONV_BF16;
    assert_true(agrees(&wrong));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_algorithm_agrees_with_itself),
        cmocka_unit_test(one_wrong_result_is_no_agreement_but_in_a_coarse_precision),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
