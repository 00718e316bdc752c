#include "server/core/histogram.h"

#define SUB  ((uint64_t)1 << SV_HISTOGRAM_SUB_BITS)
#define LAST (SV_HISTOGRAM_BUCKETS - 1)

/* Values below SUB have a bucket each; above, octave e (2^e <= value) has SUB buckets. */
size_t sv_histogram_bucket(uint64_t value)
{
    unsigned shift;

    if (value < SUB)
        return value;
    if (value >> SV_HISTOGRAM_MAX_BITS)
        return LAST;
    shift = 63 - (unsigned)__builtin_clzll(value) - SV_HISTOGRAM_SUB_BITS;
    return ((size_t)(shift + 1) << SV_HISTOGRAM_SUB_BITS) + (value >> shift) - SUB;
}

uint64_t sv_histogram_lower(size_t bucket)
{
    size_t octave = bucket >> SV_HISTOGRAM_SUB_BITS;

    if (octave == 0)
        return bucket;
    return ((bucket & (SUB - 1)) + SUB) << (octave - 1);
}

void sv_histogram_add(struct sv_histogram *h, uint64_t value, uint64_t times)
{
    h->bucket[sv_histogram_bucket(value)] += times;
    h->count += times;
    h->sum += value * times;
    if (value > h->max)
        h->max = value;
}

uint64_t sv_histogram_quantile(const struct sv_histogram *h, double q)
{
    double rank = q * (double)h->count;
    uint64_t seen = 0;

    if (h->count == 0)
        return 0;
    for (size_t i = 0; i < LAST; i++) {
        uint64_t upper = sv_histogram_lower(i + 1) - 1;
        seen += h->bucket[i];
        if (seen > 0 && (double)seen >= rank)
            return upper < h->max ? upper : h->max;
    }
    return h->max;
}

uint64_t sv_histogram_upto(const struct sv_histogram *h, struct sv_histogram_walk *walk,
                           uint64_t value)
{
    while (walk->bucket < LAST && sv_histogram_lower(walk->bucket + 1) - 1 <= value)
        walk->seen += h->bucket[walk->bucket++];
    return h->max <= value ? h->count : walk->seen;
}
