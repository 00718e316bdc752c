#include "server/core/rate.h"

#define SECOND_NS 1000000000U

void sv_rate_add(struct sv_rate *r, uint64_t now_ns, uint64_t n)
{
    uint64_t second = now_ns / SECOND_NS;
    size_t i = second % SV_RATE_SLOTS;

    if (r->second[i] != second + 1) {
        r->second[i] = second + 1;
        r->count[i] = 0;
    }
    r->count[i] += n;
}

double sv_rate_per_second(const struct sv_rate *r, uint64_t now_ns, unsigned window_s)
{
    uint64_t second = now_ns / SECOND_NS;
    uint64_t sum = 0;

    for (unsigned ago = 1; ago <= window_s && ago <= second; ago++) {
        size_t i = (second - ago) % SV_RATE_SLOTS;
        if (r->second[i] == second - ago + 1)
            sum += r->count[i];
    }
    return (double)sum / window_s;
}
