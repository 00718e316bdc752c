#include <string.h>

#include "engine/base/arena.h"
#include "engine/graph/graph.h"
#include "engine/pass/pass.h"

static bool is_f32(const struct al_graph *g, uint32_t value)
{
    return al_graph_value(g, value)->dtype == AL_F32;
}

static bool has_bias(const struct al_node *n)
{
    return n->n_inputs > 2 && n->inputs[2] != AL_NO_VALUE;
}

/* The node that makes `value` when nobody else reads it and it has no epilogue yet that
 * would have to come later; AL_NO_NODE otherwise. */
static uint32_t sole_producer(const struct al_graph *g, uint32_t value)
{
    uint32_t id = al_graph_value(g, value)->producer;

    if (id == AL_NO_NODE || !is_f32(g, value) || al_graph_n_uses(g, value) != 1 ||
        al_graph_node(g, id)->post.act != AL_ACT_NONE)
        return AL_NO_NODE;
    return id;
}

/* `node` does nothing but hand on what `value` now holds already. */
static enum al_status absorb(struct al_graph *g, uint32_t node, uint32_t value,
                             struct al_error *err)
{
    enum al_status s =
        al_graph_replace_uses(g, al_graph_node(g, node)->outputs[0], value, err);

    if (s == AL_OK)
        al_graph_remove_node(g, node);
    return s;
}

/* ---- Add of a constant: a bias ---- */

/* Whether the constant has one element for each place along `axis` of the output, and
 * none along the others. */
static bool is_vector_along(const struct al_graph *g, uint32_t constant, uint32_t output,
                            size_t axis)
{
    const struct al_shape *c = &al_graph_value(g, constant)->shape;
    const struct al_shape *y = &al_graph_value(g, output)->shape;

    if (c->rank > y->rank || c->rank + axis < y->rank)
        return false;
    size_t at = axis - (y->rank - c->rank);
    for (size_t k = 0; k < c->rank; k++)
        if (c->dims[k] != (k == at ? y->dims[axis] : 1))
            return false;
    return at < c->rank;
}

/* A bias lies along axis 1 of a Conv's output and along the last of a product's. */
static bool takes_bias(const struct al_graph *g, const struct al_node *n,
                       uint32_t constant)
{
    size_t rank = al_graph_value(g, n->outputs[0])->shape.rank;

    if (n->post.add != AL_NO_VALUE || has_bias(n))
        return false;
    if (n->op == AL_OP_CONV)
        return is_vector_along(g, constant, n->outputs[0], 1);
    if (n->op == AL_OP_MATMUL && al_graph_value(g, n->inputs[1])->shape.rank != 2)
        return false;
    return (n->op == AL_OP_MATMUL || (n->op == AL_OP_GEMM && !al_node_attr(n, "beta"))) &&
           rank > 0 && is_vector_along(g, constant, n->outputs[0], rank - 1);
}

/* The constant's elements as a vector of their own: whoever else reads the constant may
 * let go of it. */
static enum al_status as_vector(struct al_graph *g, uint32_t constant, uint32_t *ret,
                                struct al_error *err)
{
    struct al_tensor t = al_graph_tensor(g, constant);
    size_t bytes = al_tensor_bytes(&t);
    void *copy = al_arena_alloc(al_graph_arena(g), bytes, 1);
    struct al_value v = { .dtype = t.dtype,
                          .has_shape = true,
                          .shape = { 1, { (int64_t)al_tensor_count(&t) } },
                          .producer = AL_NO_NODE,
                          .data = copy };

    if (!copy)
        return al_fail(err, AL_NO_MEMORY, "a bias of %zu bytes", bytes);
    memcpy(copy, t.data, bytes);
    return al_graph_add_value(g, &v, ret, err);
}

static enum al_status fuse_bias(struct al_graph *g, uint32_t add, uint32_t linear,
                                uint32_t constant, struct al_error *err)
{
    const struct al_node *n = al_graph_node(g, linear);
    uint32_t inputs[3] = { n->inputs[0], n->inputs[1], AL_NO_VALUE };
    uint32_t output = n->outputs[0];
    enum al_status s = as_vector(g, constant, &inputs[2], err);

    if (s == AL_OK)
        s = al_graph_set_inputs(g, linear, inputs, 3, err);
    if (s != AL_OK)
        return s;
    return absorb(g, add, output, err);
}

/* ---- Add of two computed values: a residual ---- */

/* Nothing but the Add reads the node, so nothing the other operand is made of does:
 * adding it in the node closes no cycle. */
static bool takes_residual(const struct al_graph *g, const struct al_node *n,
                           uint32_t other)
{
    return (n->op == AL_OP_CONV || n->op == AL_OP_GEMM || n->op == AL_OP_MATMUL) &&
           n->post.add == AL_NO_VALUE && is_f32(g, other) &&
           al_shape_equal(&al_graph_value(g, n->outputs[0])->shape,
                          &al_graph_value(g, other)->shape);
}

