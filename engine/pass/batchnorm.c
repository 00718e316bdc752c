/* y = (conv(x) - mean) * f + bias with f = scale / sqrt(variance + epsilon) is a
 * convolution again: weights times f per output channel, bias (b - mean) * f + bias.
 * Computed in double, rounded once. */
#include <math.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/graph/graph.h"
#include "engine/pass/pass.h"

/* y = x * factor + shift, per channel. */
struct affine {
    size_t n;
    double *factor, *shift;
};

static bool has_constant_parameters(const struct al_graph *g, const struct al_node *n)
{
    for (size_t i = 1; i < 5; i++) {
        const struct al_value *v = al_graph_value(g, n->inputs[i]);
        if (!v->data || v->dtype != AL_F32)
            return false;
    }
    return al_graph_value(g, n->inputs[0])->dtype == AL_F32;
}

static enum al_status no_memory(struct al_error *err)
{
    return al_fail(err, AL_NO_MEMORY, "no memory to fold a batch normalisation");
}

static enum al_status read_affine(struct al_graph *g, const struct al_node *n,
                                  struct affine *ret, struct al_error *err)
{
    const float *scale = al_graph_value(g, n->inputs[1])->data;
    const float *bias = al_graph_value(g, n->inputs[2])->data;
    const float *mean = al_graph_value(g, n->inputs[3])->data;
    const float *variance = al_graph_value(g, n->inputs[4])->data;
    double epsilon = (double)al_node_float(n, "epsilon", 1e-5F);

    ret->n = (size_t)al_graph_value(g, n->inputs[1])->shape.dims[0];
    ret->factor = al_arena_alloc(al_graph_arena(g), 2 * ret->n, sizeof(double));
    if (!ret->factor)
        return no_memory(err);
    ret->shift = ret->factor + ret->n;
    for (size_t c = 0; c < ret->n; c++) {
        ret->factor[c] = (double)scale[c] / sqrt((double)variance[c] + epsilon);
        ret->shift[c] = (double)bias[c] - (double)mean[c] * ret->factor[c];
    }
    return AL_OK;
}

static enum al_status add_constant(struct al_graph *g, const struct al_shape *shape,
                                   const float *data, uint32_t *ret, struct al_error *err)
{
    struct al_value v = { .dtype = AL_F32,
                          .has_shape = true,
                          .shape = *shape,
                          .producer = AL_NO_NODE,
                          .data = data };

    return al_graph_add_value(g, &v, ret, err);
}

/* ---- into the weights before it ---- */

/* Rows of the weights that belong to one output channel lie `row` apart and have `n`
 * elements `step` apart. */
struct weights {
    const float *data;
    size_t count, row, n, step;
};

static bool is_one(float v)
{
    return v >= 1 && v <= 1;
}

/* A node w * x + b with constant w and, if at all, one constant b per output channel. */
static bool is_plain_linear(const struct al_graph *g, const struct al_node *n,
                            int64_t channels)
{
    if ((n->op != AL_OP_CONV && n->op != AL_OP_GEMM) || n->post.add != AL_NO_VALUE ||
        n->post.act != AL_ACT_NONE || !al_graph_value(g, n->inputs[1])->data)
        return false;
    if (n->op == AL_OP_GEMM &&
        (!is_one(al_node_float(n, "alpha", 1)) || !is_one(al_node_float(n, "beta", 1))))
        return false;
    if (n->n_inputs < 3 || n->inputs[2] == AL_NO_VALUE)
        return true;
    const struct al_value *b = al_graph_value(g, n->inputs[2]);
    return b->data && b->shape.rank == 1 && b->shape.dims[0] == channels;
}

