/* Operators that move elements of any type: all are memory copies. */
#include <math.h>
#include <string.h>

#include "engine/exec/eval_impl.h"

static void copy_all(const struct al_eval *e)
{
    if (al_tensor_bytes(&e->out[0]))
        memcpy(e->out[0].data, e->in[0].data, al_tensor_bytes(&e->out[0]));
}

/* The mask of a Dropout that drops nothing is all true. */
static void dropout(const struct al_eval *e)
{
    copy_all(e);
    if (!al_eval_wants(e, 1))
        return;
    for (size_t i = 0; i < al_tensor_count(&e->out[1]); i++)
        al_store_double(&e->out[1], i, 1);
}

/* ---- copies with steps ---- */

/* Output element (i0, i1, …) is input element base + sum of i_k * step_k. */
#define MAX_STEPS AL_MAX_DIMS
struct stepped {
    size_t rank, dims[MAX_STEPS];
    ptrdiff_t step[MAX_STEPS], base;
};

static void add_axis(struct stepped *s, size_t dim, ptrdiff_t step)
{
    s->dims[s->rank] = dim;
    s->step[s->rank++] = step;
}

static void copy_line(const char *from, char *to, size_t n, ptrdiff_t step, size_t size)
{
    if (step == 1) {
        memcpy(to, from, n * size);
        return;
    }
    if (size == 4) { /* by far the most common */
        for (size_t i = 0; i < n; i++)
            memcpy(to + i * 4, from + (ptrdiff_t)i * step * 4, 4);
        return;
    }
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * size, from + (ptrdiff_t)i * step * (ptrdiff_t)size, size);
}

static void copy_stepped(const struct stepped *s, const struct al_eval *e)
{
    size_t size = al_dtype_size(e->in[0].dtype), last = s->rank ? s->rank - 1 : 0;
    size_t n = s->rank ? s->dims[last] : 1, lines = 1, index[MAX_STEPS] = { 0 };
    ptrdiff_t off = s->base, last_step = s->rank ? s->step[last] : 1;
    char *to = e->out[0].data;

    for (size_t k = 0; k < last; k++)
        lines *= s->dims[k];
    for (; lines && n; lines--, to += n * size) {
        copy_line((const char *)e->in[0].data + off * (ptrdiff_t)size, to, n, last_step,
                  size);
        for (size_t k = last; k-- > 0;) {
            off += s->step[k];
            if (++index[k] < s->dims[k])
                break;
            off -= s->step[k] * (ptrdiff_t)s->dims[k];
            index[k] = 0;
        }
    }
}

static void transpose(const struct al_eval *e)
{
    const struct al_shape *x = &e->in[0].shape;
    size_t strides[AL_MAX_DIMS], n;
    struct stepped s = { 0 };
    const int64_t *perm = NULL;

    al_strides(x, strides);
    (void)al_node_ints(e->node, "perm", &perm, &n);
    for (size_t k = 0; k < x->rank; k++) {
        size_t from = perm ? (size_t)perm[k] : x->rank - 1 - k;
        add_axis(&s, (size_t)x->dims[from], (ptrdiff_t)strides[from]);
    }
    copy_stepped(&s, e);
}

static void slice(const struct al_eval *e)
{
    const struct al_shape *x = &e->in[0].shape;
    struct al_args a = al_eval_args(e);
    size_t strides[AL_MAX_DIMS] = { 0 };
    struct stepped s = { 0 };
    struct al_slice cut = { 0 };

    (void)!al_param_slice(&a, &cut, NULL);
    al_strides(x, strides);
    for (size_t k = 0; k < x->rank; k++) {
        s.base += cut.start[k] * (ptrdiff_t)strides[k];
        add_axis(&s, (size_t)cut.count[k], cut.step[k] * (ptrdiff_t)strides[k]);
    }
    copy_stepped(&s, e);
}

