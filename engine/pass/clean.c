#include <string.h>

#include "engine/base/arena.h"
#include "engine/graph/graph.h"
#include "engine/graph/param.h"
#include "engine/pass/pass.h"

static bool keeps_shape_and_type(const struct al_graph *g, const struct al_node *n)
{
    const struct al_value *x = al_graph_value(g, n->inputs[0]);
    const struct al_value *y = al_graph_value(g, n->outputs[0]);

    return x->dtype == y->dtype && al_shape_equal(&x->shape, &y->shape);
}

static bool is_identity_permutation(const struct al_graph *g, const struct al_node *n)
{
    const int64_t *perm;
    size_t rank;

    if (!al_node_ints(n, "perm", &perm, &rank))
        return al_graph_value(g, n->inputs[0])->shape.rank < 2;
    for (size_t k = 0; k < rank; k++)
        if (perm[k] != (int64_t)k)
            return false;
    return true;
}

/* Whether any step of a Slice is not 1; a reversed axis keeps its size. */
static bool has_steps(const struct al_graph *g, const struct al_node *n)
{
    return n->n_inputs > 4 && n->inputs[4] != AL_NO_VALUE &&
           al_graph_value(g, n->inputs[4])->shape.rank == 1;
}

/* Whether a Pad adds and takes nothing anywhere. */
static bool has_no_pads(const struct al_graph *g, const struct al_node *n)
{
    struct al_tensor in[4] = { 0 };
    struct al_pads pads;
    struct al_args a = { .node = n, .in = in, .n_in = n->n_inputs };

    for (size_t i = 0; i < n->n_inputs; i++)
        in[i] = al_graph_tensor(g, n->inputs[i]);
    if (al_param_pads(&a, &pads, NULL) != AL_OK)
        return false;
    for (size_t k = 0; k < in[0].shape.rank; k++)
        if (pads.begin[k] || pads.end[k])
            return false;
    return true;
}

/* Whether a pooling looks at single elements and keeps them all. */
static bool pools_one_by_one(const struct al_graph *g, const struct al_node *n)
{
    const int64_t *kernel;
    size_t rank;

    return n->n_outputs == 1 && keeps_shape_and_type(g, n) &&
           al_node_ints(n, "kernel_shape", &kernel, &rank) && rank == 2 &&
           kernel[0] == 1 && kernel[1] == 1;
}

/* Whether output 0 is input 0, element by element. */
static bool does_nothing(const struct al_graph *g, const struct al_node *n)
{
    switch ((int)n->op) {
    case AL_OP_IDENTITY:
    case AL_OP_DROPOUT:
        return true;
    case AL_OP_RESHAPE:
    case AL_OP_FLATTEN:
    case AL_OP_SQUEEZE:
    case AL_OP_UNSQUEEZE:
    case AL_OP_CAST:
    case AL_OP_EXPAND:
    case AL_OP_TILE:
    case AL_OP_SPLIT:
        return keeps_shape_and_type(g, n);
    case AL_OP_SLICE:
        return keeps_shape_and_type(g, n) && !has_steps(g, n);
    case AL_OP_PAD:
        return has_no_pads(g, n);
    case AL_OP_MAX_POOL:
    case AL_OP_AVERAGE_POOL:
        return pools_one_by_one(g, n);
    case AL_OP_TRANSPOSE:
        return is_identity_permutation(g, n);
    case AL_OP_CONCAT:
    case AL_OP_SUM:
    case AL_OP_MEAN:
    case AL_OP_MIN:
    case AL_OP_MAX:
        return n->n_inputs == 1;
    default:
        return false;
    }
}

static bool others_are_unread(const struct al_graph *g, const struct al_node *n)
{
    for (size_t i = 1; i < n->n_outputs; i++)
        if (n->outputs[i] != AL_NO_VALUE && al_graph_n_uses(g, n->outputs[i]))
            return false;
    return true;
}

/* Takes `node` out of the way; stays when names forbid it. */
static enum al_status bypass(struct al_graph *g, uint32_t node, struct al_error *err)
{
    const struct al_node *n = al_graph_node(g, node);
    enum al_status s;

    if (!others_are_unread(g, n))
        return AL_OK;
    s = al_graph_replace_uses(g, n->outputs[0], n->inputs[0], err);
    if (s == AL_OK)
        al_graph_remove_node(g, node);
    return s == AL_UNSUPPORTED ? AL_OK : s;
}

static void mark(bool *used, uint32_t value)
{
    if (value != AL_NO_VALUE)
        used[value] = true;
}

/* From the last node to the first: one that gives nothing used goes. */
static enum al_status remove_dead(struct al_graph *g, struct al_error *err)
{
    bool *used = al_arena_alloc(al_graph_arena(g), al_graph_n_values(g), sizeof(*used));
    const uint32_t *order;
    size_t n, n_outputs;
    enum al_status s = al_graph_sort(g, &order, &n, err);

    if (s != AL_OK || !used)
        return s != AL_OK ? s
                          : al_fail(err, AL_NO_MEMORY, "no memory to clean the graph");
    const uint32_t *outputs = al_graph_outputs(g, &n_outputs);
    for (size_t i = 0; i < n_outputs; i++)
        mark(used, outputs[i]);
    while (n-- > 0) {
        const struct al_node *node = al_graph_node(g, order[n]);
        bool alive = false;
        for (size_t i = 0; i < node->n_outputs; i++)
            alive |= node->outputs[i] != AL_NO_VALUE && used[node->outputs[i]];
        if (!alive) {
            al_graph_remove_node(g, order[n]);
            continue;
        }
        for (size_t i = 0; i < node->n_inputs; i++)
            mark(used, node->inputs[i]);
        mark(used, node->post.add);
    }
    return AL_OK;
}

enum al_status al_pass_clean(struct al_graph *g, struct al_error *err)
{
    for (uint32_t i = 0; i < al_graph_n_nodes(g); i++) {
        const struct al_node *n = al_graph_node(g, i);
        enum al_status s = AL_OK;
        if (n->op != AL_OP_NONE && does_nothing(g, n))
            s = bypass(g, i, err);
        if (s != AL_OK)
            return s;
    }
    return remove_dead(g, err);
}
