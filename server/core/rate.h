/* rate.h — events per second over the last 1 to 60 whole seconds. Times are given, in ns
 * of any monotonic clock. Guarded by the owner's lock, like a histogram. */
#ifndef SV_CORE_RATE_H
#define SV_CORE_RATE_H

#include <stddef.h>
#include <stdint.h>

#define SV_RATE_SLOTS 64 /* a power of two above 61 */

/* Zeroed memory has seen nothing. */
struct sv_rate {
    uint64_t second[SV_RATE_SLOTS]; /* which second a slot counts, plus one */
    uint64_t count[SV_RATE_SLOTS];
};

void sv_rate_add(struct sv_rate *r, uint64_t now_ns, uint64_t n);
/* Mean over the `window_s` (1 to 60) whole seconds before the current one. */
double sv_rate_per_second(const struct sv_rate *r, uint64_t now_ns, unsigned window_s);

#endif
