/* Convolution, matrix products and pooling. */
#include <inttypes.h>

#include "engine/graph/infer.h"

static enum al_status check_conv(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    const struct al_shape *w = &f->a.in[1].shape;
    int64_t group = al_node_int(f->a.node, "group", 1);
    enum al_status s;

    if ((s = al_infer_one_type(f, err)) != AL_OK)
        return s;
    if (x->rank != 4 || w->rank != 4)
        return al_fail(err, AL_UNSUPPORTED,
                       "input of %zu and weights of %zu dimensions, only 2-D convolution "
                       "(4 and 4) is supported",
                       x->rank, w->rank);
    if (group < 1 || group > x->dims[1] || x->dims[1] % group || w->dims[0] % group ||
        w->dims[0] < 1 || w->dims[1] != x->dims[1] / group)
        return al_fail(err, AL_INVALID,
                       "%" PRId64 " input channels, weights %" PRId64 "x%" PRId64
                       ", %" PRId64 " groups do not fit",
                       x->dims[1], w->dims[0], w->dims[1], group);
    if (al_args_has(&f->a, 2))
        return al_infer_vector(f, 2, w->dims[0], "the bias", err);
    return AL_OK;
}

enum al_status al_infer_conv(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    const struct al_shape *w = &f->a.in[1].shape;
    struct al_window window;
    enum al_status s;

    if ((s = check_conv(f, err)) != AL_OK ||
        (s = al_node_window(f->a.node, x, &w->dims[2], &window, err)) != AL_OK)
        return s;
    al_infer_out(f, f->a.in[0].dtype,
                 &(struct al_shape){
                     4, { x->dims[0], w->dims[0], window.out[0], window.out[1] } });
    return AL_OK;
}

enum al_status al_infer_gemm(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *a = &f->a.in[0].shape;
    const struct al_shape *b = &f->a.in[1].shape;
    bool ta = al_node_int(f->a.node, "transA", 0) != 0;
    bool tb = al_node_int(f->a.node, "transB", 0) != 0;
    struct al_shape out = { .rank = 2 }, full;
    enum al_status s;

    if ((s = al_infer_one_type(f, err)) != AL_OK ||
        (s = al_infer_rank(f, 0, 2, "A", err)) != AL_OK ||
        (s = al_infer_rank(f, 1, 2, "B", err)) != AL_OK)
        return s;
    out.dims[0] = a->dims[ta];
    out.dims[1] = b->dims[!tb];
    if (a->dims[!ta] != b->dims[tb])
        return al_fail(err, AL_INVALID, "A has %" PRId64 " columns, B %" PRId64 " rows",
                       a->dims[!ta], b->dims[tb]);
    if (al_args_has(&f->a, 2)) {
        s = al_broadcast(&out, &f->a.in[2].shape, &full, err);
        if (s == AL_OK && !al_shape_equal(&full, &out))
            s = al_fail(err, AL_INVALID, "C does not broadcast to the product");
    }
    al_infer_out(f, f->a.in[0].dtype, &out);
    return s;
}

/* The dimensions before the last two. */
static struct al_shape batch_of(const struct al_shape *s)
{
    struct al_shape b = *s;

    b.rank = s->rank > 2 ? s->rank - 2 : 0;
    return b;
}

enum al_status al_infer_matmul(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *a = &f->a.in[0].shape;
    const struct al_shape *b = &f->a.in[1].shape;
    struct al_shape batch_a = batch_of(a), batch_b = batch_of(b), out;
    enum al_status s;

    if ((s = al_infer_one_type(f, err)) != AL_OK)
        return s;
    if (!a->rank || !b->rank)
        return al_fail(err, AL_INVALID, "a number is no matrix");
    int64_t inner_a = a->dims[a->rank - 1];
    int64_t inner_b = b->dims[b->rank > 1 ? b->rank - 2 : 0];
    if (inner_a != inner_b)
        return al_fail(err, AL_INVALID, "A has %" PRId64 " columns, B %" PRId64 " rows",
                       inner_a, inner_b);
    if ((s = al_broadcast(&batch_a, &batch_b, &out, err)) != AL_OK)
        return s;
    if (a->rank > 1)
        out.dims[out.rank++] = a->dims[a->rank - 2];
    if (b->rank > 1)
        out.dims[out.rank++] = b->dims[b->rank - 1];
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}

enum al_status al_infer_pool(const struct al_infer *f, struct al_error *err)
{
    const struct al_shape *x = &f->a.in[0].shape;
    struct al_window w;
    enum al_status s = al_node_window(f->a.node, x, NULL, &w, err);

    if (s != AL_OK)
        return s;
    for (size_t i = 0; i < 2; i++) {
        int64_t extent = (w.kernel[i] - 1) * w.dilation[i] + 1;
        if (w.pad_begin[i] >= extent || w.pad_end[i] - w.excess[i] >= extent)
            return al_fail(err, AL_INVALID, "a window would see nothing but padding");
    }
    if (al_node_int(f->a.node, "storage_order", 0))
        return al_fail(err, AL_UNSUPPORTED, "storage_order 1");
    al_infer_out(f, f->a.in[0].dtype,
                 &(struct al_shape){ 4, { x->dims[0], x->dims[1], w.out[0], w.out[1] } });
    if (f->n_out > 1) {
        f->out[1] = f->out[0];
        f->out[1].dtype = AL_I64;
    }
    return AL_OK;
}

enum al_status al_infer_global_pool(const struct al_infer *f, struct al_error *err)
{
    struct al_shape out = f->a.in[0].shape;

    if (out.rank < 3)
        return al_fail(err, AL_INVALID, "input has %zu dimensions, not 3 or more",
                       out.rank);
    for (size_t k = 2; k < out.rank; k++) {
        if (!out.dims[k])
            return al_fail(err, AL_INVALID, "axis %zu is empty", k);
        out.dims[k] = 1;
    }
    al_infer_out(f, f->a.in[0].dtype, &out);
    return AL_OK;
}
