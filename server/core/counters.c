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

    if (c)
        c->n_stages = n_stages;
    return c;
}

void sv_model_counters_free(struct sv_model_counters *c)
{
    free(c);
}

void sv_model_counters_copy(struct sv_model_counters *dst,
                            const struct sv_model_counters *src)
{
    memcpy(dst, src, size_of(src->n_stages));
}