/* Channel order DCR: (block row, block column, channel); CRD: channel first. */
static void depth_to_space(const struct al_eval *e)
{
    const int64_t *d = e->in[0].shape.dims;
    ptrdiff_t b = al_node_int(e->node, "blocksize", 1), c = d[1] / (b * b);
    ptrdiff_t plane = d[2] * d[3];
    bool crd = al_node_string(e->node, "mode", "DCR")[0] == 'C';
    struct stepped s = { 0 };

    add_axis(&s, (size_t)d[0], d[1] * plane);
    add_axis(&s, (size_t)c, (crd ? b * b : 1) * plane);
    add_axis(&s, (size_t)d[2], d[3]);
    add_axis(&s, (size_t)b, (crd ? b : b * c) * plane);
    add_axis(&s, (size_t)d[3], 1);
    add_axis(&s, (size_t)b, (crd ? 1 : c) * plane);
    copy_stepped(&s, e);
}

static void space_to_depth(const struct al_eval *e)
{
    const int64_t *d = e->in[0].shape.dims;
    ptrdiff_t b = al_node_int(e->node, "blocksize", 1);
    struct stepped s = { 0 };

    add_axis(&s, (size_t)d[0], d[1] * d[2] * d[3]);
    add_axis(&s, (size_t)b, d[3]);
    add_axis(&s, (size_t)b, 1);
    add_axis(&s, (size_t)d[1], d[2] * d[3]);
    add_axis(&s, (size_t)(d[2] / b), b * d[3]);
    add_axis(&s, (size_t)(d[3] / b), b);
    copy_stepped(&s, e);
}

/* ---- along one axis ---- */

static size_t axis_of(const struct al_eval *e, int64_t otherwise)
{
    size_t axis = 0;

    (void)!al_param_axis(al_node_int(e->node, "axis", otherwise), e->in[0].shape.rank,
                         &axis, NULL);
    return axis;
}

static void concat(const struct al_eval *e)
{
    size_t axis = axis_of(e, 1), rank = e->out[0].shape.rank;
    size_t outer = al_dims_product(&e->out[0].shape, 0, axis);
    size_t size = al_dtype_size(e->out[0].dtype);
    char *to = e->out[0].data;

    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < e->n_in; i++) {
            size_t n = al_dims_product(&e->in[i].shape, axis, rank) * size;
            if (n)
                memcpy(to, (const char *)e->in[i].data + o * n, n);
            to += n;
        }
}

static void split(const struct al_eval *e)
{
    size_t axis = axis_of(e, 0), rank = e->in[0].shape.rank;
    size_t outer = al_dims_product(&e->in[0].shape, 0, axis);
    size_t inner = al_dims_product(&e->in[0].shape, axis + 1, rank);
    size_t size = al_dtype_size(e->in[0].dtype) * inner;
    int64_t sizes[AL_MAX_SPLIT] = { 0 };
    struct al_args a = al_eval_args(e);
    const char *from = e->in[0].data;

    (void)!al_param_split(&a, e->n_out, axis, sizes, NULL);
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < e->n_out; i++) {
            size_t n = (size_t)sizes[i] * size;
            if (n && al_eval_wants(e, i))
                memcpy((char *)e->out[i].data + o * n, from, n);
            from += n;
        }
}

/* Negative indices count from the end; what lies outside is clamped. */
static size_t clamped_index(int64_t i, int64_t dim)
{
    i += i < 0 ? dim : 0;
    return (size_t)(i < 0 ? 0 : i >= dim ? dim - 1 : i);
}

static void gather(const struct al_eval *e)
{
    const struct al_shape *x = &e->in[0].shape;
    size_t axis = axis_of(e, 0), outer = al_dims_product(x, 0, axis);
    size_t n = al_tensor_count(&e->in[1]);
    size_t bytes = al_dims_product(x, axis + 1, x->rank) * al_dtype_size(e->in[0].dtype);
    char *to = e->out[0].data;

    for (size_t o = 0; o < outer && bytes; o++)
        for (size_t i = 0; i < n; i++, to += bytes) {
            size_t at = clamped_index(al_tensor_int(&e->in[1], i), x->dims[axis]);
            memcpy(to,
                   (const char *)e->in[0].data + (o * (size_t)x->dims[axis] + at) * bytes,
                   bytes);
        }
}

/* ---- every output element on its own ---- */

