/* How much work is before a request.
 *
 * Of two entries of a queue the one due first runs first. So what waits already and has
 * no longer a span from arrival to due time than `r` runs before it, whenever it came: it
 * is enough to know how many entries of each span wait. Spans are told apart by a quarter
 * of an octave. */
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

uint64_t sv_ahead_ns(const struct sv_sched *s, const struct sv_request *r)
{
    const struct sv_model *m = r->model;
    size_t last = sv_span_class(r);
    uint64_t ns = 0;

    for (size_t i = 0; i <= m->n_stages; i++)
        if (m->steps[i].queue.n > 0)
            ns += n_ahead(&m->steps[i], last) * sv_model_entry_ns(m, i);
    return ns / s->p.n_workers;
}
