#include <math.h>

#include "engine/base/arena.h"
#include "engine/graph/graph.h"
#include "engine/graph/param.h"
#include "engine/pass/pass.h"

/* The node that makes `value`, when it is an `op` that nothing is fused with. */
static const struct al_node *made_by(const struct al_graph *g, uint32_t value,
                                     enum al_op op)
{
    uint32_t id = al_graph_value(g, value)->producer;
    const struct al_node *n = id == AL_NO_NODE ? NULL : al_graph_node(g, id);

    return n && n->op == op && n->post.act == AL_ACT_NONE && n->post.add == AL_NO_VALUE
               ? n
               : NULL;
}

static bool is_number(const struct al_graph *g, uint32_t value)
{
    struct al_tensor t = al_graph_tensor(g, value);

    return t.data && t.dtype == AL_F32 && al_tensor_count(&t) == 1;
}

/* `value` before it was multiplied with or divided by numbers, which join `factor`. */
static uint32_t unscaled(const struct al_graph *g, uint32_t value, double *factor)
{
    for (;;) {
        const struct al_node *mul = made_by(g, value, AL_OP_MUL);
        const struct al_node *div = made_by(g, value, AL_OP_DIV);
        const struct al_node *n = mul ? mul : div;

        if (!n)
            return value;
        size_t at = mul && is_number(g, n->inputs[0]) ? 0 : 1;
        if (!is_number(g, n->inputs[at]) ||
            !al_shape_equal(&al_graph_value(g, n->inputs[1 - at])->shape,
                            &al_graph_value(g, value)->shape))
            return value;
        struct al_tensor t = al_graph_tensor(g, n->inputs[at]);
        double number = al_tensor_number(&t, 0);
        *factor *= mul ? number : 1 / number;
        value = n->inputs[1 - at];
    }
}

struct attention {
    uint32_t q, turned_k, v; /* [1,H,N,D], [1,H,D,M], [1,H,M,E] */
    double factor;
};

static bool is_softmax_of_last(const struct al_graph *g, const struct al_node *n)
{
    int64_t rank = (int64_t)al_graph_value(g, n->inputs[0])->shape.rank;
    int64_t axis = al_node_int(n, "axis", n->opset >= 13 ? -1 : 1);

    return axis == -1 || axis == rank - 1;
}

/* Heads of one row that are multiplied head by head. */
static bool are_heads(const struct al_graph *g, const struct attention *a)
{
    const struct al_shape *q = &al_graph_value(g, a->q)->shape;
    const struct al_shape *k = &al_graph_value(g, a->turned_k)->shape;
    const struct al_shape *v = &al_graph_value(g, a->v)->shape;

    return q->rank == 4 && k->rank == 4 && v->rank == 4 && q->dims[0] == 1 &&
           k->dims[0] == 1 && v->dims[0] == 1 && k->dims[1] == q->dims[1] &&
           v->dims[1] == q->dims[1];
}

/* Whether the MatMul multiplies a softmax of a scaled product, that nobody else reads,
 * with values. */
static bool find(const struct al_graph *g, const struct al_node *n, struct attention *ret)
{
    struct attention a = { .v = n->inputs[1], .factor = 1 };
    const struct al_node *softmax = made_by(g, n->inputs[0], AL_OP_SOFTMAX);

    if (!softmax || al_graph_n_uses(g, n->inputs[0]) != 1 ||
        !is_softmax_of_last(g, softmax) || al_graph_n_uses(g, softmax->inputs[0]) != 1)
        return false;
    uint32_t scores = unscaled(g, softmax->inputs[0], &a.factor);
    const struct al_node *product = made_by(g, scores, AL_OP_MATMUL);
    if (!product || al_graph_n_uses(g, scores) != 1)
        return false;
    a.q = unscaled(g, product->inputs[0], &a.factor);
    a.turned_k = unscaled(g, product->inputs[1], &a.factor);
    *ret = a;
    return (float)a.factor > 0 && isfinite((float)a.factor) && are_heads(g, &a);
}

/* A Transpose that turns the keys back. */
static enum al_status add_keys(struct al_graph *g, uint32_t turned, uint32_t *ret,
                               struct al_error *err)
{
    static const int64_t perm[] = { 0, 1, 3, 2 };
    const struct al_attr attr = {
        .name = "perm", .type = AL_ATTR_INTS, .ints = perm, .n = 4
    };
    const int64_t *d = al_graph_value(g, turned)->shape.dims;
    const struct al_value keys = { .dtype = AL_F32,
                                   .has_shape = true,
                                   .shape = { 4, { d[0], d[1], d[3], d[2] } },
                                   .producer = AL_NO_NODE };
    enum al_status s = al_graph_add_value(g, &keys, ret, err);
    uint32_t id;

    if (s != AL_OK)
        return s;
    const struct al_node node = { .op = AL_OP_TRANSPOSE,
                                  .name = al_graph_value(g, *ret)->name,
                                  .opset = 13,
                                  .n_inputs = 1,
                                  .inputs = &turned,
                                  .n_outputs = 1,
                                  .outputs = ret,
                                  .n_attrs = 1,
                                  .attrs = &attr };
    return al_graph_add_node(g, &node, &id, err);
}

static enum al_status compose(struct al_graph *g, uint32_t id, const struct attention *a,
                              struct al_error *err)
{
    struct al_attr *scale = al_arena_alloc(al_graph_arena(g), 1, sizeof(*scale));
    uint32_t inputs[] = { a->q, AL_NO_VALUE, a->v };
    enum al_status s = add_keys(g, a->turned_k, &inputs[1], err);

    if (s == AL_OK && !scale)
        s = al_fail(err, AL_NO_MEMORY, "no memory to compose operators");
    if (s != AL_OK)
        return s;
    *scale =
        (struct al_attr){ .name = "scale", .type = AL_ATTR_FLOAT, .f = (float)a->factor };
    struct al_node *n = al_graph_node_mut(g, id);
    n->op = AL_OP_ATTENTION;
    n->opset = 23;
    n->attrs = scale;
    n->n_attrs = 1;
    return al_graph_set_inputs(g, id, inputs, 3, err);
}

enum al_status al_pass_attention(struct al_graph *g, struct al_error *err)
{
    const uint32_t *order;
    struct attention a;
    size_t n;
    enum al_status s = al_graph_sort(g, &order, &n, err);

    for (size_t i = 0; s == AL_OK && i < n; i++) {
        const struct al_node *node = al_graph_node(g, order[i]);
        if (node->op == AL_OP_MATMUL && node->post.add == AL_NO_VALUE &&
            node->post.act == AL_ACT_NONE &&
            al_graph_value(g, node->outputs[0])->dtype == AL_F32 && find(g, node, &a))
            s = compose(g, order[i], &a, err);
    }
    return s;
}
