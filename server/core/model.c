#include "server/core/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define REMEMBERED 512 /* requests, and then half of them */

struct sv_model *sv_model_new(const struct sv_model_params *p)
{
    struct sv_model *m = calloc(1, sizeof(*m));

    assert(p->max_batch >= 1 && p->max_batch <= SV_MAX_BATCH);
    if (!m)
        return NULL;
    atomic_init(&m->n_refs, 1);
    m->version = p->version;
    m->n_stages = p->n_stages;
    m->max_batch = p->max_batch;
    m->max_threads = p->max_threads ? p->max_threads : 1;
    m->name = strdup(p->name);
    m->counters = sv_model_counters_new(p->n_stages);
    m->steps = calloc(p->n_stages + 1, sizeof(*m->steps));
    if (!m->name || !m->counters || !m->steps) {
        sv_model_unref(m);
        return NULL;
    }
    m->payload = p->payload;
    m->free_payload = p->free_payload;
    return m;
}

struct sv_model *sv_model_ref(struct sv_model *m)
{
    atomic_fetch_add_explicit(&m->n_refs, 1, memory_order_relaxed);
    return m;
}

void sv_model_unref(struct sv_model *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->n_refs, 1, memory_order_acq_rel) != 1)
        return;
    if (m->free_payload)
        m->free_payload(m->payload);
    sv_model_counters_unref(m->counters);
    free(m->steps);
    free(m->name);
    free(m);
}

bool sv_model_is_last(struct sv_model *m)
{
    return atomic_load_explicit(&m->n_refs, memory_order_acquire) == 1;
}

void sv_model_inherit(struct sv_model *m, const struct sv_model *old)
{
    if (m->n_stages != old->n_stages)
        return;
    sv_model_counters_unref(m->counters);
    m->counters = sv_model_counters_ref(old->counters);
}

/* Halves the counts again and again, so that they tell of the last requests: how many
 * rows requests bring and how far those go changes with the clients. */
void sv_model_passed(struct sv_model *m, size_t step, size_t n)
{
    m->steps[step].n_passed += n;
    if (m->steps[0].n_passed < REMEMBERED)
        return;
    for (size_t i = 0; i <= m->n_stages; i++)
        m->steps[i].n_passed /= 2;
}

static size_t step_max_batch(const struct sv_model *m, size_t step)
{
    return step == 0 ? 1 : m->max_batch;
}

uint64_t sv_model_entry_ns(const struct sv_model *m, size_t step)
{
    double started = (double)m->steps[step].n_passed;
    double ns = 0;

    for (size_t i = step; i <= m->n_stages; i++) {
        const struct sv_step *st = &m->steps[i];
        size_t batch = sv_cost_worthwhile(&st->cost, step_max_batch(m, i));
        double reach = i == step ? 1 : started > 0 ? (double)st->n_passed / started : 1;
        ns += reach * (double)sv_cost_ns(&st->cost, batch) / (double)batch;
    }
    return (uint64_t)ns;
}

uint64_t sv_model_queued_ns(const struct sv_model *m)
{
    uint64_t ns = 0;

    for (size_t i = 0; i <= m->n_stages; i++)
        if (m->steps[i].queue.n > 0)
            ns += m->steps[i].queue.n * sv_model_entry_ns(m, i);
    return ns;
}