/* Splits output element `i` into its place along each axis. */
static void place_of(const struct al_shape *s, size_t i, int64_t *place)
{
    for (size_t k = s->rank; k-- > 0;) {
        place[k] = (int64_t)(i % (size_t)s->dims[k]);
        i /= (size_t)s->dims[k];
    }
}

static void tile(const struct al_eval *e)
{
    const struct al_shape *x = &e->in[0].shape, *y = &e->out[0].shape;
    size_t size = al_dtype_size(e->in[0].dtype), n = al_tensor_count(&e->out[0]);
    size_t strides[AL_MAX_DIMS] = { 0 };
    int64_t place[AL_MAX_DIMS] = { 0 };

    al_strides(x, strides);
    for (size_t i = 0; i < n; i++) {
        size_t from = 0;
        place_of(y, i, place);
        for (size_t k = 0; k < x->rank; k++)
            from += (size_t)(place[k] % x->dims[k]) * strides[k];
        memcpy((char *)e->out[0].data + i * size,
               (const char *)e->in[0].data + from * size, size);
    }
}

/* Where position p of a padded axis comes from, or -1 for the constant. */
static int64_t unpadded(int64_t p, int64_t dim, char mode)
{
    if (p >= 0 && p < dim)
        return p;
    if (mode == 'c')
        return -1;
    if (mode == 'e')
        return p < 0 ? 0 : dim - 1;
    return p < 0 ? -p : 2 * (dim - 1) - p; /* reflect, never past the other end */
}

/* The element that a constant Pad adds; `fill` has room for any type. */
static void pad_constant(const struct al_eval *e, void *fill)
{
    struct al_args a = al_eval_args(e);
    struct al_tensor one = { .dtype = e->in[0].dtype, .data = fill };

    if (al_args_has(&a, 2))
        memcpy(fill, e->in[2].data, al_dtype_size(one.dtype));
    else
        al_store_double(&one, 0, (double)al_node_float(e->node, "value", 0));
}

static void pad(const struct al_eval *e)
{
    const struct al_shape *x = &e->in[0].shape, *y = &e->out[0].shape;
    size_t size = al_dtype_size(e->in[0].dtype), n = al_tensor_count(&e->out[0]);
    char mode = al_node_string(e->node, "mode", "constant")[0];
    struct al_args a = al_eval_args(e);
    struct al_pads pads = { 0 };
    size_t strides[AL_MAX_DIMS] = { 0 };
    int64_t place[AL_MAX_DIMS] = { 0 };
    uint64_t fill = 0;

    (void)!al_param_pads(&a, &pads, NULL);
    pad_constant(e, &fill);
    al_strides(x, strides);
    for (size_t i = 0; i < n; i++) {
        const char *from = e->in[0].data;
        place_of(y, i, place);
        for (size_t k = 0; k < x->rank && from; k++) {
            int64_t p = unpadded(place[k] - pads.begin[k], x->dims[k], mode);
            from = p < 0 ? NULL : from + (size_t)p * strides[k] * size;
        }
        memcpy((char *)e->out[0].data + i * size, from ? from : (const char *)&fill,
               size);
    }
}

void al_eval_rows_move(struct al_eval_row *rows)
{
    rows[AL_OP_IDENTITY].any = copy_all;
    rows[AL_OP_RESHAPE].any = copy_all;
    rows[AL_OP_FLATTEN].any = copy_all;
    rows[AL_OP_SQUEEZE].any = copy_all;
    rows[AL_OP_UNSQUEEZE].any = copy_all;
    rows[AL_OP_DROPOUT].any = dropout;
    rows[AL_OP_TRANSPOSE].any = transpose;
    rows[AL_OP_SLICE].any = slice;
    rows[AL_OP_CONCAT].any = concat;
    rows[AL_OP_SPLIT].any = split;
    rows[AL_OP_GATHER].any = gather;
    rows[AL_OP_TILE].any = tile;
    rows[AL_OP_PAD].any = pad;
    rows[AL_OP_DEPTH_TO_SPACE].any = depth_to_space;
    rows[AL_OP_SPACE_TO_DEPTH].any = space_to_depth;
}
