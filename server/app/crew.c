/* A step is announced by a new number in `state`. While it is open, helpers take one of
 * its places, which makes them worker 1, 2, … of the step, then indices from `next` until
 * none are left. The leader, worker 0, does what nobody else takes, closes the step and
 * waits for those inside. Places are of a step and not of the run, so that a helper may
 * come and go, and one that lingers from the last run does no harm. */
#include "server/app/crew.h"

#include <sched.h>

#define SPINS_BEFORE_SLEEP 20000

/* `state`: number of the step, whether it may be joined, places left, helpers inside. */
#define STEP   ((uint64_t)1 << 32)
#define OPEN   ((uint64_t)1 << 31)
#define PLACE  ((uint64_t)1 << 16)
#define PLACES (OPEN - PLACE)
#define INSIDE (PLACE - 1)

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void wake(struct sv_crew *c)
{
    if (atomic_load(&c->n_asleep) > 0)
        c->wake(c->arg);
}

/* ---- the leader ---- */

static void run(struct al_team *team, size_t n,
                void (*fn)(void *arg, size_t i, size_t worker), void *arg)
{
    struct sv_crew *c = (struct sv_crew *)team;
    uint64_t step = (atomic_load(&c->state) / STEP + 1) * STEP;
    uint64_t places = (c->team.n_threads - 1) * PLACE;
    uint64_t left;
    size_t i;

    c->fn = fn;
    c->fn_arg = arg;
    c->n = n;
    atomic_store(&c->next, 0);
    atomic_store(&c->state, step | OPEN | places);
    wake(c);
    while ((i = atomic_fetch_add(&c->next, 1)) < n)
        fn(arg, i, 0);
    left = atomic_fetch_and(&c->state, ~OPEN);
    c->helped |= (left & PLACES) != places;
    for (int spin = 0; atomic_load(&c->state) & INSIDE; spin++) {
        if (spin < SPINS_BEFORE_SLEEP)
            relax();
        else
            (void)sched_yield(); /* a helper waits for a processor */
    }
}

void sv_crew_init(struct sv_crew *c, void (*wake_fn)(void *arg), void *arg)
{
    *c = (struct sv_crew){ .team = { .n_threads = 1, .run = run },
                           .wake = wake_fn,
                           .arg = arg };
}

void sv_crew_open(struct sv_crew *c, size_t n_helpers)
{
    c->team.n_threads = 1 + n_helpers;
    c->helped = false;
    atomic_store(&c->open, true);
}

bool sv_crew_close(struct sv_crew *c)
{
    atomic_store(&c->open, false);
    wake(c);
    return c->helped;
}

/* ---- helpers ---- */

static bool has_place(uint64_t state, uint64_t seen)
{
    return state / STEP != seen && (state & OPEN) && (state & PLACES);
}

/* Takes a place of a step not seen before; its number, 0: there is none. */
static size_t join(struct sv_crew *c, uint64_t *seen)
{
    uint64_t state = atomic_load(&c->state);

    while (has_place(state, *seen)) {
        if (!atomic_compare_exchange_weak(&c->state, &state, state - PLACE + 1))
            continue;
        *seen = state / STEP;
        return (state & PLACES) / PLACE;
    }
    return 0;
}

static void take_part(struct sv_crew *c, size_t worker, const atomic_bool *leave)
{
    size_t i;

    while (!atomic_load(leave) && (i = atomic_fetch_add(&c->next, 1)) < c->n)
        c->fn(c->fn_arg, i, worker);
    atomic_fetch_sub(&c->state, 1);
}

enum sv_crew_end sv_crew_help(struct sv_crew *c, const atomic_bool *leave, uint64_t *seen)
{
    for (int spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
        size_t worker;

        if (!atomic_load(&c->open) || atomic_load(leave))
            return SV_CREW_OVER;
        worker = join(c, seen);
        if (worker) {
            take_part(c, worker, leave);
            spin = 0;
        }
        relax();
    }
    return SV_CREW_QUIET;
}

bool sv_crew_is_news(struct sv_crew *c, uint64_t seen)
{
    return !atomic_load(&c->open) || has_place(atomic_load(&c->state), seen);
}
