/* cost.h — what a batch of b rows costs: t(b) = a + c b, fitted to measured runs by
 * exponentially weighted least squares. Before the first run everything costs 0. */
#ifndef SV_CORE_COST_H
#define SV_CORE_COST_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory has seen nothing. */
struct sv_cost {
    double weight, sum_b, sum_t, sum_bb, sum_bt; /* decayed moments */
    double fixed_ns;                             /* a */
    double row_ns;                               /* c */
};

void sv_cost_observe(struct sv_cost *c, size_t n_rows, uint64_t elapsed_ns);
uint64_t sv_cost_ns(const struct sv_cost *c, size_t n_rows);
/* Smallest batch whose fixed part is at most a quarter of its time, 1 to max_batch. */
size_t sv_cost_worthwhile(const struct sv_cost *c, size_t max_batch);
/* Most rows, at least 1, that finish within `budget_ns`. */
size_t sv_cost_rows_within(const struct sv_cost *c, uint64_t budget_ns);
#endif
