#include "server/core/counters.h"

#include <stdlib.h>
#include <string.h>

static size_t size_of(size_t n_stages)
{
    return sizeof(struct sv_model_counters) + n_stages * sizeof(struct sv_stage_counters);
}

const char *sv_reject_label(enum sv_reject r)
{
    static const char *const labels[] = {
#define X(id, label) [SV_REJECT_##id] = label,
        SV_REJECT_LIST(X)
#undef X
    };
    return r < SV_N_REJECTS ? labels[r] : "unknown";
}

struct sv_model_counters *sv_model_counters_new(size_t n_stages)
{
    struct sv_model_counters *c = calloc(1, size_of(n_stages));

    if (!c)
        return NULL;
    atomic_init(&c->n_refs, 1);
    c->n_stages = n_stages;
    return c;
}

struct sv_model_counters *sv_model_counters_ref(struct sv_model_counters *c)
{
    atomic_fetch_add_explicit(&c->n_refs, 1, memory_order_relaxed);
    return c;
}

void sv_model_counters_unref(struct sv_model_counters *c)
{
    if (c && atomic_fetch_sub_explicit(&c->n_refs, 1, memory_order_acq_rel) == 1)
        free(c);
}

void sv_model_counters_copy(struct sv_model_counters *dst,
                            const struct sv_model_counters *src)
{
    size_t from = offsetof(struct sv_model_counters, n_requests);

    memcpy((char *)dst + from, (const char *)src + from, size_of(src->n_stages) - from);
}
