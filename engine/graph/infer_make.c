/* Operators that make tensors from numbers, and those that rearrange or resize pictures.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "engine/graph/infer.h"

static enum al_status one_of(const struct al_infer *f, const char *attr,
                             const char *otherwise, const char *const *known, size_t n,
                             struct al_error *err)
{
    const char *s = al_node_string(f->a.node, attr, otherwise);

    for (size_t i = 0; i < n; i++)
        if (!strcmp(s, known[i]))
            return AL_OK;
    return al_fail(err, AL_UNSUPPORTED, "%s '%.40s'", attr, s);
}

enum al_status al_infer_constant(const struct al_infer *f, struct al_error *err)
{
    const struct al_node *n = f->a.node;
    struct al_shape vector = { .rank = 1 };
    const struct al_attr *a;

    if ((a = al_node_attr(n, "value")) && a->type == AL_ATTR_TENSOR)
        al_infer_out(f, a->tensor.dtype, &a->tensor.shape);
    else if ((a = al_node_attr(n, "value_int")) && a->type == AL_ATTR_INT)
        al_infer_out(f, AL_I64, &(struct al_shape){ 0 });
    else if ((a = al_node_attr(n, "value_float")) && a->type == AL_ATTR_FLOAT)
        al_infer_out(f, AL_F32, &(struct al_shape){ 0 });
    else if ((a = al_node_attr(n, "value_ints")) && a->type == AL_ATTR_INTS)
        vector.dims[0] = (int64_t)a->n, al_infer_out(f, AL_I64, &vector);
    else if ((a = al_node_attr(n, "value_floats")) && a->type == AL_ATTR_FLOATS)
        vector.dims[0] = (int64_t)a->n, al_infer_out(f, AL_F32, &vector);
    else
        return al_fail(err, AL_UNSUPPORTED, "it holds neither a tensor nor numbers");
    return AL_OK;
}

enum al_status al_infer_constant_of_shape(const struct al_infer *f, struct al_error *err)
{
    const struct al_attr *value = al_node_attr(f->a.node, "value");
    struct al_shape out = { 0 };
    struct al_ints list;
    enum al_status s = al_param_ints(&f->a, 0, NULL, &list, err);

    if (s != AL_OK)
        return s;
    if (value && (value->type != AL_ATTR_TENSOR || al_tensor_count(&value->tensor) != 1))
        return al_fail(err, AL_INVALID, "value is not one number");
    if (list.n > AL_MAX_DIMS)
        return al_fail(err, AL_UNSUPPORTED, "%zu dimensions", list.n);
    out.rank = list.n;
    memcpy(out.dims, list.at, list.n * sizeof(list.at[0]));
    al_infer_out(f, value ? value->tensor.dtype : AL_F32, &out);
    return AL_OK;
}

enum al_status al_infer_shape(const struct al_infer *f, struct al_error *err)
{
    int64_t rank = (int64_t)f->a.in[0].shape.rank;
    int64_t start = al_node_int(f->a.node, "start", 0);
    int64_t end = al_node_int(f->a.node, "end", rank);

    (void)err;
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end < start ? start : end > rank ? rank : end;
    al_infer_out(f, AL_I64, &(struct al_shape){ 1, { end - start } });
    return AL_OK;
}

static bool is_range_type(enum al_dtype t)
{
    return t == AL_F32 || t == AL_F64 || t == AL_I32 || t == AL_I64;
}

enum al_status al_infer_range(const struct al_infer *f, struct al_error *err)
{
    double at[3];
    enum al_status s = al_infer_one_type(f, err);

    if (s != AL_OK)
        return s;
    for (size_t i = 0; i < 3; i++) {
        const struct al_tensor *t = &f->a.in[i];
        if (!t->data || al_tensor_count(t) != 1 || !is_range_type(t->dtype))
            return al_fail(err, AL_UNSUPPORTED, "input %zu is not one constant number",
                           i);
        at[i] = al_tensor_number(t, 0);
    }
    double n = ceil((at[1] - at[0]) / at[2]);
    if (!(n <= INT32_MAX))
        return al_fail(err, AL_INVALID, "from %g to %g in steps of %g", at[0], at[1],
                       at[2]);
    al_infer_out(f, f->a.in[0].dtype,
                 &(struct al_shape){ 1, { n > 0 ? (int64_t)n : 0 } });
    return AL_OK;
}

enum al_status al_infer_resize(const struct al_infer *f, struct al_error *err)
{
    static const char *const modes[] = { "nearest", "linear" };
    static const char *const coordinates[] = { "half_pixel", "pytorch_half_pixel",
                                               "align_corners", "asymmetric" };
    static const char *const nearest[] = { "round_prefer_floor", "round_prefer_ceil",
                                           "floor", "ceil" };
    static const char *const policies[] = { "stretch" };
    struct al_shape out = f->a.in[0].shape;
    struct al_resize resize;
    enum al_status s;

    if ((s = one_of(f, "mode", "nearest", modes, 2, err)) != AL_OK ||
        (s = one_of(f, "coordinate_transformation_mode", "half_pixel", coordinates, 4,
                    err)) != AL_OK ||
        (s = one_of(f, "nearest_mode", "round_prefer_floor", nearest, 4, err)) != AL_OK ||
        (s = one_of(f, "keep_aspect_ratio_policy", "stretch", policies, 1, err)) != AL_OK)
        return s;
    if (al_node_int(f->a.node, "antialias", 0))
        return al_fail(err, AL_UNSUPPORTED, "antialias 1");
    s = al_param_resize(&f->a, &resize, err);
    if (s != AL_OK)
        return s;
    memcpy(out.dims, resize.out, out.rank * sizeof(out.dims[0]));
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

static enum al_status block_size(const struct al_infer *f, int64_t *ret,
                                 struct al_error *err)
{
    int64_t b = al_node_int(f->a.node, "blocksize", 0);
    enum al_status s = al_infer_rank(f, 0, 4, "the input", err);

    if (s == AL_OK && (b < 1 || b > 1024))
        s = al_fail(err, AL_INVALID, "blocksize is %" PRId64, b);
    *ret = b;
    return s;
}

enum al_status al_infer_depth_to_space(const struct al_infer *f, struct al_error *err)
{
    static const char *const modes[] = { "DCR", "CRD" };
    struct al_shape out = f->a.in[0].shape;
    int64_t b = 0;
    enum al_status s;

    if ((s = block_size(f, &b, err)) != AL_OK ||
        (s = one_of(f, "mode", "DCR", modes, 2, err)) != AL_OK)
        return s;
    if (out.dims[1] % (b * b))
        return al_fail(err, AL_INVALID, "%" PRId64 " channels in blocks of %" PRId64,
                       out.dims[1], b);
    out.dims[1] /= b * b;
    out.dims[2] *= b;
    out.dims[3] *= b;
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

enum al_status al_infer_space_to_depth(const struct al_infer *f, struct al_error *err)
{
    struct al_shape out = f->a.in[0].shape;
    int64_t b = 0;
    enum al_status s = block_size(f, &b, err);

    if (s != AL_OK)
        return s;
    if (out.dims[2] % b || out.dims[3] % b)
        return al_fail(err, AL_INVALID, "%" PRId64 "x%" PRId64 " in blocks of %" PRId64,
                       out.dims[2], out.dims[3], b);
    out.dims[1] *= b * b;
    out.dims[2] /= b;
    out.dims[3] /= b;
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}
