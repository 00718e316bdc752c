#include "engine/graph/param.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

bool al_args_has(const struct al_args *a, size_t i)
{
    return i < a->n_in && a->in[i].dtype != AL_NO_DTYPE;
}

int64_t al_tensor_int(const struct al_tensor *t, size_t i)
{
    return t->dtype == AL_I32 ? ((const int32_t *)t->data)[i]
                              : ((const int64_t *)t->data)[i];
}

double al_tensor_number(const struct al_tensor *t, size_t i)
{
    if (t->dtype == AL_F32)
        return (double)((const float *)t->data)[i];
    if (t->dtype == AL_F64)
        return ((const double *)t->data)[i];
    return (double)al_tensor_int(t, i);
}

static enum al_status ints_of_input(const struct al_args *a, size_t i,
                                    struct al_ints *ret, struct al_error *err)
{
    const struct al_tensor *t = &a->in[i];
    size_t n;

    if (t->dtype != AL_I64 && t->dtype != AL_I32)
        return al_fail(err, AL_INVALID, "input %zu is %s, not an integer", i,
                       al_dtype_name(t->dtype));
    if (!t->data)
        return al_fail(err, AL_UNSUPPORTED,
                       "input %zu depends on the data, not only on shapes", i);
    n = al_tensor_count(t);
    if (t->shape.rank > 1 || n > AL_MAX_INTS)
        return al_fail(err, AL_INVALID, "input %zu has %zu integers", i, n);
    *ret = (struct al_ints){ .given = true, .n = n };
    for (size_t k = 0; k < n; k++)
        ret->at[k] = al_tensor_int(t, k);
    return AL_OK;
}

enum al_status al_param_ints(const struct al_args *a, size_t i, const char *attr,
                             struct al_ints *ret, struct al_error *err)
{
    const int64_t *ints;
    size_t n;

    if (al_args_has(a, i))
        return ints_of_input(a, i, ret, err);
    *ret = (struct al_ints){ 0 };
    if (!attr || !al_node_ints(a->node, attr, &ints, &n))
        return AL_OK;
    if (n > AL_MAX_INTS)
        return al_fail(err, AL_INVALID, "%s has %zu integers", attr, n);
    *ret = (struct al_ints){ .given = true, .n = n };
    if (n)
        memcpy(ret->at, ints, n * sizeof(*ints));
    return AL_OK;
}

enum al_status al_param_axis(int64_t axis, size_t rank, size_t *ret, struct al_error *err)
{
    int64_t n = (int64_t)rank;

    if (axis < -n || axis >= n)
        return al_fail(err, AL_INVALID, "axis %" PRId64 " of %zu dimensions", axis, rank);
    *ret = (size_t)(axis < 0 ? axis + n : axis);
    return AL_OK;
}

/* Sets the flags of the axes in `list`. */
static enum al_status flag_axes(const struct al_ints *list, size_t rank,
                                bool axes[AL_MAX_DIMS], struct al_error *err)
{
    memset(axes, 0, AL_MAX_DIMS * sizeof(*axes));
    for (size_t k = 0; k < list->n; k++) {
        size_t axis = 0;
        enum al_status s = al_param_axis(list->at[k], rank, &axis, err);
        if (s != AL_OK)
            return s;
        if (axes[axis])
            return al_fail(err, AL_INVALID, "axis %zu is listed twice", axis);
        axes[axis] = true;
    }
    return AL_OK;
}

enum al_status al_param_axes(const struct al_args *a, size_t i, size_t rank,
                             bool ret_axes[AL_MAX_DIMS], bool *ret_given,
                             struct al_error *err)
{
    struct al_ints list;
    enum al_status s = al_param_ints(a, i, "axes", &list, err);

    if (s != AL_OK)
        return s;
    *ret_given = list.given;
    return flag_axes(&list, rank, ret_axes, err);
}

enum al_status al_param_reduce(const struct al_args *a, bool ret_axes[AL_MAX_DIMS],
                               struct al_error *err)
{
    size_t rank = a->in[0].shape.rank;
    struct al_ints list;
    enum al_status s = al_param_ints(a, 1, "axes", &list, err);

    if (s == AL_OK)
        s = flag_axes(&list, rank, ret_axes, err);
    if (s == AL_OK && !list.n && !al_node_int(a->node, "noop_with_empty_axes", 0))
        for (size_t k = 0; k < rank; k++)
            ret_axes[k] = true;
    return s;
}

/* ---- Slice ---- */

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* Steps beyond any dimension do the same as the longest one. */
static enum al_status slice_axis(int64_t dim, int64_t start, int64_t end, int64_t step,
                                 size_t axis, struct al_slice *ret, struct al_error *err)
{
    if (step == 0)
        return al_fail(err, AL_INVALID, "axis %zu is sliced in steps of 0", axis);
    step = clamp(step, -INT32_MAX, INT32_MAX);
    start += start < 0 ? dim : 0;
    end += end < 0 ? dim : 0;
    if (step > 0) {
        start = clamp(start, 0, dim);
        end = clamp(end, 0, dim);
    } else {
        start = clamp(start, 0, dim ? dim - 1 : 0);
        end = clamp(end, -1, dim - 1);
    }
    int64_t span = step > 0 ? end - start : start - end;
    int64_t stride = step > 0 ? step : -step;
    ret->start[axis] = start;
    ret->step[axis] = step;
    ret->count[axis] = span > 0 && dim > 0 ? (span + stride - 1) / stride : 0;
    return AL_OK;
}

