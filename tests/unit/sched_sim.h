/* sched_sim.h — drives the stage scheduler through a stream of events in virtual time: W
 * workers, service times t(b) = a + c b with noise, deadlines, cancellations, priorities,
 * several models. Checks after every step what must always hold (cmocka assertions) and
 * reports what came out. Same parameters, same run. */
#ifndef TEST_SCHED_SIM_H
#define TEST_SCHED_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/histogram.h"

#define SIM_MAX_MODELS  4
#define SIM_MAX_STAGES  4
#define SIM_MAX_WORKERS 8

struct sim_model {
    size_t n_stages, max_batch;
    double share;                 /* of the arrivals */
    uint64_t fixed_ns, row_ns;    /* of each stage */
    uint64_t decode_ns;           /* of a body */
    double leave[SIM_MAX_STAGES]; /* chance to leave at each stage but the last */
};

/* One arrival: of a recorded stream, or drawn at random. */
struct sim_arrival {
    uint64_t at_ns;
    uint64_t deadline_ns; /* after arrival; 0: none */
    uint64_t cancel_ns;   /* after arrival; 0: never */
    unsigned model;
    uint32_t n_rows;
    unsigned priority;
    bool broken; /* its body cannot be decoded */
};

struct sim_params {
    uint64_t seed;
    size_t n_workers, max_rows;
    bool whole_batches;
    size_t max_threads; /* of one run; 0: nobody helps */
    double helped_time; /* of a run with help, per time alone */
    double noise;       /* service times vary by this factor up and down */
    double p_stall;     /* chance that a job is held up, as by another process, */
    uint64_t stall_ns;  /* and for how long */
    size_t n_models;
    struct sim_model models[SIM_MAX_MODELS];

    size_t n_arrivals;
    const struct sim_arrival
        *recorded;     /* [n_arrivals], or NULL: random, by what follows */
    double per_second; /* Poisson arrivals */
    uint32_t max_request_rows;
    unsigned min_priority, max_priority;
    double p_deadline, p_cancel, p_broken;
    uint64_t deadline_ns; /* mean of the deadlines */
};

struct sim_result {
    uint64_t n_refused, n_ok, n_forced_rows, n_timeout, n_broken, n_cancelled, n_jobs;
    uint64_t digest;                /* of every decision, in order */
    uint64_t end_ns;                /* when all was done */
    uint64_t busy_ns;               /* of all workers together */
    uint64_t hold_ns;               /* a worker idle although rows were queued */
    struct sv_histogram latency_ns; /* of requests answered AL_OK */
    uint64_t worst_ns[9];           /* latency by priority */
    uint64_t model_busy_ns[SIM_MAX_MODELS];
    uint64_t model_worst_ns[SIM_MAX_MODELS];
    uint64_t n_runs, n_run_rows, n_helped; /* stage jobs */
};

struct sim_result sim_run(const struct sim_params *p);

#endif
