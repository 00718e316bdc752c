/* Rows that differ are Binomial(n, d); among them losses are Binomial with the share that
 * d and the net loss dictate. Both laws are walked together, one more differing row a
 * step, by the ratio of neighbouring terms: O(sqrt(n d)) for one tail. */
#include "engine/exit/net_loss.h"

#include <math.h>

#include "engine/exit/binomial.h"

#define SPREAD    10   /* standard deviations beyond which a law has no weight */
#define TOLERANCE 1.02 /* how far above the worst point a bound may stay */
#define MAX_DEPTH 40
#define TINY      1e-290 /* a term below cannot carry a walk: it starts afresh */

/* The observed difference and the null hypothesis it is held against. */
struct test {
    uint64_t n;
    int64_t net; /* losses minus wins */
    double max_loss;
};

/* P(losses <= k) among m differing rows of which each is a loss with probability `share`,
 * and the term at k: what the walk over m carries along. */
struct among {
    int64_t k, m;
    double share, term, sum;
};

static struct among among_start(int64_t k, int64_t m, double share)
{
    struct among a = { .k = k, .m = m, .share = share, .sum = 1 };

    if (k < m) {
        a.sum = al_binomial_cdf((uint64_t)k, (uint64_t)m, share);
        a.term = al_binomial_term((uint64_t)k, (uint64_t)m, share);
    }
    return a;
}

/* One more row: P(X <= k) falls by the chance that it is the one loss too many. */
static void among_add_row(struct among *a)
{
    if (a->k >= a->m || a->term < TINY) {
        *a = among_start(a->k, a->m + 1, a->share);
        return;
    }
    a->sum -= a->share * a->term;
    a->m++;
    a->term *= (double)a->m / (double)(a->m - a->k) * (1 - a->share);
}

static void among_allow_loss(struct among *a)
{
    a->k++;
    if (a->k >= a->m || a->term < TINY) {
        *a = among_start(a->k, a->m, a->share);
        return;
    }
    a->term *= (double)(a->m - a->k + 1) / (double)a->k * a->share / (1 - a->share);
    a->sum += a->term;
}

/* P(losses - wins <= net) when a row is a loss or a win with these probabilities. */
static double tail(const struct test *t, double p_loss, double p_win)
{
    const double n = (double)t->n, d = p_loss + p_win;
    const double spread = SPREAD * sqrt(n * d * fmax(1 - d, 0)) + SPREAD;
    const double lowest =
        t->net < 0 ? (double)-t->net : 0; /* fewer cannot give so many wins */
    const double first = floor(fmax(n * d - spread, lowest));
    const double last = fmin(n * d + spread, n);

    if (first > last)
        return 0;
    if (d >= 1) /* every row differs */
        return among_start((t->net + (int64_t)t->n) / 2, (int64_t)t->n, p_loss).sum;
    int64_t m = (int64_t)first;
    struct among a = among_start((t->net + m) / 2, m, p_loss / d);
    const double odds = d / (1 - d);
    double weight = al_binomial_term((uint64_t)m, t->n, d), sum = weight * a.sum;

    for (; m < (int64_t)last; m++) {
        weight *= (n - (double)m) / ((double)m + 1) * odds;
        among_add_row(&a);
        if ((t->net + m + 1) / 2 > a.k)
            among_allow_loss(&a);
        sum += weight * a.sum;
    }
    return sum;
}

/* The worst tail for d in [low, high], from above. The net loss grows with every loss and
 * falls with every win, so fewest losses with most wins bound the whole stretch; it is
 * halved until that is close to a value the tail does take. `*worst`: the largest seen.
 */
static double worst_tail(const struct test *t, double low, double high, double *worst,
                         int depth)
{
    const double p_loss = (low + t->max_loss) / 2, p_win = (high - t->max_loss) / 2;
    const double bound = tail(t, p_loss, p_win);

    *worst = fmax(*worst, tail(t, (high + t->max_loss) / 2, p_win));
    if (bound <= TOLERANCE * *worst || depth == MAX_DEPTH)
        return bound;
    const double middle = (low + high) / 2;
    const double above = worst_tail(t, middle, high, worst, depth + 1);

    return fmax(above, worst_tail(t, low, middle, worst, depth + 1));
}

/* The rate above which so few hits happen with probability `miss` only. */
static double upper_limit(uint64_t hits, uint64_t n, double miss)
{
    double low = 0, high = 1;

    for (int i = 0; i < 50; i++) {
        const double middle = (low + high) / 2;

        if (al_binomial_cdf(hits, n, middle) > miss)
            low = middle;
        else
            high = middle;
    }
    return high;
}

double al_net_loss_p_value(uint64_t n, uint64_t n_losses, uint64_t n_wins,
                           double max_loss, double miss)
{
    const struct test t = { .n = n,
                            .net = (int64_t)n_losses - (int64_t)n_wins,
                            .max_loss = max_loss };
    const double limit = upper_limit(n_losses + n_wins, n, miss);
    double worst = miss; /* a tail below that hardly counts */

    if (limit <= max_loss) /* too few rows differ for such a net loss */
        return fmin(miss, 1);
    return fmin(miss + worst_tail(&t, max_loss, limit, &worst, 0), 1);
}

void al_net_loss_interval(uint64_t n, uint64_t n_losses, uint64_t n_wins, double *ret_low,
                          double *ret_high)
{
    const double z = 1.959963984540054; /* 97.5 % point of the normal law */

    *ret_low = -1;
    *ret_high = 1;
    if (n == 0)
        return;
    const double rows = (double)n + 2, a = (double)n_losses + 0.5,
                 b = (double)n_wins + 0.5;
    const double net = (a - b) / rows;
    const double half = z * sqrt(((a + b) / rows - net * net) / rows);

    *ret_low = fmax(net - half, -1);
    *ret_high = fmin(net + half, 1);
}
