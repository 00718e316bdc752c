#include "server/core/cost.h"

#include <math.h>

#define KEEP 0.97 /* share of the past that outlives a run: a memory of some 33 runs */

/* Least squares line through the decayed moments, with neither part negative. Runs that
 * all had nearly the same size tell nothing about the fixed part: it keeps its share. */
static void fit(struct sv_cost *c)
{
    double mean_b = c->sum_b / c->weight, mean_t = c->sum_t / c->weight;
    double var_b = c->sum_bb / c->weight - mean_b * mean_b;
    double cov = c->sum_bt / c->weight - mean_b * mean_t;

    if (var_b > 0.01 * mean_b * mean_b)
        c->fixed_ns = mean_t - cov / var_b * mean_b;
    c->fixed_ns = fmin(fmax(c->fixed_ns, 0), mean_t);
    c->row_ns = (mean_t - c->fixed_ns) / mean_b;
}

void sv_cost_observe(struct sv_cost *c, size_t n_rows, uint64_t elapsed_ns)
{
    double b = (double)n_rows, t = (double)elapsed_ns;

    c->weight = c->weight * KEEP + 1;
    c->sum_b = c->sum_b * KEEP + b;
    c->sum_t = c->sum_t * KEEP + t;
    c->sum_bb = c->sum_bb * KEEP + b * b;
    c->sum_bt = c->sum_bt * KEEP + b * t;
    fit(c);
}

uint64_t sv_cost_ns(const struct sv_cost *c, size_t n_rows)
{
    return (uint64_t)(c->fixed_ns + c->row_ns * (double)n_rows);
}

size_t sv_cost_worthwhile(const struct sv_cost *c, size_t max_batch)
{
    double b = 3 * c->fixed_ns;

    if (b <= c->row_ns)
        return 1;
    if (b >= c->row_ns * (double)max_batch)
        return max_batch;
    return (size_t)ceil(b / c->row_ns);
}

size_t sv_cost_rows_within(const struct sv_cost *c, uint64_t budget_ns)
{
    double left = (double)budget_ns - c->fixed_ns;

    if (left >= c->row_ns * (double)SIZE_MAX / 2)
        return SIZE_MAX;
    return left < c->row_ns ? 1 : (size_t)(left / c->row_ns);
}