/* The producer whose weights can take the normalisation up, or AL_NO_NODE. */
static uint32_t linear_before(const struct al_graph *g, const struct al_node *bn)
{
    uint32_t id = al_graph_value(g, bn->inputs[0])->producer;
    int64_t channels = al_graph_value(g, bn->inputs[1])->shape.dims[0];

    if (id == AL_NO_NODE || al_graph_n_uses(g, bn->inputs[0]) != 1 ||
        !is_plain_linear(g, al_graph_node(g, id), channels))
        return AL_NO_NODE;
    return id;
}

static struct weights weights_of(const struct al_graph *g, const struct al_node *n)
{
    const struct al_value *v = al_graph_value(g, n->inputs[1]);
    struct al_tensor t = al_graph_tensor(g, n->inputs[1]);
    struct weights w = { .data = v->data, .count = al_tensor_count(&t), .step = 1 };
    size_t rows = (size_t)v->shape.dims[0];

    if (n->op == AL_OP_GEMM && !al_node_int(n, "transB", 0)) { /* channels are columns */
        w.n = rows;
        w.step = (size_t)v->shape.dims[1];
        w.row = 1;
    } else {
        w.n = w.row = rows ? w.count / rows : 0;
    }
    return w;
}

static enum al_status fold_into(struct al_graph *g, uint32_t linear,
                                const struct affine *a, struct al_error *err)
{
    const struct al_node *n = al_graph_node(g, linear);
    struct weights w = weights_of(g, n);
    struct al_arena *arena = al_graph_arena(g);
    bool shared = al_graph_n_uses(g, n->inputs[1]) > 1;
    float *scaled = shared ? al_arena_alloc(arena, w.count, sizeof(*scaled))
                           : (float *)(uintptr_t)w.data; /* in place */
    float *bias = al_arena_alloc(arena, a->n, sizeof(*bias));
    bool has_bias = n->n_inputs > 2 && n->inputs[2] != AL_NO_VALUE;
    const float *old = has_bias ? al_graph_value(g, n->inputs[2])->data : NULL;
    uint32_t inputs[3] = { n->inputs[0], AL_NO_VALUE, AL_NO_VALUE };
    enum al_status s;

    if (!scaled || !bias)
        return no_memory(err);
    for (size_t c = 0; c < a->n; c++) {
        for (size_t i = 0; i < w.n; i++) {
            size_t at = c * w.row + i * w.step;
            scaled[at] = (float)((double)w.data[at] * a->factor[c]);
        }
        bias[c] = (float)((old ? (double)old[c] * a->factor[c] : 0) + a->shift[c]);
    }
    if ((s = add_constant(g, &al_graph_value(g, n->inputs[1])->shape, scaled, &inputs[1],
                          err)) != AL_OK ||
        (s = add_constant(g, &(struct al_shape){ 1, { (int64_t)a->n } }, bias, &inputs[2],
                          err)) != AL_OK)
        return s;
    return al_graph_set_inputs(g, linear, inputs, 3, err);
}

static enum al_status fold_away(struct al_graph *g, uint32_t id, uint32_t linear,
                                struct al_error *err)
{
    const struct al_node bn = *al_graph_node(g, id);
    struct affine a = { 0 };
    enum al_status s = read_affine(g, &bn, &a, err);

    if (s == AL_OK)
        s = fold_into(g, linear, &a, err);
    if (s == AL_OK)
        s = al_graph_replace_uses(g, bn.outputs[0], bn.inputs[0], err);
    if (s == AL_OK)
        al_graph_remove_node(g, id);
    return s;
}

enum al_status al_pass_batchnorm(struct al_graph *g, struct al_error *err)
{
    for (uint32_t i = 0; i < al_graph_n_nodes(g); i++) {
        const struct al_node *n = al_graph_node(g, i);
        if (n->op != AL_OP_BATCH_NORM || !has_constant_parameters(g, n))
            continue;
        uint32_t linear = linear_before(g, n);
        enum al_status s = linear == AL_NO_NODE ? AL_OK : fold_away(g, i, linear, err);
        if (s != AL_OK)
            return s;
    }
    return AL_OK;
}
