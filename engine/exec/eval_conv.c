/* Convolution, matrix products and pooling: sums in double, one output at a time. */
#include <math.h>
#include <string.h>

#include "engine/exec/eval_impl.h"

/* ---- windows ---- */

/* The part of a window's axis that lies inside the input: taps [from, to). */
struct taps {
    int64_t from, to;
    int64_t first; /* input position of tap 0, maybe outside */
};

static struct taps taps_of(const struct al_window *w, size_t axis, int64_t out,
                           int64_t in)
{
    struct taps t = { 0, 0, out * w->stride[axis] - w->pad_begin[axis] };
    int64_t d = w->dilation[axis];

    if (t.first < 0)
        t.from = (-t.first + d - 1) / d;
    if (t.first < in)
        t.to = (in - t.first + d - 1) / d;
    if (t.to > w->kernel[axis])
        t.to = w->kernel[axis];
    return t;
}

/* Inference has checked the same window. */
static struct al_window window_of(const struct al_eval *e, const int64_t *kernel_hw)
{
    struct al_window w = { 0 };

    (void)!al_node_window(e->node, &e->in[0].shape, kernel_hw, &w, NULL);
    return w;
}

/* ---- convolution ---- */

/* One input channel's share of one output: taps of `x` (H x W) times `k` (KH x KW). */
static double tap_sum(const float *x, const float *k, const struct al_window *w,
                      const struct taps *ty, const struct taps *tx, int64_t width)
{
    double sum = 0;

    for (int64_t i = ty->from; i < ty->to; i++) {
        const float *row = x + (ty->first + i * w->dilation[0]) * width;
        for (int64_t j = tx->from; j < tx->to; j++)
            sum += (double)row[tx->first + j * w->dilation[1]] *
                   (double)k[i * w->kernel[1] + j];
    }
    return sum;
}

/* One output channel: `x` is the group's first input channel, `k` its C x KH x KW
 * weights. */
static void conv_channel(const struct al_eval *e, const struct al_window *w,
                         const float *x, const float *k, double bias, float *y)
{
    int64_t h = e->in[0].shape.dims[2], width = e->in[0].shape.dims[3];
    int64_t channels = e->in[1].shape.dims[1];
    int64_t taps = w->kernel[0] * w->kernel[1];

    for (int64_t oy = 0; oy < w->out[0]; oy++) {
        struct taps ty = taps_of(w, 0, oy, h);
        for (int64_t ox = 0; ox < w->out[1]; ox++) {
            struct taps tx = taps_of(w, 1, ox, width);
            double sum = bias;
            for (int64_t c = 0; c < channels; c++)
                sum += tap_sum(x + c * h * width, k + c * taps, w, &ty, &tx, width);
            *y++ = (float)sum;
        }
    }
}

static void conv(const struct al_eval *e)
{
    const int64_t *xd = e->in[0].shape.dims, *wd = e->in[1].shape.dims;
    struct al_window w = window_of(e, &wd[2]);
    int64_t group = al_node_int(e->node, "group", 1);
    int64_t plane = w.out[0] * w.out[1];
    struct al_args a = al_eval_args(e);
    const float *bias = al_args_has(&a, 2) ? e->in[2].data : NULL;

    for (int64_t n = 0; n < xd[0]; n++)
        for (int64_t m = 0; m < wd[0]; m++) {
            int64_t c = m / (wd[0] / group) * wd[1];
            conv_channel(e, &w,
                         (const float *)e->in[0].data + (n * xd[1] + c) * xd[2] * xd[3],
                         (const float *)e->in[1].data + m * wd[1] * wd[2] * wd[3],
                         bias ? (double)bias[m] : 0,
                         (float *)e->out[0].data + (n * wd[0] + m) * plane);
        }
}

/* ---- pooling ---- */

static void max_window(const float *x, int64_t width, const struct al_window *w,
                       const struct taps *ty, const struct taps *tx, float *ret,
                       int64_t *ret_at)
{
    float best = -INFINITY;
    int64_t at = 0;
    bool first = true;

    for (int64_t i = ty->from; i < ty->to; i++)
        for (int64_t j = tx->from; j < tx->to; j++) {
            int64_t p =
                (ty->first + i * w->dilation[0]) * width + tx->first + j * w->dilation[1];
            if (first || x[p] > best) {
                best = x[p];
                at = p;
                first = false;
            }
        }
    *ret = best;
    *ret_at = at;
}

