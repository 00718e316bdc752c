#include "engine/graph/infer.h"

#include <inttypes.h>
#include <stdlib.h>

static const al_infer_fn infer_table[AL_N_OPS] = {
#define X(id, name, min_in, max_in, min_out, max_out, infer) \
    [AL_OP_##id] = al_infer_##infer,
    AL_OP_LIST(X)
#undef X
};

/* ---- helpers of the families ---- */

void al_infer_out(const struct al_infer *f, enum al_dtype dtype,
                  const struct al_shape *shape)
{
    f->out[0].dtype = dtype;
    f->out[0].shape = *shape;
}

enum al_status al_infer_rank(const struct al_infer *f, size_t i, size_t rank,
                             const char *what, struct al_error *err)
{
    char text[96];

    if (f->a.in[i].shape.rank == rank)
        return AL_OK;
    return al_fail(err, AL_INVALID, "%s has shape %s, not %zu dimensions", what,
                   al_shape_text(&f->a.in[i].shape, text, sizeof(text)), rank);
}

enum al_status al_infer_vector(const struct al_infer *f, size_t i, int64_t n,
                               const char *what, struct al_error *err)
{
    const struct al_shape *s = &f->a.in[i].shape;
    char text[96];

    if (s->rank == 1 && s->dims[0] == n)
        return AL_OK;
    return al_fail(err, AL_INVALID, "%s has shape %s, not [%" PRId64 "]", what,
                   al_shape_text(s, text, sizeof(text)), n);
}

enum al_status al_infer_one_type(const struct al_infer *f, struct al_error *err)
{
    for (size_t i = 1; i < f->a.n_in; i++)
        if (al_args_has(&f->a, i) && f->a.in[i].dtype != f->a.in[0].dtype)
            return al_fail(err, AL_INVALID, "input %zu is %s, input 0 is %s", i,
                           al_dtype_name(f->a.in[i].dtype),
                           al_dtype_name(f->a.in[0].dtype));
    return AL_OK;
}

enum al_status al_infer_same(const struct al_infer *f, struct al_error *err)
{
    (void)err;
    al_infer_out(f, f->a.in[0].dtype, &f->a.in[0].shape);
    return AL_OK;
}

/* ---- the door ---- */

static enum al_status check_inputs(const struct al_graph *g, const struct al_node *n,
                                   struct al_error *err)
{
    for (size_t i = 0; i < n->n_inputs; i++) {
        const struct al_value *v =
            n->inputs[i] == AL_NO_VALUE ? NULL : al_graph_value(g, n->inputs[i]);
        if (v && (!v->has_shape || v->dtype == AL_NO_DTYPE))
            return al_fail(err, AL_INTERNAL, "input '%s' has not been inferred", v->name);
    }
    return AL_OK;
}

static enum al_status store(struct al_graph *g, const struct al_node *n, size_t i,
                            const struct al_tensor *t, struct al_error *err)
{
    struct al_value *v;
    size_t count;
    enum al_status s = al_shape_count(&t->shape, al_dtype_size(t->dtype), &count, err);

    for (size_t k = 0; s == AL_OK && k < t->shape.rank; k++)
        if (t->shape.dims[k] > INT32_MAX)
            s = al_fail(err, AL_TOO_LARGE, "dimension %zu is %" PRId64, k,
                        t->shape.dims[k]);
    if (s != AL_OK)
        return al_error_prefix(err, s, "output %zu", i);
    v = al_graph_value_mut(g, n->outputs[i]);
    v->dtype = t->dtype;
    v->shape = t->shape;
    v->has_shape = true;
    return AL_OK;
}

static enum al_status infer(struct al_graph *g, const struct al_node *n,
                            struct al_tensor *in, struct al_tensor *out,
                            struct al_error *err)
{
    struct al_infer f = { .a = { .node = n, .in = in, .n_in = n->n_inputs },
                          .out = out,
                          .n_out = n->n_outputs };

    for (size_t i = 0; i < n->n_inputs; i++)
        in[i] = al_graph_tensor(g, n->inputs[i]);
    enum al_status s = infer_table[n->op](&f, err);
    for (size_t i = 0; s == AL_OK && i < n->n_outputs; i++)
        if (n->outputs[i] != AL_NO_VALUE)
            s = store(g, n, i, &out[i], err);
    return s;
}

enum al_status al_graph_infer_node(struct al_graph *g, uint32_t node,
                                   struct al_error *err)
{
    const struct al_node *n = al_graph_node(g, node);
    struct al_tensor *tensors = calloc(n->n_inputs + n->n_outputs, sizeof(*tensors));
    enum al_status s = tensors ? check_inputs(g, n, err)
                               : al_fail(err, AL_NO_MEMORY, "no memory for inference");

    if (s == AL_OK)
        s = infer(g, n, tensors, tensors + n->n_inputs, err);
    free(tensors);
    if (s != AL_OK)
        return al_error_prefix(err, s, "node '%.100s' (%s)", n->name,
                               al_op_info(n->op)->name);
    return AL_OK;
}
