#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "engine/exit/binomial.h"

/* Values of scipy.stats.binom.cdf (scipy 1.10). */
static const struct {
    uint64_t k, n;
    double p, cdf;
} scipy_values[] = {
    { 0, 1000, 0.005, 0.0066539685788319933 },
    { 0, 10, 0.5, 0.0009765625 },
    { 9, 10, 0.5, 0.9990234375 },
    { 3, 7, 0.3, 0.87396399999999996 },
    { 20, 30, 0.25, 0.99999971816746236 },
    { 5, 30, 0.25, 0.20259807422213783 },
    { 16, 5000, 0.005, 0.037400097282605918 },
    { 15, 5000, 0.005, 0.02204611175572823 },
    { 38, 5000, 0.01, 0.046565738776679383 },
    { 83, 5000, 0.02, 0.044717726008724971 },
    { 350, 100000, 0.004, 0.0057805557670393588 },
    { 4999, 1000000, 0.005, 0.49810522016359454 },
    { 4700, 1000000, 0.005, 9.0509134859483742e-06 },
    { 500123, 1000000, 0.5, 0.59754588048416402 },
};

static void the_cdf_agrees_with_scipy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scipy_values) / sizeof(scipy_values[0]); i++) {
        const double want = scipy_values[i].cdf;
        const double got =
            al_binomial_cdf(scipy_values[i].k, scipy_values[i].n, scipy_values[i].p);

        assert_true(fabs(got - want) <= 2e-11 * want);
    }
}

static void the_cdf_of_small_n_is_the_sum_of_its_terms(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 40; n++) {
        const double p = 0.37;
        double choose = 1, sum = 0;

        for (unsigned k = 0; k < n; k++) {
            sum += choose * pow(p, k) * pow(1 - p, n - k);
            choose = choose * (n - k) / (k + 1);
            assert_true(fabs(al_binomial_cdf(k, n, p) - sum) <= 1e-13);
        }
    }
}

static void the_cdf_rises_with_k_across_the_mean(void **state)
{
    double below = 0;

    (void)state;
    for (uint64_t k = 0; k < 300; k++) {
        const double here = al_binomial_cdf(k, 10000, 0.01);

        assert_true(here >= below);
        below = here;
    }
    assert_true(fabs(below - 1) < 1e-12);
}

static void the_edges_of_the_cdf_are_exact(void **state)
{
    (void)state;
    assert_true(fabs(al_binomial_cdf(5, 5, 0.9) - 1) < 1e-300);
    assert_true(fabs(al_binomial_cdf(0, 5, 0) - 1) < 1e-300);
    assert_true(fabs(al_binomial_cdf(4, 5, 1)) < 1e-300);
    assert_true(fabs(al_binomial_cdf(0, 0, 0.5) - 1) < 1e-300);
    assert_true(fabs(al_binomial_cdf(50, 1000000, 0.001)) < 1e-300);
}

static void terms_are_the_steps_of_the_cdf(void **state)
{
    (void)state;
    for (uint64_t k = 1; k < 80; k++) {
        const double step =
            al_binomial_cdf(k, 3000, 0.01) - al_binomial_cdf(k - 1, 3000, 0.01);

        assert_true(fabs(al_binomial_term(k, 3000, 0.01) - step) < 1e-14);
    }
    assert_true(fabs(al_binomial_term(0, 4, 0) - 1) < 1e-300);
    assert_true(fabs(al_binomial_term(4, 4, 1) - 1) < 1e-300);
    assert_true(fabs(al_binomial_term(3, 4, 1)) < 1e-300);
}

/* scipy.stats.binomtest(8950, 10000).proportion_ci(method='wilson') */
static void the_wilson_interval_agrees_with_scipy(void **state)
{
    double low, high;

    (void)state;
    al_wilson_interval(8950, 10000, &low, &high);
    assert_true(fabs(low - 0.8888392230814278) < 1e-12);
    assert_true(fabs(high - 0.9008574182057377) < 1e-12);
}

static void the_wilson_interval_stays_within_zero_and_one(void **state)
{
    double low, high;

    (void)state;
    al_wilson_interval(10, 10, &low, &high);
    assert_true(low > 0.6 && low < 1 && high <= 1);
    al_wilson_interval(0, 10, &low, &high);
    assert_true(low >= 0 && high > 0 && high < 0.4);
    al_wilson_interval(0, 0, &low, &high);
    assert_true(low <= 0 && high >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cdf_agrees_with_scipy),
        cmocka_unit_test(the_cdf_of_small_n_is_the_sum_of_its_terms),
        cmocka_unit_test(the_cdf_rises_with_k_across_the_mean),
        cmocka_unit_test(the_edges_of_the_cdf_are_exact),
        cmocka_unit_test(terms_are_the_steps_of_the_cdf),
        cmocka_unit_test(the_wilson_interval_agrees_with_scipy),
        cmocka_unit_test(the_wilson_interval_stays_within_zero_and_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
