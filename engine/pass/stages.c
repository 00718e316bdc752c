#include "engine/pass/stages.h"

#include <stdbool.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/graph/graph.h"

/* Who needs a node: bit k for exit k, bit 32 + k for gate k. */
typedef uint64_t need_mask;

#define EXIT_BIT(k)   ((need_mask)1 << (k))
#define GATE_BIT(k)   ((need_mask)1 << (AL_MAX_STAGES + (k)))
#define SLOT_UNUSED   UINT32_MAX
#define SLOT(k, part) ((uint32_t)(k)*AL_N_PARTS + (part))

struct cut {
    struct al_graph *g;
    const uint32_t *order; /* topological */
    size_t n_order;
    need_mask *need; /* by value: who needs it */
};

static need_mask need_of_node(const struct cut *c, uint32_t node)
{
    const struct al_node *n = al_graph_node(c->g, node);
    need_mask need = 0;

    for (size_t i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != AL_NO_VALUE)
            need |= c->need[n->outputs[i]];
    return need;
}

/* From the exits back to the inputs: what a node needs, its readers need. */
static void spread_needs(struct cut *c)
{
    for (size_t i = c->n_order; i-- > 0;) {
        const struct al_node *n = al_graph_node(c->g, c->order[i]);
        need_mask need = need_of_node(c, c->order[i]);

        for (size_t k = 0; k < n->n_inputs; k++)
            if (n->inputs[k] != AL_NO_VALUE)
                c->need[n->inputs[k]] |= need;
        if (n->post.add != AL_NO_VALUE)
            c->need[n->post.add] |= need;
    }
}

static uint32_t slot_of(need_mask need, size_t n_stages)
{
    if (!need)
        return SLOT_UNUSED;

    need_mask stages = (need | need >> AL_MAX_STAGES) & UINT32_MAX;
    unsigned first = (unsigned)__builtin_ctzll(stages);

    if (need == GATE_BIT(first))
        return SLOT(first, AL_PART_GATE);
    if (need == EXIT_BIT(first) && first + 1 < n_stages)
        return SLOT(first, AL_PART_BRANCH);
    return SLOT(first, AL_PART_TRUNK);
}

static enum al_status check_exits(const struct cut *c, size_t n_exits,
                                  const uint32_t *exits, struct al_error *err)
{
    for (size_t k = 0; k < n_exits; k++) {
        const struct al_value *v = al_graph_value(c->g, exits[k]);
        need_mask earlier = c->need[exits[k]] & (EXIT_BIT(k) - 1);

        if (v->data)
            return al_fail(err, AL_INVALID, "exit '%s' is a constant", v->name);
        if (!earlier)
            continue;
        unsigned j = (unsigned)__builtin_ctzll(earlier);
        if (exits[j] == exits[k])
            return al_fail(err, AL_INVALID, "exit '%s' is listed twice", v->name);
        return al_fail(err, AL_INVALID,
                       "exit '%s' is needed by '%s': exits must be listed earliest first",
                       v->name, al_graph_value(c->g, exits[j])->name);
    }
    return AL_OK;
}

static void mark_sinks(struct cut *c, size_t n_exits, const uint32_t *exits,
                       const uint32_t *gates)
{
    if (!n_exits) {
        size_t n;
        const uint32_t *outputs = al_graph_outputs(c->g, &n);
        for (size_t i = 0; i < n; i++)
            c->need[outputs[i]] |= EXIT_BIT(0);
    }
    for (size_t k = 0; k < n_exits; k++) {
        c->need[exits[k]] |= EXIT_BIT(k);
        if (gates && gates[k] != AL_NO_VALUE)
            c->need[gates[k]] |= GATE_BIT(k);
    }
}

/* Stable counting sort of the needed nodes by slot: topological within each. */
static enum al_status sort_by_slot(const struct cut *c, size_t n_stages,
                                   struct al_stages *ret, struct al_error *err)
{
    struct al_arena *arena = al_graph_arena(c->g);
    uint32_t *nodes = al_arena_alloc(arena, c->n_order + 1, sizeof(*nodes));
    uint32_t *slots = al_arena_alloc(arena, c->n_order + 1, sizeof(*slots));
    size_t n = 0;

    if (!nodes || !slots)
        return al_fail(err, AL_NO_MEMORY, "stages of %zu nodes", c->n_order);
    for (uint32_t s = 0; s < n_stages * AL_N_PARTS; s++)
        for (size_t i = 0; i < c->n_order; i++)
            if (slot_of(need_of_node(c, c->order[i]), n_stages) == s) {
                nodes[n] = c->order[i];
                slots[n++] = s;
            }
    *ret = (struct al_stages){ n_stages, n, nodes, slots };
    return AL_OK;
}

enum al_status al_pass_stages(struct al_graph *g, size_t n_exits, const uint32_t *exits,
                              const uint32_t *gates, struct al_stages *ret,
                              struct al_error *err)
{
    struct cut c = { .g = g };
    enum al_status s;

    if (n_exits > AL_MAX_STAGES)
        return al_fail(err, AL_TOO_LARGE, "%zu exits, at most %d", n_exits,
                       AL_MAX_STAGES);
    s = al_graph_sort(g, &c.order, &c.n_order, err);
    if (s != AL_OK)
        return s;
    c.need = al_arena_alloc(al_graph_arena(g), al_graph_n_values(g) + 1, sizeof(*c.need));
    if (!c.need)
        return al_fail(err, AL_NO_MEMORY, "stages of %zu values", al_graph_n_values(g));
    mark_sinks(&c, n_exits, exits, gates);
    spread_needs(&c);
    s = check_exits(&c, n_exits, exits, err);
    if (s != AL_OK)
        return s;
    return sort_by_slot(&c, n_exits ? n_exits : 1, ret, err);
}