enum al_status al_param_slice(const struct al_args *a, struct al_slice *ret,
                              struct al_error *err)
{
    const struct al_shape *x = &a->in[0].shape;
    struct al_ints starts = { 0 }, ends = { 0 }, axes = { 0 }, steps = { 0 };
    bool seen[AL_MAX_DIMS];
    enum al_status s;

    if ((s = al_param_ints(a, 1, "starts", &starts, err)) != AL_OK ||
        (s = al_param_ints(a, 2, "ends", &ends, err)) != AL_OK ||
        (s = al_param_ints(a, 3, "axes", &axes, err)) != AL_OK ||
        (s = al_param_ints(a, 4, NULL, &steps, err)) != AL_OK ||
        (s = flag_axes(&axes, x->rank, seen, err)) != AL_OK)
        return s;
    if (starts.n != ends.n || starts.n > x->rank || (axes.given && axes.n != starts.n) ||
        (steps.given && steps.n != starts.n))
        return al_fail(err, AL_INVALID,
                       "%zu starts, %zu ends, %zu axes, %zu steps of %zu dimensions",
                       starts.n, ends.n, axes.n, steps.n, x->rank);
    for (size_t k = 0; k < x->rank; k++) {
        ret->start[k] = 0;
        ret->step[k] = 1;
        ret->count[k] = x->dims[k];
    }
    for (size_t k = 0; k < starts.n; k++) {
        size_t axis = k;
        if (axes.given)
            s = al_param_axis(axes.at[k], x->rank, &axis, err);
        if (s == AL_OK)
            s = slice_axis(x->dims[axis], starts.at[k], ends.at[k],
                           steps.given ? steps.at[k] : 1, axis, ret, err);
        if (s != AL_OK)
            return s;
    }
    return AL_OK;
}

/* ---- Pad ---- */

enum al_status al_param_pads(const struct al_args *a, struct al_pads *ret,
                             struct al_error *err)
{
    size_t rank = a->in[0].shape.rank;
    struct al_ints pads = { 0 }, axes = { 0 };
    bool seen[AL_MAX_DIMS];
    enum al_status s;

    if ((s = al_param_ints(a, 1, "pads", &pads, err)) != AL_OK ||
        (s = al_param_ints(a, 3, NULL, &axes, err)) != AL_OK ||
        (s = flag_axes(&axes, rank, seen, err)) != AL_OK)
        return s;
    size_t n = axes.given ? axes.n : rank;
    if (pads.n != 2 * n)
        return al_fail(err, AL_INVALID, "%zu pads for %zu axes", pads.n, n);
    memset(ret, 0, sizeof(*ret));
    for (size_t k = 0; k < n; k++) {
        size_t axis = k;
        if (axes.given)
            s = al_param_axis(axes.at[k], rank, &axis, err);
        if (s != AL_OK)
            return s;
        ret->begin[axis] = clamp(pads.at[k], -INT32_MAX, INT32_MAX);
        ret->end[axis] = clamp(pads.at[n + k], -INT32_MAX, INT32_MAX);
    }
    return AL_OK;
}

/* ---- Split ---- */

static enum al_status even_split(int64_t dim, size_t n_out, bool ragged, int64_t *sizes,
                                 struct al_error *err)
{
    int64_t n = (int64_t)n_out;
    int64_t each = (dim + n - 1) / n;

    if (dim % n && (!ragged || dim - each * (n - 1) < 0))
        return al_fail(err, AL_INVALID, "%" PRId64 " does not split into %zu", dim,
                       n_out);
    for (size_t i = 0; i < n_out; i++)
        sizes[i] = i + 1 < n_out ? each : dim - each * (n - 1);
    return AL_OK;
}

enum al_status al_param_split(const struct al_args *a, size_t n_out, size_t axis,
                              int64_t *sizes, struct al_error *err)
{
    int64_t dim = a->in[0].shape.dims[axis];
    struct al_tensor list = { 0 };
    const int64_t *ints = NULL;
    size_t n = 0;
    int64_t sum = 0;

    if (al_args_has(a, 1)) {
        list = a->in[1];
        n = al_tensor_count(&list);
        if (!list.data || list.dtype != AL_I64)
            return al_fail(err, AL_UNSUPPORTED, "the sizes are not constant integers");
    } else if (!al_node_ints(a->node, "split", &ints, &n)) {
        return even_split(dim, n_out, a->node->opset >= 18, sizes, err);
    }
    if (n != n_out)
        return al_fail(err, AL_INVALID, "%zu sizes for %zu outputs", n, n_out);
    for (size_t i = 0; i < n; i++) {
        sizes[i] = list.data ? al_tensor_int(&list, i) : ints[i];
        if (sizes[i] < 0 || sizes[i] > dim - sum)
            return al_fail(err, AL_INVALID, "the sizes do not add up to %" PRId64, dim);
        sum += sizes[i];
    }
    if (sum != dim)
        return al_fail(err, AL_INVALID, "the sizes add up to %" PRId64 ", not %" PRId64,
                       sum, dim);
    return AL_OK;
}

