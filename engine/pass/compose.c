/* Each rewrite looks at the last node of what an exporter makes of one operator and, when
 * everything before it is as expected, turns that node into the operator in place. The
 * other nodes are left for al_pass_clean(): somebody else may read them. */
#include <math.h>

#include "engine/base/arena.h"
#include "engine/graph/graph.h"
#include "engine/graph/param.h"
#include "engine/pass/pass.h"

/* ---- looking backwards ---- */

/* The node that makes `value`, when it is an `op` without an epilogue. */
static const struct al_node *made_by(const struct al_graph *g, uint32_t value,
                                     enum al_op op)
{
    uint32_t id = value == AL_NO_VALUE ? AL_NO_NODE : al_graph_value(g, value)->producer;
    const struct al_node *n = id == AL_NO_NODE ? NULL : al_graph_node(g, id);

    return n && n->op == op && n->post.act == AL_ACT_NONE ? n : NULL;
}

/* Whether `value` is one constant float that is `want` but for its last digits. */
static bool is_number(const struct al_graph *g, uint32_t value, double want)
{
    struct al_tensor t = al_graph_tensor(g, value);

    return t.data && t.dtype == AL_F32 && al_tensor_count(&t) == 1 &&
           fabs(al_tensor_number(&t, 0) - want) < 1e-5 * fabs(want);
}

/* Whether `n` is an Add or Mul of a constant float near `want`; *ret is the other input.
 */
static bool with_number(const struct al_graph *g, const struct al_node *n, double want,
                        uint32_t *ret)
{
    for (size_t i = 0; n && i < 2; i++)
        if (is_number(g, n->inputs[i], want)) {
            *ret = n->inputs[1 - i];
            return true;
        }
    return false;
}

/* Whether `value` is some value divided by `divisor`, or multiplied by its inverse; *ret
 * is that value. */
static bool is_divided(const struct al_graph *g, uint32_t value, double divisor,
                       uint32_t *ret)
{
    const struct al_node *div = made_by(g, value, AL_OP_DIV);

    if (div && is_number(g, div->inputs[1], divisor)) {
        *ret = div->inputs[0];
        return true;
    }
    return with_number(g, made_by(g, value, AL_OP_MUL), 1 / divisor, ret);
}

/* Gives node `id` the operator, inputs and attributes of `like`; outputs stay. Not where
 * a number of more dimensions than the input gave the output its own. */
static enum al_status become(struct al_graph *g, uint32_t id, const struct al_node *like,
                             struct al_error *err)
{
    struct al_attr *attrs =
        al_arena_alloc(al_graph_arena(g), like->n_attrs, sizeof(*attrs));
    struct al_node *node = al_graph_node_mut(g, id);

    if (!al_shape_equal(&al_graph_value(g, like->inputs[0])->shape,
                        &al_graph_value(g, node->outputs[0])->shape))
        return AL_OK;
    if (!attrs)
        return al_fail(err, AL_NO_MEMORY, "no memory to compose operators");
    for (size_t i = 0; i < like->n_attrs; i++)
        attrs[i] = like->attrs[i];
    node->op = like->op;
    node->opset = 20;
    node->attrs = attrs;
    node->n_attrs = like->n_attrs;
    return al_graph_set_inputs(g, id, like->inputs, like->n_inputs, err);
}

/* The operator with one input and no attributes. */
static enum al_status become_unary(struct al_graph *g, uint32_t id, enum al_op op,
                                   uint32_t x, struct al_error *err)
{
    struct al_node like = { .op = op, .n_inputs = 1, .inputs = &x };

    return become(g, id, &like, err);
}

/* ---- Gelu: x * (erf(x / sqrt 2) + 1) * 0.5, the factors in any order ---- */

#define MAX_FACTORS 4

/* The factors of a product of at most two Muls. */
static size_t factors_of(const struct al_graph *g, const struct al_node *mul,
                         uint32_t ret[MAX_FACTORS])
{
    size_t n = 0;

    for (size_t i = 0; i < 2; i++) {
        const struct al_node *inner = made_by(g, mul->inputs[i], AL_OP_MUL);
        ret[n++] = inner ? inner->inputs[0] : mul->inputs[i];
        if (inner)
            ret[n++] = inner->inputs[1];
    }
    return n;
}

/* Whether `value` is erf(x / sqrt 2) + 1. */
static bool is_erf_term(const struct al_graph *g, uint32_t value, uint32_t x)
{
    uint32_t erf_value, inner;

    if (!with_number(g, made_by(g, value, AL_OP_ADD), 1, &erf_value))
        return false;
    const struct al_node *erf_node = made_by(g, erf_value, AL_OP_ERF);
    return erf_node && is_divided(g, erf_node->inputs[0], M_SQRT2, &inner) && inner == x;
}

