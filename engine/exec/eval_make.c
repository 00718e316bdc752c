/* Tensors made from numbers and shapes, and Resize. */
#include <math.h>
#include <string.h>

#include "engine/exec/eval_impl.h"

static void constant(const struct al_eval *e)
{
    static const char *const lists[] = { "value_ints", "value_floats" };
    const struct al_attr *a = al_node_attr(e->node, "value");
    size_t bytes = al_tensor_bytes(&e->out[0]);

    if (a && a->type == AL_ATTR_TENSOR) {
        if (bytes)
            memcpy(e->out[0].data, a->tensor.data, bytes);
        return;
    }
    if ((a = al_node_attr(e->node, "value_int")))
        al_store_int(&e->out[0], 0, a->i);
    else if ((a = al_node_attr(e->node, "value_float")))
        al_store_double(&e->out[0], 0, (double)a->f);
    for (size_t k = 0; k < 2 && !a; k++)
        if ((a = al_node_attr(e->node, lists[k])) && bytes)
            memcpy(e->out[0].data, k ? (const void *)a->floats : (const void *)a->ints,
                   bytes);
}

static void constant_of_shape(const struct al_eval *e)
{
    const struct al_attr *value = al_node_attr(e->node, "value");
    size_t size = al_dtype_size(e->out[0].dtype), n = al_tensor_count(&e->out[0]);

    for (size_t i = 0; i < n; i++) {
        char *to = (char *)e->out[0].data + i * size;
        if (value)
            memcpy(to, value->tensor.data, size);
        else
            memset(to, 0, size);
    }
}

/* Inference has clamped start and end the same way. */
static void shape(const struct al_eval *e)
{
    const struct al_shape *s = &e->in[0].shape;
    int64_t rank = (int64_t)s->rank, start = al_node_int(e->node, "start", 0);
    size_t n = al_tensor_count(&e->out[0]);

    start = start < 0 ? start + rank : start;
    start = start < 0 ? 0 : start;
    for (size_t i = 0; i < n; i++)
        al_store_int(&e->out[0], i, s->dims[(size_t)start + i]);
}

static void range_floats(const struct al_eval *e)
{
    double start = al_load_double(&e->in[0], 0), step = al_load_double(&e->in[2], 0);
    size_t n = al_tensor_count(&e->out[0]);

    for (size_t i = 0; i < n; i++)
        al_store_double(&e->out[0], i, start + (double)i * step);
}

static void range_ints(const struct al_eval *e)
{
    uint64_t start = (uint64_t)al_load_int(&e->in[0], 0);
    uint64_t step = (uint64_t)al_load_int(&e->in[2], 0);
    size_t n = al_tensor_count(&e->out[0]);

    for (size_t i = 0; i < n; i++)
        al_store_int(&e->out[0], i, (int64_t)(start + i * step));
}

/* ---- Resize ---- */

struct resize {
    const struct al_shape *x;
    struct al_resize r;
    const char *coordinates, *nearest; /* nearest NULL: as operator set 10 has it */
};

static struct resize resize_of(const struct al_eval *e)
{
    struct resize r = { .x = &e->in[0].shape };
    struct al_args a = al_eval_args(e);
    bool old = e->node->opset < 11;

    (void)!al_param_resize(&a, &r.r, NULL);
    r.coordinates = al_node_string(e->node, "coordinate_transformation_mode",
                                   old ? "asymmetric" : "half_pixel");
    r.nearest =
        old ? NULL : al_node_string(e->node, "nearest_mode", "round_prefer_floor");
    return r;
}

/* Where output position `o` of axis k lies in the input. In float, like the scale: its
 * rounding back is what makes 1.5 / 0.6F the 2.5 that is meant, a tie or whole number. */
static float position(const struct resize *r, size_t k, int64_t o)
{
    float scale = r->r.scale[k], at = (float)o;

    if (!strcmp(r->coordinates, "asymmetric"))
        return at / scale;
    /* the standard's operator tests take the scaled length before it is rounded */
    if (!strcmp(r->coordinates, "align_corners"))
        return r->r.out[k] == 1 ? 0
                                : at * (float)(r->x->dims[k] - 1) / (r->r.length[k] - 1);
    if (!strcmp(r->coordinates, "pytorch_half_pixel") && r->r.out[k] == 1)
        return 0;
    return (at + 0.5F) / scale - 0.5F;
}

static int64_t clamp_to_axis(float p, int64_t dim)
{
    return p < 0 ? 0 : p >= (float)(dim - 1) ? dim - 1 : (int64_t)p;
}

