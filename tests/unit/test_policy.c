#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "engine/exit/policy.h"

static void the_full_rule_leaves_only_at_the_last_exit(void **state)
{
    const struct al_exit_rule r = al_exit_rule_full();

    (void)state;
    for (uint32_t k = 0; k < 3; k++) {
        assert_false(al_exit_leaves(&r, k, 4, 1));
        assert_false(al_exit_wants(&r, k, 4));
    }
    assert_true(al_exit_leaves(&r, 3, 4, 0));
    assert_true(al_exit_wants(&r, 3, 4));
}

static void a_row_leaves_when_its_score_meets_the_threshold(void **state)
{
    struct al_exit_rule r = al_exit_rule_full();

    (void)state;
    r.threshold[0] = 0.5F;
    assert_true(al_exit_wants(&r, 0, 2));
    assert_true(al_exit_leaves(&r, 0, 2, 0.5F));
    assert_false(al_exit_leaves(&r, 0, 2, nextafterf(0.5F, 0)));
}

static void a_score_that_is_no_number_stays(void **state)
{
    struct al_exit_rule r = al_exit_rule_full();

    (void)state;
    r.threshold[0] = 0;
    assert_false(al_exit_leaves(&r, 0, 2, NAN));
    assert_true(al_exit_leaves(&r, 1, 2, NAN));
}

static void min_exit_forbids_and_max_exit_forces(void **state)
{
    struct al_exit_rule r = al_exit_rule_full();

    (void)state;
    r.threshold[0] = r.threshold[1] = 0;
    r.min_exit = 1;
    r.max_exit = 2;
    assert_false(al_exit_wants(&r, 0, 5));
    assert_false(al_exit_leaves(&r, 0, 5, 1));
    assert_true(al_exit_leaves(&r, 1, 5, 1));
    assert_true(al_exit_wants(&r, 2, 5));
    assert_true(al_exit_leaves(&r, 2, 5, 0));
}

static void an_uncalibrated_policy_has_level_zero_alone(void **state)
{
    struct al_policy p;

    (void)state;
    al_policy_init(&p, 3);
    assert_int_equal(p.n_levels, 1);
    assert_int_equal(al_policy_pick(&p, 1), 0);
    const struct al_exit_rule r = al_policy_rule(&p, 0);

    assert_false(al_exit_wants(&r, 0, 3));
    assert_true(p.levels[0].share[2] >= 1);
}

static void pick_takes_the_last_level_within_the_loss(void **state)
{
    struct al_policy p;

    (void)state;
    al_policy_init(&p, 2);
    p.n_levels = 3;
    p.levels[1].max_loss = 0.005;
    p.levels[2].max_loss = 0.01;
    assert_int_equal(al_policy_pick(&p, 0), 0);
    assert_int_equal(al_policy_pick(&p, 0.0049), 0);
    assert_int_equal(al_policy_pick(&p, 0.005 - 1e-12), 1);
    assert_int_equal(al_policy_pick(&p, 0.007), 1);
    assert_int_equal(al_policy_pick(&p, 1), 2);
    assert_int_equal(al_policy_pick(&p, -1), 0);
    assert_int_equal(al_policy_pick(&p, (double)NAN), 0);
}

static void a_rule_carries_its_levels_thresholds_and_score(void **state)
{
    struct al_policy p;

    (void)state;
    al_policy_init(&p, 2);
    p.score = AL_SCORE_ENTROPY;
    p.n_levels = 2;
    p.levels[1].threshold[0] = 0.25F;
    const struct al_exit_rule r = al_policy_rule(&p, 1);

    assert_int_equal(r.score, AL_SCORE_ENTROPY);
    assert_true(al_exit_leaves(&r, 0, 2, 0.25F));
    assert_false(al_exit_leaves(&r, 0, 2, 0.24F));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_full_rule_leaves_only_at_the_last_exit),
        cmocka_unit_test(a_row_leaves_when_its_score_meets_the_threshold),
        cmocka_unit_test(a_score_that_is_no_number_stays),
        cmocka_unit_test(min_exit_forbids_and_max_exit_forces),
        cmocka_unit_test(an_uncalibrated_policy_has_level_zero_alone),
        cmocka_unit_test(pick_takes_the_last_level_within_the_loss),
        cmocka_unit_test(a_rule_carries_its_levels_thresholds_and_score),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
