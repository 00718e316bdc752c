#include <stdlib.h>

#include "engine/base/arena.h"
#include "engine/graph/graph.h"
#include "engine/pass/pass.h"

/* Most multiply-adds and moves that folding may take in all: a few seconds. Real models
 * need thousands of times less; a file that needs more is not meant well. */
#define MAX_WORK 4e9

static double count_of(const struct al_tensor *t)
{
    return t->dtype == AL_NO_DTYPE ? 0 : (double)al_tensor_count(t);
}

/* Roughly what evaluating the node costs: every output sees `depth` inputs. */
static double work_of(const struct al_node *n, const struct al_tensor *in,
                      const struct al_tensor *out)
{
    const struct al_shape *x = &in[0].shape;
    double read = 0, depth = 1;

    for (size_t i = 0; i < n->n_inputs; i++)
        read += count_of(&in[i]);
    if (n->op == AL_OP_CONV)
        depth = count_of(&in[1]) / (double)in[1].shape.dims[0];
    else if (n->op == AL_OP_GEMM || n->op == AL_OP_MATMUL)
        depth = (double)(x->dims[0] > x->dims[x->rank - 1] ? x->dims[0]
                                                           : x->dims[x->rank - 1]);
    else if (n->op == AL_OP_MAX_POOL || n->op == AL_OP_AVERAGE_POOL)
        depth = (double)x->dims[2] * (double)x->dims[3];
    else if (n->op == AL_OP_LRN)
        depth = (double)x->dims[1];
    else if (n->op == AL_OP_TOP_K || n->op == AL_OP_RESIZE)
        depth = 256;
    return read * (n->op == AL_OP_TOP_K ? count_of(&out[0]) : 1) +
           (n->n_outputs ? count_of(&out[0]) * depth : 0);
}

static bool is_foldable(const struct al_graph *g, const struct al_node *n)
{
    if (n->op == AL_OP_SHAPE)
        return true;
    for (size_t i = 0; i < n->n_inputs; i++)
        if (n->inputs[i] != AL_NO_VALUE && !al_graph_value(g, n->inputs[i])->data)
            return false;
    return true;
}

/* Memory for the outputs that somebody may read. */
static enum al_status make_outputs(struct al_graph *g, const struct al_node *n,
                                   struct al_tensor *out, struct al_error *err)
{
    for (size_t i = 0; i < n->n_outputs; i++) {
        out[i] = al_graph_tensor(g, n->outputs[i]);
        if (out[i].dtype == AL_NO_DTYPE)
            continue;
        out[i].data = al_arena_alloc(al_graph_arena(g), al_tensor_count(&out[i]),
                                     al_dtype_size(out[i].dtype));
        if (!out[i].data)
            return al_fail(err, AL_NO_MEMORY,
                           "node '%.100s' (%s): no memory for its constant", n->name,
                           al_op_info(n->op)->name);
    }
    return AL_OK;
}

static enum al_status fold_node(struct al_graph *g, uint32_t id, al_pass_eval_fn eval,
                                struct al_tensor *tensors, double *work,
                                struct al_error *err)
{
    const struct al_node *n = al_graph_node(g, id);
    struct al_tensor *in = tensors, *out = tensors + n->n_inputs;

    for (size_t i = 0; i < n->n_inputs; i++)
        in[i] = al_graph_tensor(g, n->inputs[i]);
    enum al_status s = make_outputs(g, n, out, err);
    if (s == AL_OK && (*work += work_of(n, in, out)) > MAX_WORK)
        s = al_fail(err, AL_TOO_LARGE,
                    "node '%.100s' (%s): its constants take too long to compute", n->name,
                    al_op_info(n->op)->name);
    if (s == AL_OK)
        s = eval(g, n, in, out, err);
    if (s == AL_UNSUPPORTED)
        return AL_OK;
    if (s != AL_OK)
        return s;
    for (size_t i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != AL_NO_VALUE)
            al_graph_set_constant(g, n->outputs[i], &out[i]);
    al_graph_remove_node(g, id);
    return AL_OK;
}

enum al_status al_pass_fold(struct al_graph *g, al_pass_eval_fn eval,
                            struct al_error *err)
{
    const uint32_t *order;
    double work = 0;
    size_t n;
    enum al_status s = al_graph_sort(g, &order, &n, err);

    for (size_t i = 0; s == AL_OK && i < n; i++) {
        const struct al_node *node = al_graph_node(g, order[i]);
        s = al_graph_infer_node(g, order[i], err);
        if (s != AL_OK || !is_foldable(g, node))
            continue;
        struct al_tensor *tensors =
            calloc(node->n_inputs + node->n_outputs, sizeof(*tensors));
        s = tensors ? fold_node(g, order[i], eval, tensors, &work, err)
                    : al_fail(err, AL_NO_MEMORY, "no memory to fold a node");
        free(tensors);
    }
    return s;
}
