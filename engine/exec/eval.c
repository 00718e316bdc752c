#include "engine/exec/eval.h"

#include <math.h>
#include <stdlib.h>

#include "engine/exec/eval_impl.h"

/* The row of `op`, assembled from the families. */
static struct al_eval_row row_of(enum al_op op)
{
    struct al_eval_row rows[AL_N_OPS] = { 0 };

    al_eval_rows_conv(rows);
    al_eval_rows_math(rows);
    al_eval_rows_norm(rows);
    al_eval_rows_binary(rows);
    al_eval_rows_reduce(rows);
    al_eval_rows_move(rows);
    al_eval_rows_make(rows);
    return rows[op];
}

static bool is_int(enum al_dtype t)
{
    return t == AL_BOOL || t == AL_U8 || t == AL_I8 || t == AL_U16 || t == AL_I16 ||
           t == AL_U32 || t == AL_I32 || t == AL_I64;
}

al_eval_fn al_eval_find(const struct al_graph *g, const struct al_node *n,
                        struct al_error *err)
{
    struct al_eval_row row = row_of(n->op);
    size_t decides = n->op == AL_OP_WHERE ? 1 : 0;
    enum al_dtype t =
        n->n_inputs ? al_graph_value(g, n->inputs[decides])->dtype : AL_NO_DTYPE;
    al_eval_fn fn = row.any;

    if (t == AL_F32 && row.f32)
        fn = row.f32;
    else if (t == AL_F64 && row.f64)
        fn = row.f64;
    else if (is_int(t) && row.ints)
        fn = row.ints;
    if (!fn)
        (void)al_fail(err, AL_UNSUPPORTED,
                      "node '%.100s' (%s): element type %s is not supported", n->name,
                      al_op_info(n->op)->name, al_dtype_name(t));
    return fn;
}

/* A row of double accumulators for matrix products, a query's weights of attention. */
size_t al_eval_scratch_bytes(const struct al_graph *g, const struct al_node *n)
{
    const struct al_shape *out = &al_graph_value(g, n->outputs[0])->shape;

    if (n->op == AL_OP_ATTENTION)
        return (size_t)al_graph_value(g, n->inputs[1])->shape.dims[2] * sizeof(float);
    if (n->op != AL_OP_GEMM && n->op != AL_OP_MATMUL)
        return 0;
    return (out->rank ? (size_t)out->dims[out->rank - 1] : 1) * sizeof(double);
}

static bool has_elements(const struct al_tensor *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (out[i].dtype != AL_NO_DTYPE && al_tensor_count(&out[i]))
            return true;
    return false;
}

enum al_status al_eval_node(const struct al_graph *g, const struct al_node *n,
                            const struct al_tensor *in, struct al_tensor *out,
                            struct al_error *err)
{
    al_eval_fn fn = al_eval_find(g, n, err);
    size_t bytes = al_eval_scratch_bytes(g, n);
    struct al_eval e = {
        .node = n, .in = in, .n_in = n->n_inputs, .out = out, .n_out = n->n_outputs
    };

    if (!fn)
        return AL_UNSUPPORTED;
    if (!has_elements(out, n->n_outputs))
        return AL_OK;
    e.scratch = malloc(bytes + 1);
    if (!e.scratch)
        return al_fail(err, AL_NO_MEMORY, "no memory for %zu bytes of scratch", bytes);
    fn(&e);
    free(e.scratch);
    return AL_OK;
}

static float activated(const struct al_epilogue *p, float y)
{
    switch (p->act) {
    case AL_ACT_RELU:
        return y > 0 ? y : 0;
    case AL_ACT_CLIP:
        y = y > p->a ? y : p->a;
        return y < p->b ? y : p->b;
    case AL_ACT_LEAKY_RELU:
        return y > 0 ? y : p->a * y;
    case AL_ACT_HARD_SWISH:
        return y * fminf(fmaxf(y / 6 + 0.5F, 0), 1);
    case AL_ACT_SIGMOID:
        return 1 / (1 + expf(-y));
    case AL_ACT_TANH:
        return tanhf(y);
    case AL_ACT_GELU:
        return 0.5F * y * (1 + erff(y * (float)M_SQRT1_2));
    case AL_ACT_GELU_TANH:
        return 0.5F * y *
               (1 + tanhf((float)(M_SQRT1_2 * M_2_SQRTPI) * (y + 0.044715F * y * y * y)));
    case AL_ACT_NONE:
        break;
    }
    return y;
}

void al_eval_epilogue(const struct al_epilogue *post, float *y, const float *add,
                      size_t n)
{
    if (add)
        for (size_t i = 0; i < n; i++)
            y[i] += add[i];
    if (post->act == AL_ACT_RELU)
        for (size_t i = 0; i < n; i++)
            y[i] = y[i] > 0 ? y[i] : 0;
    else if (post->act != AL_ACT_NONE)
        for (size_t i = 0; i < n; i++)
            y[i] = activated(post, y[i]);
}
