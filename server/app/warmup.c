#include "server/app/warmup.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/proto/served.h"

#define ALIGNMENT    64
#define BATCH        4 /* a second point of t(b) = a + c b */
#define NO_SCORE     2 /* none is as high: every branch is computed and nothing leaves */
/* A batch tells the fixed part of the cost, which matters in small models; the others
 * shall not be loaded for longer because of it. */
#define MAX_BATCH_NS 20000000U

struct warmup {
    struct sv_model *served;
    const struct al_model *m;
    struct al_workspace *ws;
    char *memory;
    struct al_exit_rule rule;
    struct al_stage_row rows[BATCH];
};

static enum al_status prepare(struct warmup *w, struct al_error *err)
{
    size_t stride = (al_model_row_bytes(w->m) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    w->ws = al_workspace_new();
    w->memory = aligned_alloc(ALIGNMENT, BATCH * stride + ALIGNMENT);
    if (!w->ws || !w->memory)
        return al_fail(err, AL_NO_MEMORY, "warm-up");
    memset(w->memory, 0, BATCH * stride);
    w->rule = al_exit_rule_full();
    for (size_t k = 0; k < AL_MAX_EXITS; k++)
        w->rule.threshold[k] = NO_SCORE;
    for (size_t i = 0; i < BATCH; i++)
        w->rows[i] =
            (struct al_stage_row){ .row = w->memory + i * stride, .rule = &w->rule };
    return al_workspace_reserve(w->ws, w->m, err);
}

uint64_t sv_thread_ns(void)
{
    struct timespec t = { 0 };

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* Runs all stages for `n` rows; the time that took. */
static uint64_t run(struct warmup *w, size_t n, bool observe)
{
    uint64_t start_ns = sv_thread_ns(), before_ns = start_ns;

    for (size_t k = 0; k < al_model_n_stages(w->m); k++) {
        uint64_t now_ns;

        al_stage_run(w->m, w->ws, k, n, w->rows, NULL);
        now_ns = sv_thread_ns();
        if (observe)
            sv_cost_observe(&w->served->steps[k + 1].cost, n, now_ns - before_ns);
        before_ns = now_ns;
    }
    return before_ns - start_ns;
}

enum al_status sv_warm_up(struct sv_model *m, struct al_error *err)
{
    struct warmup w = { .served = m, .m = sv_served_of(m)->package->model };
    enum al_status s = prepare(&w, err);

    if (s == AL_OK) {
        (void)run(&w, 1, false);
        if (run(&w, 1, true) * BATCH < MAX_BATCH_NS && m->max_batch >= BATCH)
            (void)run(&w, BATCH, true);
    }
    al_workspace_free(w.ws);
    free(w.memory);
    return s;
}