static int64_t nearest_to(const struct resize *r, size_t k, int64_t o)
{
    float p = position(r, k, o);

    if (!r->nearest)
        p = r->r.scale[k] < 1 ? ceilf(p) : floorf(p); /* as its operator test has it */
    else if (!strcmp(r->nearest, "floor"))
        p = floorf(p);
    else if (!strcmp(r->nearest, "ceil"))
        p = ceilf(p);
    else if (!strcmp(r->nearest, "round_prefer_ceil"))
        p = floorf(p + 0.5F);
    else
        p = ceilf(p - 0.5F);
    return clamp_to_axis(p, r->x->dims[k]);
}

static void split_place(const struct al_shape *s, size_t i, int64_t *place)
{
    for (size_t k = s->rank; k-- > 0;) {
        place[k] = (int64_t)(i % (size_t)s->dims[k]);
        i /= (size_t)s->dims[k];
    }
}

static void resize_nearest(const struct al_eval *e)
{
    size_t size = al_dtype_size(e->in[0].dtype), n = al_tensor_count(&e->out[0]);
    struct resize r = resize_of(e);
    size_t strides[AL_MAX_DIMS] = { 0 };
    int64_t place[AL_MAX_DIMS] = { 0 };

    al_strides(r.x, strides);
    for (size_t i = 0; i < n; i++) {
        size_t from = 0;
        split_place(&e->out[0].shape, i, place);
        for (size_t k = 0; k < r.x->rank; k++)
            if (r.r.out[k] != r.x->dims[k] || r.r.scale[k] < 1 || r.r.scale[k] > 1)
                from += (size_t)nearest_to(&r, k, place[k]) * strides[k];
            else
                from += (size_t)place[k] * strides[k];
        memcpy((char *)e->out[0].data + i * size,
               (const char *)e->in[0].data + from * size, size);
    }
}

/* The two neighbours of an output along one axis and the share of the second. */
struct neighbours {
    size_t low, high; /* input offsets */
    double share;
};

static struct neighbours neighbours_of(const struct resize *r, size_t k, int64_t o,
                                       size_t stride)
{
    double p = (double)position(r, k, o);
    double last = (double)(r->x->dims[k] - 1);

    p = p < 0 ? 0 : p > last ? last : p;
    int64_t low = (int64_t)p, high = low < r->x->dims[k] - 1 ? low + 1 : low;
    return (struct neighbours){ (size_t)low * stride, (size_t)high * stride,
                                p - (double)low };
}

/* The weighted sum over all corners of the cell; axes without a share have one corner. */
static double interpolated(const struct al_tensor *x, const struct neighbours *at,
                           size_t rank)
{
    double sum = 0;

    for (size_t corner = 0; corner < (size_t)1 << rank; corner++) {
        double weight = 1;
        size_t from = 0;
        for (size_t k = 0; k < rank; k++) {
            bool high = corner >> k & 1;
            weight *= high ? at[k].share : 1 - at[k].share;
            from += high ? at[k].high : at[k].low;
        }
        if (weight > 0)
            sum += weight * al_load_double(x, from);
    }
    return sum;
}

static void resize_linear(const struct al_eval *e)
{
    size_t n = al_tensor_count(&e->out[0]);
    struct resize r = resize_of(e);
    size_t strides[AL_MAX_DIMS] = { 0 };
    int64_t place[AL_MAX_DIMS] = { 0 };
    struct neighbours at[AL_MAX_DIMS];

    al_strides(r.x, strides);
    for (size_t i = 0; i < n; i++) {
        split_place(&e->out[0].shape, i, place);
        for (size_t k = 0; k < r.x->rank; k++)
            at[k] = neighbours_of(&r, k, place[k], strides[k]);
        al_store_double(&e->out[0], i, interpolated(&e->in[0], at, r.x->rank));
    }
}

static void resize(const struct al_eval *e)
{
    if (!strcmp(al_node_string(e->node, "mode", "nearest"), "linear"))
        resize_linear(e);
    else
        resize_nearest(e);
}

void al_eval_rows_make(struct al_eval_row *rows)
{
    rows[AL_OP_CONSTANT].any = constant;
    rows[AL_OP_CONSTANT_OF_SHAPE].any = constant_of_shape;
    rows[AL_OP_SHAPE].any = shape;
    rows[AL_OP_RANGE] = (struct al_eval_row){ .f32 = range_floats,
                                              .f64 = range_floats,
                                              .ints = range_ints };
    rows[AL_OP_RESIZE] = (struct al_eval_row){ .f32 = resize, .f64 = resize };
}
