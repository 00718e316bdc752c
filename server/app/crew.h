/* crew.h — workers that share the stage run of one of them: the engine's team, joined at
 * will. One worker leads; whoever finds nothing else to do may help, and leaves when
 * there is something or the run is over. Nobody waits for a helper that has not come; the
 * leader does wait for one that is inside a step, for one range of its tiles at most.
 * Nothing is allocated. */
#ifndef SV_APP_CREW_H
#define SV_APP_CREW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/team.h"

struct sv_crew {
    struct al_team team; /* first: the engine sees only this */
    /* Wakes helpers that sleep, whose number is n_asleep. Called by the leader, with
     * nothing held. */
    void (*wake)(void *arg);
    void *arg;
    atomic_uint n_asleep;

    atomic_bool open; /* a stage is running */
    _Atomic uint64_t state;
    atomic_size_t next; /* index of the present step to be taken */
    size_t n;           /* how many there are */
    void (*fn)(void *arg, size_t i, size_t worker);
    void *fn_arg;
    bool helped; /* the leader's: somebody joined */
};

void sv_crew_init(struct sv_crew *c, void (*wake)(void *arg), void *arg);

/* The leader's, around its run: places for `n_helpers`; whether any came. */
void sv_crew_open(struct sv_crew *c, size_t n_helpers);
bool sv_crew_close(struct sv_crew *c);

enum sv_crew_end {
    SV_CREW_OVER, /* the run is, or `leave` was set */
    SV_CREW_QUIET /* no step for a while: sleep until sv_crew_is_news, then go on */
};
/* A helper's: works until there is a reason not to. `seen`, zeroed at first, is the step
 * it has seen last. */
enum sv_crew_end sv_crew_help(struct sv_crew *c, const atomic_bool *leave,
                              uint64_t *seen);
/* Whether a helper that sleeps has to get up: to be asked after n_asleep was raised. */
bool sv_crew_is_news(struct sv_crew *c, uint64_t seen);

#endif
