/* binomial.h — the exact binomial law behind the certificates, and an interval for
 * reports. Pure. */
#ifndef AL_EXIT_BINOMIAL_H
#define AL_EXIT_BINOMIAL_H

#include <stdint.h>

/* P(X <= k) for X ~ Binomial(n, p): a sum of exact terms, to about 1e-13 relative, for
 * any n below 2^53. */
double al_binomial_cdf(uint64_t k, uint64_t n, double p);

/* P(X = k), k <= n, to about 1e-13 relative. */
double al_binomial_term(uint64_t k, uint64_t n, double p);

/* Wilson score interval of `hits` of `n` at 95 %; [0, 1] for n = 0. */
void al_wilson_interval(uint64_t hits, uint64_t n, double *ret_low, double *ret_high);

#endif
