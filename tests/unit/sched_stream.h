/* sched_stream.h — the arrivals of a simulation, recorded or drawn at random, and the
 * chance everything else of it draws on. Same parameters, same stream. */
#ifndef TEST_SCHED_STREAM_H
#define TEST_SCHED_STREAM_H

#include "sched_sim.h"

struct sim_stream {
    const struct sim_params *p;
    uint64_t random;
    uint64_t n_drawn;
    struct sim_arrival next; /* at_ns UINT64_MAX: no more */
};

/* `next` is the first arrival. */
struct sim_stream sim_stream_new(const struct sim_params *p);
void sim_stream_next(struct sim_stream *s);

uint64_t sim_mix(uint64_t x); /* splitmix64 */
/* Of [0,1), by `x` alone. */
double sim_uniform(uint64_t x);
/* The next of the stream's own. */
double sim_chance(struct sim_stream *s);

#endif