static enum al_status compose_gelu(struct al_graph *g, uint32_t id, struct al_error *err)
{
    uint32_t f[MAX_FACTORS];

    if (factors_of(g, al_graph_node(g, id), f) != 3)
        return AL_OK;
    for (size_t half = 0; half < 3; half++)
        for (size_t x = 0; x < 3; x++)
            if (x != half && is_number(g, f[half], 0.5) &&
                is_erf_term(g, f[3 - half - x], f[x]))
                return become_unary(g, id, AL_OP_GELU, f[x], err);
    return AL_OK;
}

/* ---- HardSigmoid and HardSwish ---- */

/* Whether `value` is min(max(x + 3, 0), 6); *ret is x. */
static bool is_shifted_relu6(const struct al_graph *g, uint32_t value, uint32_t *ret)
{
    const struct al_node *clip = made_by(g, value, AL_OP_CLIP);
    struct al_epilogue bounds;

    return clip && al_node_activation(g, clip, &bounds) && fabsf(bounds.a) < 1e-6F &&
           fabsf(bounds.b - 6) < 1e-6F &&
           with_number(g, made_by(g, clip->inputs[0], AL_OP_ADD), 3, ret);
}

/* Whether `value` is HardSigmoid(x) with the slope 1/6. */
static bool is_hard_sigmoid(const struct al_graph *g, uint32_t value, uint32_t x)
{
    const struct al_node *n = made_by(g, value, AL_OP_HARD_SIGMOID);

    return n && n->inputs[0] == x &&
           fabsf(al_node_float(n, "alpha", 0.2F) - 1.0F / 6) < 1e-6F &&
           fabsf(al_node_float(n, "beta", 0.5F) - 0.5F) < 1e-6F;
}

/* At a Mul or Div: relu6(x + 3) / 6. */
static enum al_status compose_hard_sigmoid(struct al_graph *g, uint32_t id,
                                           struct al_error *err)
{
    const struct al_attr attrs[] = {
        { .name = "alpha", .type = AL_ATTR_FLOAT, .f = 1.0F / 6 },
        { .name = "beta", .type = AL_ATTR_FLOAT, .f = 0.5F },
    };
    uint32_t inner, x;

    if (!is_divided(g, al_graph_node(g, id)->outputs[0], 6, &inner) ||
        !is_shifted_relu6(g, inner, &x))
        return AL_OK;
    struct al_node like = { .op = AL_OP_HARD_SIGMOID,
                            .n_inputs = 1,
                            .inputs = &x,
                            .n_attrs = 2,
                            .attrs = attrs };
    return become(g, id, &like, err);
}

/* At a Mul: x * HardSigmoid(x); at a Mul or Div: x * relu6(x + 3) / 6. */
static enum al_status compose_hard_swish(struct al_graph *g, uint32_t id,
                                         struct al_error *err)
{
    const struct al_node *n = al_graph_node(g, id);
    uint32_t product = n->outputs[0], x;

    for (size_t i = 0; n->op == AL_OP_MUL && i < 2; i++)
        if (is_hard_sigmoid(g, n->inputs[1 - i], n->inputs[i]))
            return become_unary(g, id, AL_OP_HARD_SWISH, n->inputs[i], err);
    if (!is_divided(g, n->outputs[0], 6, &product))
        return AL_OK;
    const struct al_node *mul = made_by(g, product, AL_OP_MUL);
    for (size_t i = 0; mul && i < 2; i++)
        if (is_shifted_relu6(g, mul->inputs[1 - i], &x) && x == mul->inputs[i])
            return become_unary(g, id, AL_OP_HARD_SWISH, x, err);
    return AL_OK;
}

/* ---- LayerNormalization: (x - mean) / sqrt(mean of squares + epsilon) * scale + bias
 * ---- */

/* Whether `value` is the mean of something over its last axis, kept; *ret is that. */
static bool is_last_mean(const struct al_graph *g, uint32_t value, uint32_t *ret)
{
    const struct al_node *n = made_by(g, value, AL_OP_REDUCE_MEAN);
    struct al_tensor in[2] = { 0 };
    bool axes[AL_MAX_DIMS] = { false };

    if (!n || !al_node_int(n, "keepdims", 1))
        return false;
    for (size_t i = 0; i < n->n_inputs && i < 2; i++)
        in[i] = al_graph_tensor(g, n->inputs[i]);
    struct al_args a = { .node = n, .in = in, .n_in = n->n_inputs };
    if (al_param_reduce(&a, axes, NULL) != AL_OK)
        return false;
    for (size_t k = 0; k < in[0].shape.rank; k++)
        if (axes[k] != (k + 1 == in[0].shape.rank))
            return false;
    *ret = n->inputs[0];
    return true;
}