static enum al_status fuse_residual(struct al_graph *g, uint32_t add, uint32_t linear,
                                    uint32_t other, struct al_error *err)
{
    al_graph_node_mut(g, linear)->post.add = other;
    return absorb(g, add, al_graph_node(g, linear)->outputs[0], err);
}

static enum al_status fuse_add(struct al_graph *g, uint32_t id, const uint32_t *rank_of,
                               struct al_error *err)
{
    const struct al_node *add = al_graph_node(g, id);
    uint32_t best = AL_NO_NODE, other = AL_NO_VALUE;

    for (size_t i = 0; i < 2; i++) {
        uint32_t linear = sole_producer(g, add->inputs[i]), rest = add->inputs[1 - i];
        if (linear == AL_NO_NODE)
            continue;
        const struct al_node *n = al_graph_node(g, linear);
        if (al_graph_value(g, rest)->data && takes_bias(g, n, rest))
            return fuse_bias(g, id, linear, rest, err);
        if (!al_graph_value(g, rest)->data && takes_residual(g, n, rest) &&
            (best == AL_NO_NODE || rank_of[linear] > rank_of[best])) {
            best = linear;
            other = rest;
        }
    }
    return best == AL_NO_NODE ? AL_OK : fuse_residual(g, id, best, other, err);
}

/* ---- activations ---- */

static bool takes_activation(const struct al_node *n)
{
    return n->op == AL_OP_CONV || n->op == AL_OP_GEMM || n->op == AL_OP_MATMUL ||
           n->op == AL_OP_ADD || n->op == AL_OP_BATCH_NORM;
}

/* Whether a larger input never gives a smaller result. */
static bool is_monotone(const struct al_epilogue *p)
{
    return p->act != AL_ACT_HARD_SWISH && p->act != AL_ACT_GELU &&
           p->act != AL_ACT_GELU_TANH && (p->act != AL_ACT_LEAKY_RELU || p->a >= 0.0F) &&
           (p->act != AL_ACT_CLIP || p->a <= p->b);
}

/* A MaxPool of which every window holds something of the picture. */
static bool is_plain_max_pool(const struct al_graph *g, const struct al_node *n)
{
    struct al_window w;

    return n->op == AL_OP_MAX_POOL && n->n_outputs == 1 &&
           al_node_window(n, &al_graph_value(g, n->inputs[0])->shape, NULL, &w, NULL) ==
               AL_OK &&
           w.pad_begin[0] < w.kernel[0] && w.pad_begin[1] < w.kernel[1];
}

/* The node that can apply `post` for the reader of `value`: its producer or, since the
 * largest of activated values is the activated largest, what a MaxPool in between pools.
 */
static uint32_t activator(const struct al_graph *g, uint32_t value,
                          const struct al_epilogue *post)
{
    uint32_t id = sole_producer(g, value);

    while (id != AL_NO_NODE && is_monotone(post) &&
           is_plain_max_pool(g, al_graph_node(g, id)))
        id = sole_producer(g, al_graph_node(g, id)->inputs[0]);
    return id != AL_NO_NODE && takes_activation(al_graph_node(g, id)) ? id : AL_NO_NODE;
}

static enum al_status fuse_activation(struct al_graph *g, uint32_t id,
                                      struct al_error *err)
{
    const struct al_node *n = al_graph_node(g, id);
    struct al_epilogue post;

    if (!al_node_activation(g, n, &post))
        return AL_OK;
    uint32_t producer = activator(g, n->inputs[0], &post);
    if (producer == AL_NO_NODE)
        return AL_OK;
    post.add = al_graph_node(g, producer)->post.add;
    al_graph_node_mut(g, producer)->post = post;
    return absorb(g, id, n->inputs[0], err);
}

enum al_status al_pass_fuse(struct al_graph *g, struct al_error *err)
{
    uint32_t *rank_of =
        al_arena_alloc(al_graph_arena(g), al_graph_n_nodes(g), sizeof(*rank_of));
    const uint32_t *order;
    size_t n;
    enum al_status s = al_graph_sort(g, &order, &n, err);

    if (s == AL_OK && !rank_of)
        s = al_fail(err, AL_NO_MEMORY, "no memory to fuse nodes");
    for (size_t i = 0; s == AL_OK && i < n; i++)
        rank_of[order[i]] = (uint32_t)i;
    for (size_t i = 0; s == AL_OK && i < n; i++) {
        const struct al_node *node = al_graph_node(g, order[i]);
        if (node->op == AL_OP_ADD && is_f32(g, node->outputs[0]))
            s = fuse_add(g, order[i], rank_of, err);
        else
            s = fuse_activation(g, order[i], err);
    }
    return s;
}
