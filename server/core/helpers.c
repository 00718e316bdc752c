/* How many idle workers help with a run. Helping costs nobody anything while nothing else
 * waits, but it need not pay: a small run is over before the helpers are awake, and where
 * others use the processors a run waits for helpers that do not get on. So runs with
 * help are timed, and as long as they have not been faster help is tried rarely. */
#include <math.h>

#include "server/core/state.h"

#define WORTH_WAKING_NS 500000 /* alone; some 50 us pass until a helper is there */
#define PAYS            0.95   /* of the time alone */
#define WORST           1.5    /* one run held up must not weigh more */
#define NEW_SHARE       0.5    /* weight of the last run */
#define TRY_EVERY       64

static bool pays(struct sv_help *h)
{
    return h->time_share < PAYS || ++h->n_declined % TRY_EVERY == 0;
}

size_t sv_helpers(const struct sv_sched *s, struct sv_model *m, uint32_t step, size_t n)
{
    struct sv_step *st = &m->steps[step];
    size_t busy = s->n_working + s->n_helping + 1;
    size_t idle = busy < s->p.n_workers ? s->p.n_workers - busy : 0;
    size_t most = m->max_threads - 1;

    if (step == 0 || idle == 0 || most == 0 || s->n_queued > 0 ||
        sv_cost_ns(&st->cost, n) < WORTH_WAKING_NS || !pays(&st->help))
        return 0;
    return idle < most ? idle : most;
}

void sv_helped(struct sv_step *st, size_t n, uint64_t elapsed_ns)
{
    double share = fmin((double)elapsed_ns / (double)sv_cost_ns(&st->cost, n), WORST);
    struct sv_help *h = &st->help;

    if (h->time_share > 0)
        share = NEW_SHARE * share + (1 - NEW_SHARE) * h->time_share;
    h->time_share = share;
}
