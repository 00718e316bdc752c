/* Operators that move, cut and join without computing. */
#include <inttypes.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/graph/infer.h"

enum al_status al_infer_concat(const struct al_infer *f, struct al_error *err)
{
    struct al_shape out = f->a.in[0].shape;
    size_t axis = 0;
    enum al_status s;

    if ((s = al_infer_one_type(f, err)) != AL_OK ||
        (s = al_param_axis(al_node_int(f->a.node, "axis", 1), out.rank, &axis, err)) !=
            AL_OK)
        return s;
    for (size_t i = 1; i < f->a.n_in; i++) {
        struct al_shape other = f->a.in[i].shape;
        int64_t n = other.rank == out.rank ? other.dims[axis] : 0;
        if (other.rank == out.rank)
            other.dims[axis] = out.dims[axis];
        if (!al_shape_equal(&other, &out))
            return al_fail(err, AL_INVALID, "input %zu does not fit along axis %zu", i,
                           axis);
        if (!al_add_i64(out.dims[axis], n, &out.dims[axis]))
            return al_fail(err, AL_TOO_LARGE, "axis %zu overflows", axis);
    }
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

enum al_status al_infer_split(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    int64_t sizes[AL_MAX_SPLIT];
    size_t axis = 0;
    enum al_status s =
        al_param_axis(al_node_int(f->a.node, "axis", 0), x->rank, &axis, err);

    if (s == AL_OK && f->n_out > AL_MAX_SPLIT)
        s = al_fail(err, AL_UNSUPPORTED, "%zu outputs, at most %d are supported",
                    f->n_out, AL_MAX_SPLIT);
    if (s == AL_OK)
        s = al_param_split(&f->a, f->n_out, axis, sizes, err);
    for (size_t i = 0; s == AL_OK && i < f->n_out; i++) {
        f->out[i].dtype = f->a.in[0].dtype;
        f->out[i].shape = *x;
        f->out[i].shape.dims[axis] = sizes[i];
    }
    return s;
}

enum al_status al_infer_slice(const struct al_infer *f, struct al_error *err)
{
    struct al_shape out = f->a.in[0].shape;
    struct al_slice slice;
    enum al_status s = al_param_slice(&f->a, &slice, err);

