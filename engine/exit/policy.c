#include "engine/exit/policy.h"

#include <math.h>
#include <string.h>

/* Forgives decimal notation: 0.005 read by two parsers names the same level. */
#define MAX_LOSS_TOLERANCE 1e-9

static const char *const loss_names[] = {
#define X(id, name) [AL_LOSS_##id] = (name),
    AL_LOSS_LIST(X)
#undef X
};

const char *al_loss_name(enum al_loss l)
{
    return l < AL_N_LOSSES ? loss_names[l] : "unknown";
}

enum al_loss al_loss_find(const char *name)
{
    unsigned l = 0;

    while (l < AL_N_LOSSES && strcmp(loss_names[l], name) != 0)
        l++;
    return (enum al_loss)l;
}

static bool must_leave(const struct al_exit_rule *r, uint32_t k, uint32_t n_exits)
{
    return k >= r->max_exit || k + 1 >= n_exits;
}

struct al_exit_rule al_exit_rule_full(void)
{
    struct al_exit_rule r = { .score = AL_SCORE_MARGIN, .max_exit = UINT32_MAX };

    for (size_t k = 0; k < AL_MAX_EXITS; k++)
        r.threshold[k] = INFINITY;
    return r;
}

bool al_exit_wants(const struct al_exit_rule *r, uint32_t k, uint32_t n_exits)
{
    return must_leave(r, k, n_exits) || (k >= r->min_exit && r->threshold[k] < INFINITY);
}

bool al_exit_leaves(const struct al_exit_rule *r, uint32_t k, uint32_t n_exits,
                    float score)
{
    return must_leave(r, k, n_exits) || (k >= r->min_exit && score >= r->threshold[k]);
}

void al_policy_init(struct al_policy *p, uint32_t n_exits)
{
    const struct al_exit_rule full = al_exit_rule_full();

    memset(p, 0, sizeof(*p));
    p->score = full.score;
    p->n_exits = n_exits;
    p->n_levels = 1;
    memcpy(p->levels[0].threshold, full.threshold, sizeof(full.threshold));
    p->levels[0].share[n_exits - 1] = 1;
}

uint32_t al_policy_pick(const struct al_policy *p, double max_loss)
{
    uint32_t level = 0;

    while (level + 1 < p->n_levels &&
           p->levels[level + 1].max_loss <= max_loss + MAX_LOSS_TOLERANCE)
        level++;
    return level;
}

struct al_exit_rule al_policy_rule(const struct al_policy *p, uint32_t level)
{
    struct al_exit_rule r = al_exit_rule_full();

    r.score = p->score;
    memcpy(r.threshold, p->levels[level].threshold, sizeof(r.threshold));
    return r;
}
