#include "tools/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t tl_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t tl_thread_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
