/* How much work is before a request.
 *
 * Of two entries of a queue the one due first runs first. So what waits already and has
 * no longer a span from arrival to due time than `r` runs before it, whenever it came: it
 * is enough to know how many entries of each span wait. Spans are told apart by a quarter
 * of an octave.
 *
 * Models share the workers evenly. So while the work before `r` in its own model gets
 * done, every other model gets as much time, unless all it has takes less. */
#include "server/core/state.h"

#define SHORTEST_LOG2 15 /* of ns: all up to 33 us are alike */

size_t sv_span_class(const struct sv_request *r)
{
    uint64_t span = r->due_ns - r->arrived_ns;
    unsigned log2;
    size_t i;

    if (span >> SHORTEST_LOG2 == 0)
        return 0;
    log2 = 63 - (unsigned)__builtin_clzll(span);
    i = 4 * (log2 - SHORTEST_LOG2) + (span >> (log2 - 2) & 3) + 1;
    return i < SV_SPANS ? i : SV_SPANS - 1;
}

static size_t n_ahead(const struct sv_step *st, size_t last)
{
    size_t n = 0;

    for (size_t i = 0; i <= last; i++)
        n += st->by_span[i];
    return n;
}

static uint64_t own_ahead_ns(const struct sv_model *m, size_t last)
{
    uint64_t ns = 0;

    for (size_t i = 0; i <= m->n_stages; i++)
        if (m->steps[i].queue.n > 0)
            ns += n_ahead(&m->steps[i], last) * sv_model_entry_ns(m, i);
    return ns;
}

uint64_t sv_ahead_ns(const struct sv_sched *s, const struct sv_request *r)
{
    uint64_t own_ns = own_ahead_ns(r->model, sv_span_class(r));
    uint64_t ns = own_ns;

    for (const struct sv_model *m = s->active; m && own_ns > 0; m = m->next) {
        uint64_t other_ns = m == r->model ? 0 : sv_model_queued_ns(m);

        ns += other_ns < own_ns ? other_ns : own_ns;
    }
    return ns / s->p.n_workers;
}
