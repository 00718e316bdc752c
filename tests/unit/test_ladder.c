#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/exit/binomial.h"
#include "engine/exit/ladder.h"
#include "engine/exit/net_loss.h"

enum {
    N_EXITS = 3,
    N_LEVELS = 4
};
static const double losses[N_LEVELS] = { 0.005, 0.01, 0.02, 0.05 };
static const double costs[N_EXITS] = { 10, 25, 60 };
static const double full_cost = 55; /* the last exit's without the branches */

/* Rows of a network that can leave early, drawn from a known law. */
struct sample {
    size_t n;
    float *score;
    uint8_t *correct;
};

static uint64_t random_bits(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15U); /* splitmix64 */

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static double random_unit(uint64_t *seed)
{
    return (double)(random_bits(seed) >> 11) * 0x1p-53;
}

/* Scores are uniform; exit k errs with probability `wrong[k] * (1 - score)^2`, scores on
 * a grid of 1/`grid` so that ties happen. */
static struct sample draw(size_t n, double grid, uint64_t *seed)
{
    static const double wrong[N_EXITS] = { 0.9, 0.5, 0.2 };
    struct sample s = { .n = n,
                        .score = calloc(n * N_EXITS, sizeof(float)),
                        .correct = calloc(n * N_EXITS, 1) };

    assert_non_null(s.score);
    assert_non_null(s.correct);
    for (size_t i = 0; i < n * N_EXITS; i++) {
        const double u = floor(random_unit(seed) * grid) / grid;
        const double p = wrong[i % N_EXITS] * (1 - u) * (1 - u);

        s.score[i] = (float)u;
        s.correct[i] = random_unit(seed) >= p;
    }
    return s;
}

static void drop(struct sample *s)
{
    free(s->score);
    free(s->correct);
}

static struct al_ladder_data data_of(const struct sample *s)
{
    return (struct al_ladder_data){ .n_rows = s->n,
                                    .n_exits = N_EXITS,
                                    .score = s->score,
                                    .correct = s->correct,
                                    .cost = costs,
                                    .full_cost = full_cost };
}

static struct al_ladder_params params(enum al_loss loss)
{
    return (struct al_ladder_params){ .score = AL_SCORE_MARGIN,
                                      .loss = loss,
                                      .confidence = 0.95,
                                      .n_levels = N_LEVELS,
                                      .max_loss = losses };
}

static struct al_policy certify(const struct sample *s, enum al_loss loss)
{
    const struct al_ladder_data d = data_of(s);
    const struct al_ladder_params p = params(loss);
    struct al_policy policy;

    assert_int_equal(al_ladder_certify(&d, &p, &policy, NULL), AL_OK);
    return policy;
}

static struct al_outcome outcome(const struct sample *s, const struct al_policy *p,
                                 uint32_t level)
{
    const struct al_ladder_data d = data_of(s);
    const struct al_exit_rule rule = al_policy_rule(p, level);
    struct al_outcome out;

    al_ladder_outcome(&d, &rule, &out);
    return out;
}

/* What a level of this kind bounds. */
static double loss_of(const struct al_outcome *o, enum al_loss loss, size_t n)
{
    const double wins = loss == AL_LOSS_NET ? (double)o->n_wins : 0;

    return ((double)o->n_losses - wins) / (double)n;
}

static int broken_certificates(enum al_loss loss)
{
    enum {
        TRIALS = 100
    };
    uint64_t seed = 1;
    struct sample truth = draw(100000, 1e6, &seed); /* stands for the true risk */
    int broken = 0;

    for (int t = 0; t < TRIALS; t++) {
        struct sample s = draw(2000, 1e6, &seed);
        const struct al_policy p = certify(&s, loss);
        bool any = false;

        for (uint32_t l = 1; l < p.n_levels; l++) {
            const struct al_outcome out = outcome(&truth, &p, l);

            any |= loss_of(&out, loss, truth.n) > p.levels[l].max_loss;
        }
        broken += any;
        drop(&s);
    }
    drop(&truth);
    return broken;
}