/* ---- Resize ---- */

/* Operator set 10 has X, scales; since 11 it is X, roi, scales, sizes. */
static enum al_status resize_lists(const struct al_args *a, struct al_tensor *scales,
                                   struct al_ints *sizes, struct al_error *err)
{
    size_t at = a->node->opset < 11 ? 1 : 2;
    enum al_status s = al_param_ints(a, 3, NULL, sizes, err);

    *scales = (struct al_tensor){ 0 };
    if (s != AL_OK)
        return s;
    if (al_args_has(a, at) &&
        !(sizes->n && a->in[at].data && !al_tensor_count(&a->in[at])))
        *scales = a->in[at];
    if (scales->dtype != AL_NO_DTYPE && al_tensor_count(scales) == 0)
        *scales = (struct al_tensor){ 0 };
    if (scales->dtype != AL_NO_DTYPE && (scales->dtype != AL_F32 || !scales->data))
        return al_fail(err, AL_UNSUPPORTED, "the scales are not constant floats");
    if ((scales->dtype != AL_NO_DTYPE) == (sizes->n != 0))
        return al_fail(err, AL_INVALID, "it needs either scales or sizes");
    return AL_OK;
}

static enum al_status resize_axis(int64_t dim, float scale, int64_t size,
                                  struct al_resize *ret, size_t axis,
                                  struct al_error *err)
{
    float length = (float)size;

    if (scale > 0) {
        length = (float)dim * scale; /* a scale of 0.7F is meant to make 7 of 10 */
        if (!(length < (float)INT32_MAX))
            return al_fail(err, AL_TOO_LARGE, "axis %zu scaled by %g", axis,
                           (double)scale);
        size = (int64_t)length;
    } else {
        scale = (float)size / (float)dim;
    }
    if (dim < 1 || size < 1 || size > INT32_MAX)
        return al_fail(err, AL_INVALID, "axis %zu from %" PRId64 " to %" PRId64, axis,
                       dim, size);
    ret->out[axis] = size;
    ret->scale[axis] = scale;
    ret->length[axis] = length;
    return AL_OK;
}

enum al_status al_param_resize(const struct al_args *a, struct al_resize *ret,
                               struct al_error *err)
{
    const struct al_shape *x = &a->in[0].shape;
    struct al_tensor scales = { 0 };
    struct al_ints sizes = { 0 }, axes = { 0 };
    bool seen[AL_MAX_DIMS];
    enum al_status s;

    if ((s = resize_lists(a, &scales, &sizes, err)) != AL_OK ||
        (s = al_param_ints(a, SIZE_MAX, "axes", &axes, err)) != AL_OK ||
        (s = flag_axes(&axes, x->rank, seen, err)) != AL_OK)
        return s;
    size_t n = sizes.n ? sizes.n : al_tensor_count(&scales);
    if (n != (axes.given ? axes.n : x->rank))
        return al_fail(err, AL_INVALID, "%zu scales or sizes for %zu dimensions", n,
                       x->rank);
    for (size_t k = 0; k < x->rank; k++) {
        ret->out[k] = x->dims[k];
        ret->scale[k] = 1;
        ret->length[k] = (float)x->dims[k];
    }
    for (size_t k = 0; k < n; k++) {
        size_t axis = k;
        float scale = sizes.n ? 0 : ((const float *)scales.data)[k];
        if (axes.given)
            s = al_param_axis(axes.at[k], x->rank, &axis, err);
        if (s == AL_OK && !sizes.n && !(scale > 0))
            s = al_fail(err, AL_INVALID, "axis %zu scaled by %g", axis, (double)scale);
        if (s == AL_OK)
            s = resize_axis(x->dims[axis], scale, sizes.n ? sizes.at[k] : 0, ret, axis,
                            err);
        if (s != AL_OK)
            return s;
    }
    return AL_OK;
}

/* ---- broadcasting ---- */

enum al_status al_broadcast(const struct al_shape *a, const struct al_shape *b,
                            struct al_shape *ret, struct al_error *err)
{
    struct al_shape out = { .rank = a->rank > b->rank ? a->rank : b->rank };
    char text_a[96], text_b[96];

    for (size_t k = 0; k < out.rank; k++) {
        int64_t da = k < a->rank ? a->dims[a->rank - 1 - k] : 1;
        int64_t db = k < b->rank ? b->dims[b->rank - 1 - k] : 1;
        if (da != db && da != 1 && db != 1)
            return al_fail(err, AL_INVALID, "shapes %s and %s do not broadcast",
                           al_shape_text(a, text_a, sizeof(text_a)),
                           al_shape_text(b, text_b, sizeof(text_b)));
        out.dims[out.rank - 1 - k] = da == 1 ? db : da;
    }
    *ret = out;
    return AL_OK;
}
