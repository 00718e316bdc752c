#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>

#include "engine/exit/binomial.h"
#include "engine/exit/net_loss.h"

#define SIGNIFICANCE 0.05
#define MISS         0.01

/* P(losses = a, wins = b) of n rows. */
static double trinomial(uint64_t a, uint64_t b, uint64_t n, double p_loss, double p_win)
{
    const double d = p_loss + p_win;

    return al_binomial_term(a + b, n, d) * al_binomial_term(a, a + b, p_loss / d);
}

/* P(losses - wins <= net), pair by pair. */
static double slow_tail(int64_t net, uint64_t n, double p_loss, double p_win)
{
    double sum = 0;

    for (uint64_t a = 0; a <= n; a++) {
        for (uint64_t b = 0; a + b <= n; b++) {
            if ((int64_t)a - (int64_t)b <= net)
                sum += trinomial(a, b, n, p_loss, p_win);
        }
    }
    return sum;
}

/* The worst tail on a grid of d, up to the limit that `d_max` is. */
static double slow_worst(int64_t net, uint64_t n, double max_loss, double d_max)
{
    double worst = 0;

    for (int i = 1; i <= 200; i++) {
        const double d = max_loss + (d_max - max_loss) * i / 200;

        worst = fmax(worst, slow_tail(net, n, (d + max_loss) / 2, (d - max_loss) / 2));
    }
    return worst;
}

/* The d at which so few differing rows happen with probability `miss`. */
static double slow_limit(uint64_t hits, uint64_t n, double miss)
{
    double d = 0;

    while (d < 1 && al_binomial_cdf(hits, n, d) > miss)
        d += 1e-5;
    return d;
}

static void the_p_value_is_that_of_the_definition(void **state)
{
    static const struct {
        uint64_t n, losses, wins;
        double max_loss;
    } cases[] = {
        { 40, 1, 4, 0.05 }, { 40, 6, 9, 0.05 }, { 50, 0, 3, 0.02 },
        { 50, 2, 2, 0.1 },  { 60, 12, 3, 0.3 }, { 60, 0, 20, 0.01 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint64_t n = cases[i].n, a = cases[i].losses, b = cases[i].wins;
        const double limit = slow_limit(a + b, n, MISS);
        const double want =
            slow_worst((int64_t)a - (int64_t)b, n, cases[i].max_loss, limit) + MISS;
        const double got = al_net_loss_p_value(n, a, b, cases[i].max_loss, MISS);

        assert_true(got >= want * (1 - 1e-3));
        assert_true(got <= fmax(want * 1.03, 2.05 * MISS));
    }
}

/* Computed with scipy 1.10: binom.pmf and binom.cdf summed on 400 values of d. */
static void the_p_value_of_thousands_of_rows_agrees_with_scipy(void **state)
{
    static const struct {
        uint64_t n, losses, wins;
        double max_loss, p_value;
    } cases[] = {
        { 5000, 46, 48, 0.005, 0.0109156450794 },
        { 5000, 14, 14, 0.005, 0.00258851369489 },
        { 5000, 74, 54, 0.01, 0.0123332142505 },
        { 20000, 300, 260, 0.005, 0.0111979598141 },
        { 5000, 20, 9, 0.005, 0.0253684918751 },
        { 1000, 3, 5, 0.01, 0.00587564244307 },
        { 60000, 1500, 1400, 0.005, 0.00264980609976 },
        { 5000, 2470, 2529, 0.02, 0.01497118 },
        { 1000000, 101500, 2400, 0.1, 0.00422162 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const double got = al_net_loss_p_value(cases[i].n, cases[i].losses, cases[i].wins,
                                               cases[i].max_loss, 0.0025);

        assert_true(got >= cases[i].p_value * (1 - 1e-3));
        assert_true(got <= fmax(cases[i].p_value * 1.03, 2.05 * 0.0025));
    }
}

/* The size of the test, exactly: over every outcome of n rows whose net loss is just
 * max_loss, or above. */
static double wrong_rejections(uint64_t n, double max_loss, double net, double d)
{
    double sum = 0;

    for (uint64_t a = 0; a <= n; a++) {
        for (uint64_t b = 0; a + b <= n; b++) {
            const double weight = trinomial(a, b, n, (d + net) / 2, (d - net) / 2);

            if (weight > 1e-9 &&
                al_net_loss_p_value(n, a, b, max_loss, MISS) <= SIGNIFICANCE)
                sum += weight;
        }
    }
    return sum;
}

static void a_true_hypothesis_is_hardly_ever_rejected(void **state)
{
    (void)state;
    for (double d = 0.1; d < 1; d += 0.2) {
        assert_true(wrong_rejections(60, 0.1, 0.1, d) <= SIGNIFICANCE);
        assert_true(wrong_rejections(60, 0.08, 0.1, d) <= SIGNIFICANCE);
    }
    /* and the test is not empty: a network that loses nothing passes */
    assert_true(wrong_rejections(60, 0.2, -0.05, 0.1) > 0.9);
}

static void wins_make_up_for_losses(void **state)
{
    (void)state;
    assert_true(al_binomial_cdf(40, 5000, 0.005) > 0.9);
    assert_true(al_net_loss_p_value(5000, 40, 40, 0.005, 0.0025) < 0.0125);
    assert_true(al_net_loss_p_value(5000, 40, 5, 0.005, 0.0025) > 0.5);
}

static void few_rows_prove_nothing(void **state)
{
    (void)state;
    assert_true(al_net_loss_p_value(1, 0, 0, 0.005, MISS) > 0.9);
    assert_true(al_net_loss_p_value(100, 0, 0, 0.005, MISS) > 0.5);
    assert_true(al_net_loss_p_value(2000, 0, 0, 0.005, MISS) <= MISS);
}

static void rows_that_all_differ_are_judged_too(void **state)
{
    (void)state;
    assert_true(al_net_loss_p_value(50, 50, 0, 0.1, MISS) >= 1);
    assert_true(al_net_loss_p_value(50, 0, 50, 0.1, MISS) < MISS * 1.1);
}

static void the_interval_is_that_of_agresti_and_min(void **state)
{
    double low, high;

    (void)state;
    al_net_loss_interval(98, 11, 5, &low, &high);
    assert_true(fabs((low + high) / 2 - 0.06) < 1e-12);
    assert_true(fabs((high - low) / 2 - 1.959963984540054 * sqrt((0.17 - 0.0036) / 100)) <
                1e-12);
    al_net_loss_interval(0, 0, 0, &low, &high);
    assert_true(low <= -1 && high >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_p_value_is_that_of_the_definition),
        cmocka_unit_test(the_p_value_of_thousands_of_rows_agrees_with_scipy),
        cmocka_unit_test(a_true_hypothesis_is_hardly_ever_rejected),
        cmocka_unit_test(wins_make_up_for_losses),
        cmocka_unit_test(few_rows_prove_nothing),
        cmocka_unit_test(rows_that_all_differ_are_judged_too),
        cmocka_unit_test(the_interval_is_that_of_agresti_and_min),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
