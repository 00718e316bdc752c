/* histogram.h — log-linear histogram of unsigned numbers (nanoseconds): 16 buckets of
 * equal width in each octave, so a bucket is at most 1/16 of its value wide and values
 * below 32 are exact. Values of 2^40 and more (18 minutes in ns) fall into the last
 * bucket. Plain integers: the owner's lock guards writing, and a reader copies the whole
 * struct under the same lock and works on the copy. */
#ifndef SV_CORE_HISTOGRAM_H
#define SV_CORE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define SV_HISTOGRAM_SUB_BITS 4
#define SV_HISTOGRAM_MAX_BITS 40
#define SV_HISTOGRAM_BUCKETS \
    ((size_t)(SV_HISTOGRAM_MAX_BITS - SV_HISTOGRAM_SUB_BITS + 1) << SV_HISTOGRAM_SUB_BITS)

/* Zeroed memory is an empty histogram. */
struct sv_histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t max;
    uint64_t bucket[SV_HISTOGRAM_BUCKETS];
};

void sv_histogram_add(struct sv_histogram *h, uint64_t value, uint64_t times);
/* Bucket that `value` falls into, and the smallest value of a bucket. */
size_t sv_histogram_bucket(uint64_t value);
uint64_t sv_histogram_lower(size_t bucket);
/* Value below or at which the share `q` (0 to 1) of what was added lies: the upper end of
 * its bucket, never above the maximum. 0 when empty. */
uint64_t sv_histogram_quantile(const struct sv_histogram *h, double q);
/* How many of the added values were at most `value`, rounded down to whole buckets. Asked
 * for one value after the other, ascending, with the same `walk`, zeroed at first. */
struct sv_histogram_walk {
    size_t bucket; /* those before it are in `seen` */
    uint64_t seen;
};
uint64_t sv_histogram_upto(const struct sv_histogram *h, struct sv_histogram_walk *walk,
                           uint64_t value);

#endif