    if (s != AL_OK)
        return s;
    memcpy(out.dims, slice.count, out.rank * sizeof(out.dims[0]));
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

enum al_status al_infer_gather(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    const struct al_shape *indices = &f->a.in[1].shape;
    struct al_shape out = { 0 };
    size_t axis = 0;
    enum al_status s =
        al_param_axis(al_node_int(f->a.node, "axis", 0), x->rank, &axis, err);

    if (s != AL_OK)
        return s;
    if (f->a.in[1].dtype != AL_I64 && f->a.in[1].dtype != AL_I32)
        return al_fail(err, AL_INVALID, "indices are %s",
                       al_dtype_name(f->a.in[1].dtype));
    if (!x->dims[axis])
        return al_fail(err, AL_INVALID, "axis %zu is empty", axis);
    if (x->rank - 1 + indices->rank > AL_MAX_DIMS)
        return al_fail(err, AL_UNSUPPORTED, "the result would have %zu dimensions",
                       x->rank - 1 + indices->rank);
    for (size_t k = 0; k < axis; k++)
        out.dims[out.rank++] = x->dims[k];
    for (size_t k = 0; k < indices->rank; k++)
        out.dims[out.rank++] = indices->dims[k];
    for (size_t k = axis + 1; k < x->rank; k++)
        out.dims[out.rank++] = x->dims[k];
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

enum al_status al_infer_transpose(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    struct al_shape out = { .rank = x->rank };
    bool seen[AL_MAX_DIMS] = { false };
    const int64_t *perm;
    size_t n;

    if (!al_node_ints(f->a.node, "perm", &perm, &n)) {
        for (size_t k = 0; k < x->rank; k++)
            out.dims[k] = x->dims[x->rank - 1 - k];
        al_infer_out(f, f->a.in[0].dtype, &out);
        return AL_OK;
    }
    if (n != x->rank)
        return al_fail(err, AL_INVALID, "perm has %zu axes, the input %zu", n, x->rank);
    for (size_t k = 0; k < n; k++) {
        if (perm[k] < 0 || perm[k] >= (int64_t)n || seen[perm[k]])
            return al_fail(err, AL_INVALID, "perm holds %" PRId64 " out of place",
                           perm[k]);
        seen[perm[k]] = true;
        out.dims[k] = x->dims[perm[k]];
    }
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

/* Resolves 0 (copied from the input) and -1 (the rest) of a Reshape. */
static enum al_status reshape_dims(const struct al_infer *f, const struct al_ints *want,
                                   struct al_shape *out, struct al_error *err)
{
    const struct al_tensor *x = &f->a.in[0];
    bool allow_zero = al_node_int(f->a.node, "allowzero", 0) != 0;
    size_t open = AL_MAX_DIMS, total = al_tensor_count(x), known = 1;

    out->rank = want->n;
    for (size_t k = 0; k < want->n; k++) {
        int64_t d = want->at[k];
        if (d == 0 && !allow_zero && k < x->shape.rank)
            d = x->shape.dims[k];
        if (d < -1 || (d == -1 && open != AL_MAX_DIMS) || d > INT32_MAX)
            return al_fail(err, AL_INVALID, "dimension %zu is %" PRId64, k, want->at[k]);
        if (d == -1)
            open = k;
        else if (!al_mul(known, (size_t)d, &known))
            return al_fail(err, AL_TOO_LARGE, "the new shape overflows");
        out->dims[k] = d;
    }
    if (open != AL_MAX_DIMS && known)
        out->dims[open] = (int64_t)(total / known);
    if (open != AL_MAX_DIMS && known)
        known *= total / known;
    if (known != total || (open != AL_MAX_DIMS && out->dims[open] < 0))
        return al_fail(err, AL_INVALID, "%zu elements do not fill the new shape", total);
    return AL_OK;
}

enum al_status al_infer_reshape(const struct al_infer *f, struct al_error *err)
{
    struct al_shape out = { 0 };
    struct al_ints want;
    enum al_status s = al_param_ints(&f->a, 1, NULL, &want, err);

    if (s == AL_OK && want.n > AL_MAX_DIMS)
        s = al_fail(err, AL_UNSUPPORTED, "%zu dimensions", want.n);
    if (s == AL_OK)
        s = reshape_dims(f, &want, &out, err);
    if (s == AL_OK)
        al_infer_out(f, f->a.in[0].dtype, &out);
    return s;
}

enum al_status al_infer_flatten(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    int64_t axis = al_node_int(f->a.node, "axis", 1);
    struct al_shape out = { .rank = 2, .dims = { 1, 1 } };

    axis += axis < 0 ? (int64_t)x->rank : 0;
    if (axis < 0 || axis > (int64_t)x->rank)
        return al_fail(err, AL_INVALID, "axis %" PRId64 " of %zu dimensions", axis,
                       x->rank);
    for (size_t k = 0; k < x->rank; k++) {
        int64_t *d = &out.dims[k >= (size_t)axis];
        if (!al_mul_i64(*d, x->dims[k], d))
            return al_fail(err, AL_TOO_LARGE, "the flattened shape overflows");
    }
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

enum al_status al_infer_squeeze(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    struct al_shape out = { 0 };
    bool axes[AL_MAX_DIMS], given;
    enum al_status s = al_param_axes(&f->a, 1, x->rank, axes, &given, err);

    if (s != AL_OK)
        return s;
    for (size_t k = 0; k < x->rank; k++) {
        if (given && axes[k] && x->dims[k] != 1)
            return al_fail(err, AL_INVALID, "axis %zu is %" PRId64 ", not 1", k,
                           x->dims[k]);
        if (given ? !axes[k] : x->dims[k] != 1)
            out.dims[out.rank++] = x->dims[k];
    }
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

enum al_status al_infer_unsqueeze(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    struct al_shape out = { 0 };
    struct al_ints list;
    bool axes[AL_MAX_DIMS], given;
    enum al_status s = al_param_ints(&f->a, 1, "axes", &list, err);

    if (s != AL_OK)
        return s;
    if (x->rank + list.n > AL_MAX_DIMS)
        return al_fail(err, AL_UNSUPPORTED, "the result would have %zu dimensions",
                       x->rank + list.n);
    s = al_param_axes(&f->a, 1, x->rank + list.n, axes, &given, err);
    if (s != AL_OK)
        return s;
    for (size_t k = 0, from = 0; k < x->rank + list.n; k++)
        out.dims[out.rank++] = axes[k] ? 1 : x->dims[from++];
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

/* A shape read from a list of integers. */
static enum al_status shape_of_list(const struct al_ints *list, struct al_shape *ret,
                                    struct al_error *err)
{
    if (list->n > AL_MAX_DIMS)
        return al_fail(err, AL_UNSUPPORTED, "%zu dimensions", list->n);
    ret->rank = list->n;
    for (size_t k = 0; k < list->n; k++) {
        if (list->at[k] < 0 || list->at[k] > INT32_MAX)
            return al_fail(err, AL_INVALID, "dimension %zu is %" PRId64, k, list->at[k]);
        ret->dims[k] = list->at[k];
    }
    return AL_OK;
}

enum al_status al_infer_expand(const struct al_infer *f, struct al_error *err)
{
    struct al_shape want = { 0 }, out;
    struct al_ints list;
    enum al_status s;

    if ((s = al_param_ints(&f->a, 1, NULL, &list, err)) != AL_OK ||
        (s = shape_of_list(&list, &want, err)) != AL_OK ||
        (s = al_broadcast(&f->a.in[0].shape, &want, &out, err)) != AL_OK)
        return s;
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

enum al_status al_infer_tile(const struct al_infer *f, struct al_error *err)
{
    struct al_shape out = f->a.in[0].shape, repeats = { 0 };
    struct al_ints list;
    enum al_status s;

    if ((s = al_param_ints(&f->a, 1, NULL, &list, err)) != AL_OK ||
        (s = shape_of_list(&list, &repeats, err)) != AL_OK)
        return s;
    if (repeats.rank != out.rank)
        return al_fail(err, AL_INVALID, "%zu repeats of %zu dimensions", repeats.rank,
                       out.rank);
    for (size_t k = 0; k < out.rank; k++)
        out.dims[k] *= repeats.dims[k];
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

static enum al_status check_pad_mode(const struct al_infer *f, const struct al_pads *pads,
                                     struct al_error *err)
{
    const char *mode = al_node_string(f->a.node, "mode", "constant");
    const struct al_shape *x = &f->a.in[0].shape;

    if (al_args_has(&f->a, 2) &&
        (f->a.in[2].dtype != f->a.in[0].dtype || al_tensor_count(&f->a.in[2]) != 1))
        return al_fail(err, AL_INVALID, "the constant is not one %s",
                       al_dtype_name(f->a.in[0].dtype));
    if (!strcmp(mode, "constant"))
        return AL_OK;
    bool reflect = !strcmp(mode, "reflect");
    if (!reflect && strcmp(mode, "edge") != 0)
        return al_fail(err, AL_UNSUPPORTED, "mode '%.40s'", mode);
    for (size_t k = 0; k < x->rank; k++) {
        int64_t most = pads->begin[k] > pads->end[k] ? pads->begin[k] : pads->end[k];
        if (most > 0 && (x->dims[k] < 1 || (reflect && most >= x->dims[k])))
            return al_fail(err, AL_INVALID,
                           "axis %zu of %" PRId64 " cannot be padded by %" PRId64, k,
                           x->dims[k], most);
    }
    return AL_OK;
}

enum al_status al_infer_pad(const struct al_infer *f, struct al_error *err)
{
    struct al_shape out = f->a.in[0].shape;
    struct al_pads pads;
    enum al_status s;

    if ((s = al_param_pads(&f->a, &pads, err)) != AL_OK ||
        (s = check_pad_mode(f, &pads, err)) != AL_OK)
        return s;
    for (size_t k = 0; k < out.rank; k++) {
        int64_t d = out.dims[k] + pads.begin[k] + pads.end[k];
        if (d < 0 || -pads.begin[k] > out.dims[k] || -pads.end[k] > out.dims[k])
            return al_fail(err, AL_INVALID, "axis %zu would become %" PRId64, k, d);
        out.dims[k] = d;
    }
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}