static void max_pool(const struct al_eval *e)
{
    const int64_t *d = e->in[0].shape.dims;
    struct al_window w = window_of(e, NULL);
    int64_t *indices = al_eval_wants(e, 1) ? e->out[1].data : NULL;
    float *y = e->out[0].data;
    size_t o = 0;

    for (int64_t c = 0; c < d[0] * d[1]; c++) {
        const float *x = (const float *)e->in[0].data + c * d[2] * d[3];
        for (int64_t oy = 0; oy < w.out[0]; oy++) {
            struct taps ty = taps_of(&w, 0, oy, d[2]);
            for (int64_t ox = 0; ox < w.out[1]; ox++, o++) {
                struct taps tx = taps_of(&w, 1, ox, d[3]);
                int64_t at;
                max_window(x, d[3], &w, &ty, &tx, &y[o], &at);
                if (indices)
                    indices[o] = c * d[2] * d[3] + at;
            }
        }
    }
}

/* Taps of one axis that count towards the mean: those inside the input or, with
 * count_include_pad, inside the padded input without what ceil_mode added. */
static int64_t counted(const struct al_window *w, size_t axis, const struct taps *t,
                       int64_t in, bool include_pad)
{
    int64_t end, n;

    if (!include_pad)
        return t->to > t->from ? t->to - t->from : 0;
    end = in + w->pad_end[axis] - w->excess[axis];
    n = (end - t->first + w->dilation[axis] - 1) / w->dilation[axis];
    return n < w->kernel[axis] ? n : w->kernel[axis];
}

static void average_pool(const struct al_eval *e)
{
    const int64_t *d = e->in[0].shape.dims;
    struct al_window w = window_of(e, NULL);
    bool include_pad = al_node_int(e->node, "count_include_pad", 0) != 0;
    float *y = e->out[0].data;

    for (int64_t c = 0; c < d[0] * d[1]; c++) {
        const float *x = (const float *)e->in[0].data + c * d[2] * d[3];
        for (int64_t oy = 0; oy < w.out[0]; oy++) {
            struct taps ty = taps_of(&w, 0, oy, d[2]);
            int64_t rows = counted(&w, 0, &ty, d[2], include_pad);
            for (int64_t ox = 0; ox < w.out[1]; ox++) {
                struct taps tx = taps_of(&w, 1, ox, d[3]);
                int64_t n = rows * counted(&w, 1, &tx, d[3], include_pad);
                double sum = 0;
                for (int64_t i = ty.from; i < ty.to; i++)
                    for (int64_t j = tx.from; j < tx.to; j++)
                        sum += (double)x[(ty.first + i * w.dilation[0]) * d[3] +
                                         tx.first + j * w.dilation[1]];
                *y++ = n > 0 ? (float)(sum / (double)n) : 0;
            }
        }
    }
}

static void global_average_pool(const struct al_eval *e)
{
    const struct al_shape *s = &e->in[0].shape;
    size_t planes = al_dims_product(s, 0, 2), n = al_dims_product(s, 2, s->rank);
    const float *x = e->in[0].data;
    float *y = e->out[0].data;

    for (size_t p = 0; p < planes; p++, x += n) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (double)x[i];
        y[p] = (float)(sum / (double)n);
    }
}

static void global_max_pool(const struct al_eval *e)
{
    const struct al_shape *s = &e->in[0].shape;
    size_t planes = al_dims_product(s, 0, 2), n = al_dims_product(s, 2, s->rank);
    const float *x = e->in[0].data;
    float *y = e->out[0].data;

    for (size_t p = 0; p < planes; p++, x += n) {
        y[p] = x[0];
        for (size_t i = 1; i < n; i++)
            y[p] = x[i] > y[p] ? x[i] : y[p];
    }
}

/* ---- matrix products ---- */

/* A matrix as stored or transposed. */
struct matrix {
    const void *data;
    size_t row, column; /* elements between neighbours */
};

/* acc[j] = sum over k of a[i,k] * b[k,j], for one row i. */
#define DEFINE_ROW_PRODUCT(T)                                                    \
    static void row_product_##T(const struct matrix *a, size_t i,                \
                                const struct matrix *b, size_t n_k, size_t n,    \
                                double *acc)                                     \
    {                                                                            \
        memset(acc, 0, n * sizeof(*acc));                                        \
        for (size_t k = 0; k < n_k; k++) {                                       \
            double v = (double)((const T *)a->data)[i * a->row + k * a->column]; \
            const T *row = (const T *)b->data + k * b->row;                      \
            for (size_t j = 0; j < n; j++)                                       \
                acc[j] += v * (double)row[j * b->column];                        \
        }                                                                        \
    }
DEFINE_ROW_PRODUCT(float)
DEFINE_ROW_PRODUCT(double)

/* Strides of Gemm's C seen as an m x n matrix: 0 where it repeats. */
static struct matrix addend_of(const struct al_tensor *c)
{
    size_t rank = c->shape.rank;
    struct matrix m = { .data = c->data };

