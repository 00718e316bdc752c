#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "engine/exit/score.h"

static float score_of(enum al_score s, const float *probs, size_t n)
{
    return al_score_of(s, probs, n, NULL);
}

static void near(float a, float b)
{
    assert_true(fabsf(a - b) < 1e-6F);
}

static void softmax_is_a_distribution_even_of_huge_logits(void **state)
{
    const float logits[] = { 1000, 999, -1000, -INFINITY };
    float probs[4];

    (void)state;
    al_softmax(logits, 4, probs);
    near(probs[0], 0.7310586F);
    near(probs[1], 0.2689414F);
    near(probs[2], 0);
    near(probs[3], 0);
}

static void softmax_may_work_in_place(void **state)
{
    float v[] = { 0, 0, 0, 0 };

    (void)state;
    al_softmax(v, 4, v);
    for (int i = 0; i < 4; i++)
        near(v[i], 0.25F);
}

static void logits_that_are_no_numbers_never_leave(void **state)
{
    const float bad[][3] = {
        { 1, NAN, 2 },
        { NAN, NAN, NAN },
        { INFINITY, 1, 2 },
        { -INFINITY, -INFINITY, -INFINITY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        float probs[3];

        al_softmax(bad[i], 3, probs);
        for (int j = 0; j < 3; j++)
            assert_false(isnan(probs[j]));
        for (int s = 0; s < AL_N_SCORES; s++)
            near(score_of((enum al_score)s, probs, 3), 0);
    }
}

static void probabilities_that_are_no_numbers_score_zero(void **state)
{
    const float bad[] = { 0.5F, NAN, 0.5F };

    (void)state;
    for (int s = 0; s < AL_N_SCORES; s++)
        near(score_of((enum al_score)s, bad, 3), 0);
}

static void the_top_class_is_the_lowest_of_equals(void **state)
{
    const float probs[] = { 0.1F, 0.4F, 0.4F, 0.1F };
    uint32_t top = 99;

    (void)state;
    near(al_score_of(AL_SCORE_MARGIN, probs, 4, &top), 0);
    assert_int_equal(top, 1);
}

static void the_margin_is_first_minus_second(void **state)
{
    const float rising[] = { 0.1F, 0.3F, 0.6F }, falling[] = { 0.6F, 0.3F, 0.1F };

    (void)state;
    near(score_of(AL_SCORE_MARGIN, rising, 3), 0.3F);
    near(score_of(AL_SCORE_MARGIN, falling, 3), 0.3F);
    near(score_of(AL_SCORE_MAX_PROB, rising, 3), 0.6F);
}

static void entropy_is_one_when_sure_and_zero_when_not(void **state)
{
    const float sure[] = { 0, 1, 0, 0 }, unsure[] = { 0.25F, 0.25F, 0.25F, 0.25F };
    const float half[] = { 0.5F, 0.5F, 0, 0 };

    (void)state;
    near(score_of(AL_SCORE_ENTROPY, sure, 4), 1);
    near(score_of(AL_SCORE_ENTROPY, unsure, 4), 0);
    near(score_of(AL_SCORE_ENTROPY, half, 4), 0.5F);
}

static void what_is_above_one_scores_one(void **state)
{
    const float logits[] = { -3, 9, 4 };

    (void)state;
    for (int s = 0; s < AL_N_SCORES; s++) {
        const float score = score_of((enum al_score)s, logits, 3);

        assert_true(score >= 0 && score <= 1);
    }
    near(score_of(AL_SCORE_MARGIN, logits, 3), 1);
}

static void a_single_class_is_certain(void **state)
{
    const float one[] = { 1 };

    (void)state;
    for (int s = 0; s < AL_N_SCORES; s++)
        near(score_of((enum al_score)s, one, 1), 1);
}

static void every_score_has_a_name_and_is_found_by_it(void **state)
{
    (void)state;
    for (int s = 0; s < AL_N_SCORES; s++)
        assert_int_equal(al_score_find(al_score_name((enum al_score)s)), s);
    assert_int_equal(al_score_find("certainty"), AL_N_SCORES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_is_a_distribution_even_of_huge_logits),
        cmocka_unit_test(softmax_may_work_in_place),
        cmocka_unit_test(logits_that_are_no_numbers_never_leave),
        cmocka_unit_test(probabilities_that_are_no_numbers_score_zero),
        cmocka_unit_test(the_top_class_is_the_lowest_of_equals),
        cmocka_unit_test(the_margin_is_first_minus_second),
        cmocka_unit_test(entropy_is_one_when_sure_and_zero_when_not),
        cmocka_unit_test(what_is_above_one_scores_one),
        cmocka_unit_test(a_single_class_is_certain),
        cmocka_unit_test(every_score_has_a_name_and_is_found_by_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
