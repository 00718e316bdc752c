/* team.h — a parallel-for that the caller of the engine provides; the engine itself owns
 * no thread. */
#ifndef AL_BASE_TEAM_H
#define AL_BASE_TEAM_H

#include <stddef.h>

/* run() calls fn(arg, i, worker) once for each i < n, worker < n_threads, and returns
 * when all calls have. Calls with equal `worker` never overlap. */
struct al_team {
    size_t n_threads;
    void (*run)(struct al_team *team, size_t n,
                void (*fn)(void *arg, size_t i, size_t worker), void *arg);
};

#endif