static void certificates_hold_on_new_data(void **state)
{
    (void)state;
    /* 5 % of 100 are 5, and binomial noise above it */
    assert_true(broken_certificates(AL_LOSS_ONE_SIDED) <= 11);
    assert_true(broken_certificates(AL_LOSS_NET) <= 11);
}

static void the_net_loss_lets_more_leave(void **state)
{
    uint64_t seed = 11;
    struct sample s = draw(5000, 1e6, &seed);
    const struct al_policy net = certify(&s, AL_LOSS_NET);
    const struct al_policy one_sided = certify(&s, AL_LOSS_ONE_SIDED);

    (void)state;
    assert_int_equal(net.loss, AL_LOSS_NET);
    for (uint32_t l = 1; l < net.n_levels; l++) {
        assert_true(net.levels[l].cost <= one_sided.levels[l].cost);
        assert_true(net.levels[l].n_wins > 0);
    }
    assert_true(net.levels[1].cost < 0.98 * one_sided.levels[1].cost);
    drop(&s);
}

static void levels_are_worth_having(void **state)
{
    uint64_t seed = 2;
    struct sample s = draw(5000, 1e6, &seed);
    const struct al_policy p = certify(&s, AL_LOSS_NET);

    (void)state;
    for (uint32_t l = 1; l < p.n_levels; l++)
        assert_true(p.levels[l].cost < p.levels[l - 1].cost);
    assert_true(p.levels[N_LEVELS].cost < 0.7 * p.levels[0].cost);
    drop(&s);
}

static void what_a_level_says_is_what_its_rule_does(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (unsigned i = 0; i < 2 * AL_N_LOSSES; i++) {
        const enum al_loss loss = (enum al_loss)(i / 2);
        const bool ties = i % 2 == 1;
        struct sample s = draw(4000, ties ? 50 : 1e6, &seed);
        const struct al_policy p = certify(&s, loss);

        for (uint32_t l = 0; l < p.n_levels; l++) {
            const struct al_level *level = &p.levels[l];
            const struct al_outcome out = outcome(&s, &p, l);

            assert_int_equal(out.n_losses, level->n_losses);
            assert_int_equal(out.n_wins, level->n_wins);
            assert_true(fabs(out.cost - level->cost) < 1e-9);
            for (uint32_t k = 0; k < N_EXITS; k++)
                assert_true(fabs(out.share[k] - level->share[k]) < 1e-12);
            if (l > 0)
                assert_true(level->p_value <= 0.05 / N_LEVELS);
        }
        drop(&s);
    }
}

/* The definition, step by step, O(n^2): lowers the threshold through every score. */
static float slow_threshold(const struct sample *s, enum al_loss loss, double max_loss)
{
    const struct al_ladder_data d = data_of(s);
    struct al_exit_rule rule = al_exit_rule_full();
    struct al_outcome out;
    double best_cost = full_cost;
    float best = INFINITY, threshold = INFINITY;

    for (;;) {
        float next = -INFINITY; /* the next score below */

        for (size_t i = 0; i < s->n * N_EXITS; i++) {
            if (i % N_EXITS < N_EXITS - 1 && s->score[i] < threshold)
                next = fmaxf(next, s->score[i]);
        }
        if (isinf(next))
            return best;
        threshold = next;
        for (uint32_t k = 0; k + 1 < N_EXITS; k++)
            rule.threshold[k] = threshold;
        al_ladder_outcome(&d, &rule, &out);
        const double p_value = loss == AL_LOSS_NET
                                   ? al_net_loss_p_value(s->n, out.n_losses, out.n_wins,
                                                         max_loss, 0.2 * 0.05 / N_LEVELS)
                                   : al_binomial_cdf(out.n_losses, s->n, max_loss);

        if (p_value > 0.05 / N_LEVELS)
            return best;
        if (out.cost < best_cost) {
            best_cost = out.cost;
            best = threshold;
        }
    }
}

