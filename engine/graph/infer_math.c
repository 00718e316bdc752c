/* Elementwise operators with broadcasting, reductions and orderings. */
#include <inttypes.h>
#include <string.h>

#include "engine/graph/infer.h"

static enum al_status broadcast_all(const struct al_infer *f, size_t first,
                                    struct al_shape *ret, struct al_error *err)
{
    struct al_shape out = f->a.in[first].shape;
    enum al_status s = AL_OK;

    for (size_t i = first + 1; s == AL_OK && i < f->a.n_in; i++)
        s = al_broadcast(&out, &f->a.in[i].shape, &out, err);
    if (s == AL_OK)
        *ret = out;
    return s;
}

/* Pow's exponent may be of another type than its base, which the result has. */
enum al_status al_infer_broadcast(const struct al_infer *f, struct al_error *err)
{
    struct al_shape out;
    enum al_status s = AL_OK;

    if (f->a.node->op != AL_OP_POW)
        s = al_infer_one_type(f, err);
    if (s == AL_OK)
        s = broadcast_all(f, 0, &out, err);
    if (s == AL_OK)
        al_infer_out(f, f->a.in[0].dtype, &out);
    return s;
}

enum al_status al_infer_compare(const struct al_infer *f, struct al_error *err)
{
    struct al_shape out;
    enum al_status s = al_infer_one_type(f, err);

    if (s == AL_OK)
        s = broadcast_all(f, 0, &out, err);
    if (s == AL_OK)
        al_infer_out(f, AL_BOOL, &out);
    return s;
}

enum al_status al_infer_where(const struct al_infer *f, struct al_error *err)
{
    struct al_shape out;
    enum al_status s;

    if (f->a.in[0].dtype != AL_BOOL || f->a.in[1].dtype != f->a.in[2].dtype)
        return al_fail(err, AL_INVALID, "condition %s, values %s and %s",
                       al_dtype_name(f->a.in[0].dtype), al_dtype_name(f->a.in[1].dtype),
                       al_dtype_name(f->a.in[2].dtype));
    s = broadcast_all(f, 0, &out, err);
    if (s == AL_OK)
        al_infer_out(f, f->a.in[1].dtype, &out);
    return s;
}

enum al_status al_infer_cast(const struct al_infer *f, struct al_error *err)
{
    int64_t code = al_node_int(f->a.node, "to", 0);
    enum al_dtype to = al_dtype_of_onnx(code);

    if (to == AL_NO_DTYPE)
        return al_fail(err, AL_UNSUPPORTED, "to element type %" PRId64, code);
    al_infer_out(f, to, &f->a.in[0].shape);
    return AL_OK;
}

/* `x` with the flagged axes 1, or without them. */
static struct al_shape without_axes(const struct al_shape *x, const bool *axes, bool keep)
{
    struct al_shape out = { 0 };

    for (size_t k = 0; k < x->rank; k++)
        if (!axes[k] || keep)
            out.dims[out.rank++] = axes[k] ? 1 : x->dims[k];
    return out;
}

enum al_status al_infer_reduce(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    bool axes[AL_MAX_DIMS];
    enum al_status s = al_param_reduce(&f->a, axes, err);

    if (s != AL_OK)
        return s;
    for (size_t k = 0; k < x->rank; k++)
        if (axes[k] && !x->dims[k])
            return al_fail(err, AL_INVALID, "axis %zu is empty", k);
    struct al_shape out =
        without_axes(x, axes, al_node_int(f->a.node, "keepdims", 1) != 0);
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

enum al_status al_infer_arg_max(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    bool axes[AL_MAX_DIMS] = { false };
    size_t axis = 0;
    enum al_status s =
        al_param_axis(al_node_int(f->a.node, "axis", 0), x->rank, &axis, err);

    if (s != AL_OK)
        return s;
    if (!x->dims[axis])
        return al_fail(err, AL_INVALID, "axis %zu is empty", axis);
    axes[axis] = true;
    struct al_shape out =
        without_axes(x, axes, al_node_int(f->a.node, "keepdims", 1) != 0);
    al_infer_out(f, AL_I64, &out);
    return AL_OK;
}

enum al_status al_infer_top_k(const struct al_infer *f, struct al_error *err)
{
    struct al_shape out = f->a.in[0].shape;
    struct al_ints k;
    size_t axis = 0;
    enum al_status s;

    if ((s = al_param_axis(al_node_int(f->a.node, "axis", -1), out.rank, &axis, err)) !=
            AL_OK ||
        (s = al_param_ints(&f->a, 1, NULL, &k, err)) != AL_OK)
        return s;
    int64_t n = k.n == 1 ? k.at[0] : al_node_int(f->a.node, "k", -1);
    if (n < 0 || n > out.dims[axis])
        return al_fail(err, AL_INVALID, "k is %" PRId64 " of %" PRId64, n,
                       out.dims[axis]);
    out.dims[axis] = n;
    al_infer_out(f, f->a.in[0].dtype, &out);
    f->out[1] = (struct al_tensor){ .dtype = AL_I64, .shape = out };
    return AL_OK;
}
