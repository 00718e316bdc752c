/* Depth-first post-order, nodes tried in id order, so a graph that is in order stays as
 * it is. A node waits on the stack while what it reads is visited; meeting a waiting node
 * again is a cycle. */
#include "engine/base/arena.h"
#include "engine/graph/graph.h"

enum state {
    UNSEEN,
    WAITING,
    PLACED
};

struct sort {
    struct al_graph *g;
    uint8_t *state;  /* one of each node */
    uint32_t *stack; /* the path from the node being placed */
    size_t depth;
    uint32_t *order;
    size_t n;
};

static uint32_t read_value(const struct al_node *n, size_t i)
{
    return i < n->n_inputs ? n->inputs[i] : n->post.add;
}

/* A producer of what `node` reads that is not placed yet, or AL_NO_NODE in *ret. */
static enum al_status first_missing(struct sort *s, uint32_t node, uint32_t *ret,
                                    struct al_error *err)
{
    const struct al_node *n = al_graph_node(s->g, node);

    for (size_t i = 0; i <= n->n_inputs; i++) {
        uint32_t id = read_value(n, i);
        if (id == AL_NO_VALUE)
            continue;
        const struct al_value *v = al_graph_value(s->g, id);
        if (v->producer == AL_NO_NODE && !v->data && !al_graph_is_input(s->g, id))
            return al_fail(err, AL_INVALID,
                           "node '%s' (%s) reads '%s', which nothing produces", n->name,
                           al_op_info(n->op)->name, v->name);
        if (v->producer == AL_NO_NODE || s->state[v->producer] == PLACED)
            continue;
        if (s->state[v->producer] == WAITING)
            return al_fail(err, AL_INVALID, "node '%s' (%s) is part of a cycle", n->name,
                           al_op_info(n->op)->name);
        *ret = v->producer;
        return AL_OK;
    }
    *ret = AL_NO_NODE;
    return AL_OK;
}

static enum al_status place(struct sort *s, uint32_t root, struct al_error *err)
{
    s->stack[s->depth++] = root;
    s->state[root] = WAITING;
    while (s->depth) {
        uint32_t node = s->stack[s->depth - 1];
        uint32_t missing = AL_NO_NODE;
        enum al_status status = first_missing(s, node, &missing, err);
        if (status != AL_OK)
            return status;
        if (missing != AL_NO_NODE) {
            s->stack[s->depth++] = missing;
            s->state[missing] = WAITING;
            continue;
        }
        s->depth--;
        s->state[node] = PLACED;
        s->order[s->n++] = node;
    }
    return AL_OK;
}

enum al_status al_graph_sort(struct al_graph *g, const uint32_t **ret_order,
                             size_t *ret_n, struct al_error *err)
{
    struct al_arena *arena = al_graph_arena(g);
    size_t n_nodes = al_graph_n_nodes(g);
    struct sort s = { .g = g };

    s.state = al_arena_alloc(arena, n_nodes, sizeof(*s.state));
    s.stack = al_arena_alloc(arena, n_nodes, sizeof(*s.stack));
    s.order = al_arena_alloc(arena, n_nodes, sizeof(*s.order));
    if (!s.state || !s.stack || !s.order)
        return al_fail(err, AL_NO_MEMORY, "no memory to order %zu nodes", n_nodes);
    for (uint32_t i = 0; i < n_nodes; i++) {
        if (al_graph_node(g, i)->op == AL_OP_NONE || s.state[i] != UNSEEN)
            continue;
        enum al_status status = place(&s, i, err);
        if (status != AL_OK)
            return status;
    }
    *ret_order = s.order;
    *ret_n = s.n;
    return AL_OK;
}
