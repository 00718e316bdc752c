/* Single terms by C. Loader, "Fast and accurate computation of binomial probabilities"
 * (2000): Stirling's formula with its error and the deviance kept apart, so that nothing
 * large cancels. A tail is then summed outward from its largest term, each term a ratio
 * of the last, until terms no longer count: O(sqrt(n)) of them. */
#include "engine/exit/binomial.h"

#include <math.h>
#include <stddef.h>

/* ln n! minus Stirling's formula for it. */
static double stirling_error(double n)
{
    if (n < 16)
        return log(tgamma(n + 1)) - (n + 0.5) * log(n) + n - 0.5 * log(2 * M_PI);
    const double n2 = n * n;

    return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680) / n2) / n2) / n2) / n;
}

/* x ln(x/m) + m - x, without cancellation where x is near m. */
static double deviance(double x, double m)
{
    if (fabs(x - m) > 0.1 * (x + m))
        return x * log(x / m) + m - x;
    const double v = (x - m) / (x + m), v2 = v * v;
    double sum = (x - m) * v, term = 2 * x * v;

    for (int j = 1; j < 64; j++) {
        term *= v2;
        const double next = sum + term / (2 * j + 1);

        if (!(next < sum) && !(next > sum))
            break;
        sum = next;
    }
    return sum;
}

/* P(X = k), 0 < p < 1. */
static double term(double k, double n, double p)
{
    const double q = 1 - p;

    if (k < 1)
        return exp(n * log1p(-p));
    if (k >= n)
        return exp(n * log(p));
    const double log_ratio = stirling_error(n) - stirling_error(k) -
                             stirling_error(n - k) - deviance(k, n * p) -
                             deviance(n - k, n * q);

    return exp(log_ratio) * sqrt(n / (2 * M_PI * k * (n - k)));
}

static double sum_down(double k, double n, double p)
{
    double t = term(k, n, p), sum = t;

    while (k > 0 && t > sum * 1e-18) {
        t *= k * (1 - p) / ((n - k + 1) * p);
        sum += t;
        k--;
    }
    return sum;
}

static double sum_up(double k, double n, double p)
{
    double t = term(k, n, p), sum = t;

    while (k < n && t > sum * 1e-18) {
        t *= (n - k) * p / ((k + 1) * (1 - p));
        sum += t;
        k++;
    }
    return sum;
}

double al_binomial_cdf(uint64_t k, uint64_t n, double p)
{
    if (k >= n || !(p > 0))
        return 1;
    if (p >= 1)
        return 0;
    const double kd = (double)k, nd = (double)n;

    return kd < nd * p ? fmin(sum_down(kd, nd, p), 1) : 1 - sum_up(kd + 1, nd, p);
}

double al_binomial_term(uint64_t k, uint64_t n, double p)
{
    if (!(p > 0) || p >= 1)
        return k == (p > 0 ? n : 0);
    return term((double)k, (double)n, p);
}

void al_wilson_interval(uint64_t hits, uint64_t n, double *ret_low, double *ret_high)
{
    const double z = 1.959963984540054; /* 97.5 % point of the normal law */

    *ret_low = 0;
    *ret_high = 1;
    if (n == 0)
        return;
    const double nd = (double)n, rate = (double)hits / nd, z2 = z * z / nd;
    const double centre = (rate + z2 / 2) / (1 + z2);
    const double half = z * sqrt(rate * (1 - rate) / nd + z2 / (4 * nd)) / (1 + z2);

    *ret_low = fmax(centre - half, 0);
    *ret_high = fmin(centre + half, 1);
}