static void the_fast_walk_finds_what_the_definition_finds(void **state)
{
    uint64_t seed = 4;

    (void)state;
    for (unsigned i = 0; i < 2 * AL_N_LOSSES; i++) {
        const enum al_loss loss = (enum al_loss)(i / 2);
        const bool ties = i % 2 == 1;
        struct sample s = draw(1500, ties ? 40 : 1e6, &seed);
        const struct al_policy p = certify(&s, loss);

        for (uint32_t l = 1; l < p.n_levels; l++) {
            const float slow = slow_threshold(&s, loss, losses[l - 1]);
            const float fast = p.levels[l].threshold[0];

            assert_memory_equal(&fast, &slow, sizeof(fast));
        }
        drop(&s);
    }
}

static void too_few_rows_certify_nothing(void **state)
{
    uint64_t seed = 5;
    struct sample s = draw(60, 1e6, &seed);

    (void)state;
    memset(s.correct, 1, s.n * N_EXITS);
    const struct al_policy p = certify(&s, AL_LOSS_NET);

    for (uint32_t l = 0; l < p.n_levels; l++) {
        assert_true(isinf(p.levels[l].threshold[0]));
        assert_true(fabs(p.levels[l].cost - full_cost) < 1e-12);
        assert_true(fabs(p.levels[l].p_value) < 1e-300);
    }
    drop(&s);
}

static void rows_that_all_err_early_never_leave(void **state)
{
    uint64_t seed = 6;
    struct sample s = draw(5000, 1e6, &seed);

    (void)state;
    for (size_t i = 0; i < s.n * N_EXITS; i++)
        s.correct[i] = i % N_EXITS == N_EXITS - 1;
    const struct al_policy p = certify(&s, AL_LOSS_NET);

    for (uint32_t l = 1; l < p.n_levels; l++)
        assert_true(p.levels[l].share[N_EXITS - 1] > 1 - losses[l - 1]);
    drop(&s);
}

static void rows_that_are_all_right_leave_at_once(void **state)
{
    uint64_t seed = 7;
    struct sample s = draw(5000, 1e6, &seed);

    (void)state;
    memset(s.correct, 1, s.n * N_EXITS);
    const struct al_policy p = certify(&s, AL_LOSS_NET);

    for (uint32_t l = 1; l < p.n_levels; l++) {
        assert_true(p.levels[l].share[0] >= 1);
        assert_true(fabs(p.levels[l].cost - costs[0]) < 1e-12);
    }
    drop(&s);
}

static void scores_that_are_no_numbers_stay_to_the_end(void **state)
{
    uint64_t seed = 8;
    struct sample s = draw(5000, 1e6, &seed);

    (void)state;
    memset(s.correct, 1, s.n * N_EXITS);
    for (size_t i = 0; i < s.n; i += 2) {
        s.score[i * N_EXITS] = NAN;
        s.score[i * N_EXITS + 1] = NAN;
    }
    const struct al_policy p = certify(&s, AL_LOSS_NET);

    assert_true(fabs(p.levels[1].share[0] - 0.5) < 1e-12);
    assert_true(fabs(p.levels[1].share[2] - 0.5) < 1e-12);
    drop(&s);
}

static void a_costly_branch_is_not_used(void **state)
{
    const double dear[N_EXITS] = { 56, 58, 60 };
    uint64_t seed = 9;
    struct sample s = draw(5000, 1e6, &seed);
    struct al_ladder_data d = data_of(&s);
    const struct al_ladder_params lp = params(AL_LOSS_NET);
    struct al_policy p;

    (void)state;
    d.cost = dear;
    assert_int_equal(al_ladder_certify(&d, &lp, &p, NULL), AL_OK);
    assert_true(isinf(p.levels[N_LEVELS].threshold[0]));
    drop(&s);
}