    if (rank > 0 && c->shape.dims[rank - 1] != 1)
        m.column = 1;
    if (rank > 1 && c->shape.dims[0] != 1)
        m.row = (size_t)c->shape.dims[1];
    return m;
}

static void gemm(const struct al_eval *e)
{
    const int64_t *ad = e->in[0].shape.dims, *bd = e->in[1].shape.dims;
    bool ta = al_node_int(e->node, "transA", 0) != 0;
    bool tb = al_node_int(e->node, "transB", 0) != 0;
    struct matrix a = { e->in[0].data, ta ? 1 : (size_t)ad[1], ta ? (size_t)ad[1] : 1 };
    struct matrix b = { e->in[1].data, tb ? 1 : (size_t)bd[1], tb ? (size_t)bd[1] : 1 };
    size_t m = (size_t)e->out[0].shape.dims[0], n = (size_t)e->out[0].shape.dims[1];
    double alpha = (double)al_node_float(e->node, "alpha", 1);
    double beta = (double)al_node_float(e->node, "beta", 1);
    struct al_args args = al_eval_args(e);
    struct matrix c = { 0 };
    double *acc = e->scratch;

    if (al_args_has(&args, 2))
        c = addend_of(&e->in[2]);
    for (size_t i = 0; i < m; i++) {
        if (e->in[0].dtype == AL_F32)
            row_product_float(&a, i, &b, (size_t)ad[!ta], n, acc);
        else
            row_product_double(&a, i, &b, (size_t)ad[!ta], n, acc);
        for (size_t j = 0; j < n; j++) {
            double v = alpha * acc[j];
            if (c.data)
                v += beta * al_load_double(&e->in[2], i * c.row + j * c.column);
            al_store_double(&e->out[0], i * n + j, v);
        }
    }
}

struct batch_product {
    const struct al_eval *e;
    size_t m, k, n;
};

static void matmul_one(const struct batch_product *p, size_t a_at, size_t b_at,
                       size_t y_at)
{
    const struct al_eval *e = p->e;
    size_t size = al_dtype_size(e->in[0].dtype);
    struct matrix a = { (const char *)e->in[0].data + a_at * p->m * p->k * size, p->k,
                        1 };
    struct matrix b = { (const char *)e->in[1].data + b_at * p->k * p->n * size, p->n,
                        1 };
    double *acc = e->scratch;

    for (size_t i = 0; i < p->m; i++) {
        if (e->in[0].dtype == AL_F32)
            row_product_float(&a, i, &b, p->k, p->n, acc);
        else
            row_product_double(&a, i, &b, p->k, p->n, acc);
        for (size_t j = 0; j < p->n; j++)
            al_store_double(&e->out[0], (y_at * p->m + i) * p->n + j,
                            acc[j] + (e->n_in > 2 ? al_load_double(&e->in[2], j) : 0));
    }
}

static void matmul_run(const struct al_run *run, const void *arg)
{
    for (size_t i = 0; i < run->n; i++)
        matmul_one(arg, run->off[0] + i * run->step[0], run->off[1] + i * run->step[1],
                   run->at + i);
}

/* The dimensions before the last two. */
static struct al_shape batch_of(const struct al_shape *s)
{
    struct al_shape b = *s;

    b.rank = s->rank > 2 ? s->rank - 2 : 0;
    return b;
}

static void matmul(const struct al_eval *e)
{
    const struct al_shape *sa = &e->in[0].shape, *sb = &e->in[1].shape;
    struct al_shape a = batch_of(sa), b = batch_of(sb), out;
    struct batch_product p = {
        .e = e,
        .m = sa->rank > 1 ? (size_t)sa->dims[sa->rank - 2] : 1,
        .k = (size_t)sa->dims[sa->rank - 1],
        .n = sb->rank > 1 ? (size_t)sb->dims[sb->rank - 1] : 1,
    };
    struct al_walk w;

    (void)!al_broadcast(&a, &b, &out, NULL);
    al_walk_init(&w, &out, (const struct al_shape *const[]){ &a, &b }, 2);
    al_walk_run(&w, matmul_run, &p);
}

void al_eval_rows_conv(struct al_eval_row *rows)
{
    rows[AL_OP_CONV].f32 = conv;
    rows[AL_OP_MAX_POOL].f32 = max_pool;
    rows[AL_OP_AVERAGE_POOL].f32 = average_pool;
    rows[AL_OP_GLOBAL_AVERAGE_POOL].f32 = global_average_pool;
    rows[AL_OP_GLOBAL_MAX_POOL].f32 = global_max_pool;
    rows[AL_OP_GEMM] = (struct al_eval_row){ .f32 = gemm, .f64 = gemm };
    rows[AL_OP_MATMUL] = (struct al_eval_row){ .f32 = matmul, .f64 = matmul };
}