/* Whether `value` is d squared. */
static bool is_square_of(const struct al_graph *g, uint32_t value, uint32_t d)
{
    const struct al_node *power = made_by(g, value, AL_OP_POW);
    const struct al_node *mul = made_by(g, value, AL_OP_MUL);

    return (power && power->inputs[0] == d && is_number(g, power->inputs[1], 2)) ||
           (mul && mul->inputs[0] == d && mul->inputs[1] == d);
}

/* Whether `value` is sqrt(mean of d squared + epsilon). */
static bool is_deviation_of(const struct al_graph *g, uint32_t value, uint32_t d,
                            float *ret_epsilon)
{
    const struct al_node *root = made_by(g, value, AL_OP_SQRT);
    const struct al_node *add = root ? made_by(g, root->inputs[0], AL_OP_ADD) : NULL;
    uint32_t square;

    for (size_t i = 0; add && i < 2; i++) {
        struct al_tensor t = al_graph_tensor(g, add->inputs[i]);
        if (t.data && t.dtype == AL_F32 && al_tensor_count(&t) == 1 &&
            is_last_mean(g, add->inputs[1 - i], &square) && is_square_of(g, square, d)) {
            *ret_epsilon = *(const float *)t.data;
            return true;
        }
    }
    return false;
}

/* Whether `value` is normalised over the last axis; *ret is what was. */
static bool is_normalised(const struct al_graph *g, uint32_t value, uint32_t *ret,
                          float *ret_epsilon)
{
    const struct al_node *div = made_by(g, value, AL_OP_DIV);
    const struct al_node *sub = div ? made_by(g, div->inputs[0], AL_OP_SUB) : NULL;
    uint32_t x;

    if (!sub || !is_last_mean(g, sub->inputs[1], &x) || x != sub->inputs[0] ||
        !is_deviation_of(g, div->inputs[1], div->inputs[0], ret_epsilon))
        return false;
    *ret = x;
    return true;
}

/* Whether `value` is a constant vector as long as the last axis of x. */
static bool is_parameter_of(const struct al_graph *g, uint32_t value, uint32_t x)
{
    const struct al_value *v = al_graph_value(g, value);
    const struct al_shape *s = &al_graph_value(g, x)->shape;

    return v->data && v->dtype == AL_F32 && v->shape.rank == 1 && s->rank &&
           v->shape.dims[0] == s->dims[s->rank - 1];
}

static enum al_status compose_layer_norm(struct al_graph *g, uint32_t id,
                                         struct al_error *err)
{
    const struct al_node *add = al_graph_node(g, id);
    struct al_attr attrs[] = { { .name = "axis", .type = AL_ATTR_INT, .i = -1 },
                               { .name = "epsilon", .type = AL_ATTR_FLOAT } };

    for (size_t i = 0; i < 4; i++) {
        uint32_t bias = add->inputs[i & 1], x;
        const struct al_node *mul = made_by(g, add->inputs[!(i & 1)], AL_OP_MUL);
        if (!mul || !is_normalised(g, mul->inputs[i >> 1], &x, &attrs[1].f) ||
            !is_parameter_of(g, bias, x) ||
            !is_parameter_of(g, mul->inputs[!(i >> 1)], x))
            continue;
        uint32_t inputs[] = { x, mul->inputs[!(i >> 1)], bias };
        struct al_node like = { .op = AL_OP_LAYER_NORM,
                                .n_inputs = 3,
                                .inputs = inputs,
                                .n_attrs = 2,
                                .attrs = attrs };
        return become(g, id, &like, err);
    }
    return AL_OK;
}

/* ---- the pass ---- */

static enum al_status compose_node(struct al_graph *g, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(g, id);
    enum al_status s = AL_OK;

    if (n->op == AL_OP_ADD)
        return compose_layer_norm(g, id, err);
    if (n->op == AL_OP_MUL)
        s = compose_gelu(g, id, err);
    if (s == AL_OK && (n->op == AL_OP_MUL || n->op == AL_OP_DIV))
        s = compose_hard_swish(g, id, err);
    if (s == AL_OK && (n->op == AL_OP_MUL || n->op == AL_OP_DIV))
        s = compose_hard_sigmoid(g, id, err);
    return s;
}

enum al_status al_pass_compose(struct al_graph *g, struct al_error *err)
{
    const uint32_t *order;
    size_t n;
    enum al_status s = al_graph_sort(g, &order, &n, err);

    for (size_t i = 0; s == AL_OK && i < n; i++) {
        const struct al_node *node = al_graph_node(g, order[i]);
        if (al_graph_value(g, node->outputs[0])->dtype == AL_F32)
            s = compose_node(g, order[i], err);
    }
    return s;
}