static void a_plain_classifier_has_levels_that_change_nothing(void **state)
{
    const float score[] = { 0.5F, 0.6F };
    const uint8_t correct[] = { 1, 0 };
    const struct al_ladder_data d = {
        .n_rows = 2, .n_exits = 1, .score = score, .correct = correct, .cost = costs
    };
    const struct al_ladder_params lp = params(AL_LOSS_NET);
    struct al_policy p;

    (void)state;
    assert_int_equal(al_ladder_certify(&d, &lp, &p, NULL), AL_OK);
    assert_int_equal(p.n_levels, N_LEVELS + 1);
    assert_true(p.levels[N_LEVELS].share[0] >= 1);
}

static void outcome_counts_each_exit(void **state)
{
    /* exit 0 wrong where the full answer is right: a loss; row 2 errs both ways: none */
    const float score[] = { 0.9F, 0, 0.2F, 0, 0.8F, 0, 0.7F, 0 };
    const uint8_t correct[] = { 0, 1, 1, 1, 0, 0, 1, 0 };
    const double cost[] = { 1, 3 };
    const struct al_ladder_data d = { .n_rows = 4,
                                      .n_exits = 2,
                                      .score = score,
                                      .correct = correct,
                                      .cost = cost,
                                      .full_cost = 2.5 };
    struct al_exit_rule rule = al_exit_rule_full();
    struct al_outcome out;

    (void)state;
    rule.threshold[0] = 0.7F;
    al_ladder_outcome(&d, &rule, &out);
    assert_int_equal(out.n_losses, 1);
    assert_int_equal(out.n_wins, 1);
    assert_true(fabs(out.accuracy - 0.5) < 1e-12);
    assert_true(fabs(out.full_accuracy - 0.5) < 1e-12);
    assert_true(fabs(out.share[0] - 0.75) < 1e-12);
    assert_true(fabs(out.exit_accuracy[0] - 1.0 / 3) < 1e-12);
    assert_true(fabs(out.exit_accuracy[1] - 1) < 1e-12);
    assert_true(fabs(out.cost - 1.5) < 1e-12);
    rule.threshold[0] = INFINITY; /* no branch is run, and none is paid for */
    al_ladder_outcome(&d, &rule, &out);
    assert_true(fabs(out.cost - 2.5) < 1e-12);
}

static void wrong_parameters_are_refused_by_name(void **state)
{
    static const double unordered[] = { 0.02, 0.01 }, zero[] = { 0 };
    uint64_t seed = 10;
    struct sample s = draw(100, 1e6, &seed);
    struct al_ladder_data d = data_of(&s);
    struct al_ladder_params p = params(AL_LOSS_NET);
    struct al_policy policy;
    struct al_error err;

    (void)state;
    p.confidence = 1;
    assert_int_equal(al_ladder_certify(&d, &p, &policy, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "confidence"));
    p = params(AL_LOSS_NET);
    p.max_loss = unordered;
    p.n_levels = 2;
    assert_int_equal(al_ladder_certify(&d, &p, &policy, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "level 2"));
    p.max_loss = zero;
    p.n_levels = 1;
    assert_int_equal(al_ladder_certify(&d, &p, &policy, &err), AL_INVALID);
    p = params(AL_LOSS_NET);
    d.n_rows = 0;
    assert_int_equal(al_ladder_certify(&d, &p, &policy, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "rows"));
    drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_hold_on_new_data),
        cmocka_unit_test(the_net_loss_lets_more_leave),
        cmocka_unit_test(levels_are_worth_having),
        cmocka_unit_test(what_a_level_says_is_what_its_rule_does),
        cmocka_unit_test(the_fast_walk_finds_what_the_definition_finds),
        cmocka_unit_test(too_few_rows_certify_nothing),
        cmocka_unit_test(rows_that_all_err_early_never_leave),
        cmocka_unit_test(rows_that_are_all_right_leave_at_once),
        cmocka_unit_test(scores_that_are_no_numbers_stay_to_the_end),
        cmocka_unit_test(a_costly_branch_is_not_used),
        cmocka_unit_test(a_plain_classifier_has_levels_that_change_nothing),
        cmocka_unit_test(outcome_counts_each_exit),
        cmocka_unit_test(wrong_parameters_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
