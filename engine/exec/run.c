#include "engine/exec/plan.h"
#include "engine/exec/share.h"

/* Less work than this (multiply-adds of all rows) is not worth waking a thread for: at a
 * quarter of it a team lost a sixth on ResNet-20 (scripts/bench/team). */
#define SHARED_MACS_MIN   ((uint64_t)4 << 20)
/* Ranges a thread: more even out threads that are late, fewer keep weights in cache. */
#define RANGES_PER_THREAD 4

void al_plan_run(const struct al_plan *p, uint32_t slot, struct al_run *r)
{
    for (size_t i = p->part_begin[slot]; i < p->part_begin[slot + 1]; i++)
        p->steps[i].run(&p->steps[i], r);
}

struct shared {
    al_tiles_fn fn;
    void *arg;
    size_t n_tiles, n_ranges;
    char *scratch;
    size_t scratch_stride;
};

static void run_range(void *arg, size_t i, size_t worker)
{
    const struct shared *s = arg;
    size_t begin = s->n_tiles * i / s->n_ranges;
    size_t end = s->n_tiles * (i + 1) / s->n_ranges;

    s->fn(s->arg, begin, end, s->scratch + worker * s->scratch_stride);
}

void al_share(struct al_run *r, const struct al_step *s, size_t n_tiles, al_tiles_fn fn,
              void *arg)
{
    if (!r->team || r->team->n_threads < 2 || n_tiles < 2 ||
        s->macs * r->n < SHARED_MACS_MIN) {
        fn(arg, 0, n_tiles, r->scratch);
        return;
    }

    struct shared shared = { fn,         arg,
                             n_tiles,    r->team->n_threads * RANGES_PER_THREAD,
                             r->scratch, r->scratch_stride };
    if (shared.n_ranges > n_tiles)
        shared.n_ranges = n_tiles;
    r->team->run(r->team, shared.n_ranges, run_range, &shared);
}
