/* A run is announced by a new generation in `state`. While it is open, members join it by
 * counting themselves in, take indices from `next` until none are left and count
 * themselves out. The caller, member 0, does what nobody else takes, closes the run and
 * waits for those inside only: a member that gets no processor in time misses the run and
 * delays nobody. */
#include "tools/team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum {
    SPINS_BEFORE_SLEEP = 20000
};

/* `state`: generation, whether it may be joined, how many members are inside. */
#define GENERATION ((uint64_t)1 << 32)
#define OPEN       ((uint64_t)1 << 31)
#define INSIDE     (OPEN - 1)

struct member {
    struct team *team;
    pthread_t thread;
    size_t number;
};

struct team {
    struct al_team door; /* first: the engine sees only this */
    struct member *members;
    size_t n_started; /* threads, the caller not counted */
    void (*fn)(void *arg, size_t i, size_t worker);
    void *arg;
    size_t n;
    atomic_size_t next;
    _Atomic uint64_t state;
    atomic_bool stop;
    pthread_mutex_t lock; /* guards sleeping */
    pthread_cond_t wake;
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void take_part(struct team *t, size_t worker)
{
    size_t i;

    while ((i = atomic_fetch_add(&t->next, 1)) < t->n)
        t->fn(t->arg, i, worker);
}

static bool is_news(const struct team *t, uint64_t seen)
{
    return atomic_load(&t->state) / GENERATION != seen;
}

/* Waits for a generation other than `seen`. */
static void wait_for_run(struct team *t, uint64_t seen)
{
    for (int spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
        if (is_news(t, seen))
            return;
        relax();
    }
    (void)pthread_mutex_lock(&t->lock);
    while (!is_news(t, seen))
        (void)pthread_cond_wait(&t->wake, &t->lock);
    (void)pthread_mutex_unlock(&t->lock);
}

/* Counts the thread in unless the run is closed; `*ret_seen` is its generation. */
static bool join_run(struct team *t, uint64_t *ret_seen)
{
    uint64_t state = atomic_load(&t->state);

    while ((state & OPEN) && !atomic_compare_exchange_weak(&t->state, &state, state + 1))
        ;
    *ret_seen = state / GENERATION;
    return state & OPEN;
}

static void *serve(void *arg)
{
    const struct member *m = arg;
    struct team *t = m->team;
    uint64_t seen = 0;

    for (;;) {
        wait_for_run(t, seen);
        if (atomic_load(&t->stop))
            return NULL;
        if (!join_run(t, &seen))
            continue;
        take_part(t, m->number);
        atomic_fetch_sub(&t->state, 1);
    }
}

/* Starts the next generation, open or not; nobody is inside. */
static void announce(struct team *t, uint64_t open)
{
    const uint64_t generation = atomic_load(&t->state) / GENERATION + 1;

    (void)pthread_mutex_lock(&t->lock);
    atomic_store(&t->state, generation * GENERATION | open);
    (void)pthread_cond_broadcast(&t->wake);
    (void)pthread_mutex_unlock(&t->lock);
}

static void run(struct al_team *door, size_t n,
                void (*fn)(void *arg, size_t i, size_t worker), void *arg)
{
    struct team *t = (struct team *)door;

    t->fn = fn;
    t->arg = arg;
    t->n = n;
    atomic_store(&t->next, 0);
    announce(t, OPEN);
    take_part(t, 0);
    (void)atomic_fetch_and(&t->state, ~OPEN);
    for (int spin = 0; atomic_load(&t->state) & INSIDE; spin++) {
        if (spin < SPINS_BEFORE_SLEEP)
            relax();
        else
            (void)sched_yield(); /* a member waits for a processor */
    }
}

enum al_status tl_team_new(size_t n_threads, struct al_team **ret, struct al_error *err)
{
    struct team *t = calloc(1, sizeof(*t));

    if (!t)
        return al_fail(err, AL_NO_MEMORY, "team of %zu", n_threads);
    t->door = (struct al_team){ .n_threads = n_threads, .run = run };
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->wake, NULL);
    t->members = calloc(n_threads, sizeof(*t->members));
    while (t->members && t->n_started + 1 < n_threads) {
        struct member *m = &t->members[t->n_started + 1];

        *m = (struct member){ .team = t, .number = t->n_started + 1 };
        if (pthread_create(&m->thread, NULL, serve, m) != 0)
            break;
        t->n_started++;
    }
    if (t->n_started + 1 < n_threads) {
        tl_team_free(&t->door);
        return al_fail(err, AL_NO_MEMORY, "team of %zu threads", n_threads);
    }
    *ret = &t->door;
    return AL_OK;
}

void tl_team_free(struct al_team *door)
{
    struct team *t = (struct team *)door;

    if (!t)
        return;
    atomic_store(&t->stop, true);
    announce(t, 0);
    for (size_t i = 1; i <= t->n_started; i++)
        (void)pthread_join(t->members[i].thread, NULL);
    (void)pthread_cond_destroy(&t->wake);
    (void)pthread_mutex_destroy(&t->lock);
    free(t->members);
    free(t);
}
