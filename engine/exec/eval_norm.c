/* Normalisations and softmax, float32 with sums in double. */
#include <math.h>

#include "engine/exec/eval_impl.h"

static void batch_norm(const struct al_eval *e)
{
    const struct al_shape *s = &e->in[0].shape;
    size_t channels = (size_t)s->dims[1], plane = al_dims_product(s, 2, s->rank);
    const float *x = e->in[0].data, *scale = e->in[1].data, *bias = e->in[2].data;
    const float *mean = e->in[3].data, *variance = e->in[4].data;
    double epsilon = (double)al_node_float(e->node, "epsilon", 1e-5F);
    float *y = e->out[0].data;

    for (size_t p = 0; p < (size_t)s->dims[0] * channels; p++) {
        size_t c = p % channels;
        double factor = (double)scale[c] / sqrt((double)variance[c] + epsilon);
        for (size_t i = 0; i < plane; i++)
            *y++ = (float)(((double)*x++ - (double)mean[c]) * factor + (double)bias[c]);
    }
}

struct moments {
    double mean, inverse_deviation;
};

static struct moments moments_of(const float *x, size_t n, double epsilon)
{
    double sum = 0, squares = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    return (struct moments){ mean, 1 / sqrt(squares / (double)n + epsilon) };
}

static void instance_norm(const struct al_eval *e)
{
    const struct al_shape *s = &e->in[0].shape;
    size_t channels = (size_t)s->dims[1], plane = al_dims_product(s, 2, s->rank);
    const float *x = e->in[0].data, *scale = e->in[1].data, *bias = e->in[2].data;
    double epsilon = (double)al_node_float(e->node, "epsilon", 1e-5F);
    float *y = e->out[0].data;

    for (size_t p = 0; p < (size_t)s->dims[0] * channels; p++, x += plane) {
        struct moments m = moments_of(x, plane, epsilon);
        size_t c = p % channels;
        for (size_t i = 0; i < plane; i++)
            *y++ =
                (float)(((double)x[i] - m.mean) * m.inverse_deviation * (double)scale[c] +
                        (double)bias[c]);
    }
}

/* ---- LayerNormalization ---- */

struct layer {
    const float *x, *scale, *bias;
    float *y;
    struct moments m;
};

/* Operands: scale, bias (or scale again when there is none). */
static void layer_run(const struct al_run *run, const void *arg)
{
    const struct layer *l = arg;

    for (size_t i = 0; i < run->n; i++) {
        double v = ((double)l->x[run->at + i] - l->m.mean) * l->m.inverse_deviation;
        v *= (double)l->scale[run->off[0] + i * run->step[0]];
        if (l->bias)
            v += (double)l->bias[run->off[1] + i * run->step[1]];
        l->y[run->at + i] = (float)v;
    }
}

static void layer_norm(const struct al_eval *e)
{
    const struct al_shape *s = &e->in[0].shape;
    struct al_args a = al_eval_args(e);
    struct al_shape normalised = { 0 };
    size_t axis = 0;
    struct al_walk w;

    (void)!al_param_axis(al_node_int(e->node, "axis", -1), s->rank, &axis, NULL);
    for (size_t k = axis; k < s->rank; k++)
        normalised.dims[normalised.rank++] = s->dims[k];
    size_t with_bias = al_args_has(&a, 2) ? 2 : 1;
    al_walk_init(
        &w, &normalised,
        (const struct al_shape *const[]){ &e->in[1].shape, &e->in[with_bias].shape }, 2);
    struct layer l = { .x = e->in[0].data,
                       .scale = e->in[1].data,
                       .bias = with_bias == 2 ? e->in[2].data : NULL,
                       .y = e->out[0].data };
    double epsilon = (double)al_node_float(e->node, "epsilon", 1e-5F);
    size_t outer = al_dims_product(s, 0, axis), n = al_dims_product(s, axis, s->rank);
    for (size_t i = 0; i < outer; i++, l.x += n, l.y += n) {
        l.m = moments_of(l.x, n, epsilon);
        al_walk_run(&w, layer_run, &l);
        if (al_eval_wants(e, 1))
            ((float *)e->out[1].data)[i] = (float)l.m.mean;
        if (al_eval_wants(e, 2))
            ((float *)e->out[2].data)[i] = (float)l.m.inverse_deviation;
    }
}

/* ---- local response normalisation across channels ---- */

struct lrn {
    double alpha, beta, bias;
    int64_t channels, before, behind; /* how far a channel's window reaches */
    size_t plane;
};

/* One channel of one image `x`. */
static void lrn_channel(const struct lrn *l, const float *x, int64_t c, float *y)
{
    int64_t from = c < l->before ? 0 : c - l->before;
    int64_t to = l->behind < l->channels - c ? c + l->behind + 1 : l->channels;

    for (size_t i = 0; i < l->plane; i++) {
        double sum = 0;
        for (int64_t k = from; k < to; k++) {
            double v = (double)x[(size_t)k * l->plane + i];
            sum += v * v;
        }
        y[i] = (float)((double)x[(size_t)c * l->plane + i] /
                       pow(l->bias + l->alpha * sum, l->beta));
    }
}

static void lrn(const struct al_eval *e)
{
    const struct al_shape *s = &e->in[0].shape;
    int64_t size = al_node_int(e->node, "size", 1);
    struct lrn l = { .alpha =
                         (double)al_node_float(e->node, "alpha", 1e-4F) / (double)size,
                     .beta = (double)al_node_float(e->node, "beta", 0.75F),
                     .bias = (double)al_node_float(e->node, "bias", 1),
                     .channels = s->dims[1],
                     .before = (size - 1) / 2,
                     .behind = size / 2,
                     .plane = al_dims_product(s, 2, s->rank) };
    const float *x = e->in[0].data;
    float *y = e->out[0].data;

    for (int64_t n = 0; n < s->dims[0]; n++, x += (size_t)l.channels * l.plane)
        for (int64_t c = 0; c < l.channels; c++, y += l.plane)
            lrn_channel(&l, x, c, y);
}

/* ---- softmax ---- */

/* Before operator set 13 everything from the axis on is one distribution, since then only
 * the axis is. */
struct distributions {
    size_t outer, n, inner;
};

static struct distributions distributions_of(const struct al_eval *e)
{
    const struct al_shape *s = &e->in[0].shape;
    int64_t rank = (int64_t)s->rank;
    int64_t axis = al_node_int(e->node, "axis", e->node->opset < 13 ? 1 : -1);
    size_t at = (size_t)(axis < 0 ? axis + rank : axis);
    size_t end = e->node->opset < 13 ? s->rank : at + 1;

    return (struct distributions){ al_dims_product(s, 0, at), al_dims_product(s, at, end),
                                   al_dims_product(s, end, s->rank) };
}

static void softmax_one(const float *x, float *y, size_t n, size_t step, bool log_form)
{
    float top = -INFINITY;
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        top = x[i * step] > top ? x[i * step] : top;
    for (size_t i = 0; i < n; i++) {
        float v = x[i * step] - top;
        y[i * step] = log_form ? v : expf(v);
        sum += (double)(log_form ? expf(v) : y[i * step]);
    }
    double log_sum = log_form ? log(sum) : 0;
    for (size_t i = 0; i < n; i++)
        y[i * step] =
            (float)(log_form ? (double)y[i * step] - log_sum : (double)y[i * step] / sum);
}

static void softmax_all(const struct al_eval *e, bool log_form)
{
    struct distributions d = distributions_of(e);

    for (size_t o = 0; o < d.outer; o++)
        for (size_t i = 0; i < d.inner; i++) {
            size_t at = o * d.n * d.inner + i;
            softmax_one((const float *)e->in[0].data + at, (float *)e->out[0].data + at,
                        d.n, d.inner, log_form);
        }
}

static void softmax(const struct al_eval *e)
{
    softmax_all(e, false);
}

static void log_softmax(const struct al_eval *e)
{
    softmax_all(e, true);
}

/* ---- attention ---- */

/* One query's result: y = softmax(factor * k q) v. */
static void attend_one(const struct al_eval *e, size_t head, const float *q, float *y)
{
    const int64_t *kd = e->in[1].shape.dims, *vd = e->in[2].shape.dims;
    const size_t n_keys = (size_t)kd[2], width = (size_t)kd[3], n_values = (size_t)vd[3];
    const float *k = (const float *)e->in[1].data + head * n_keys * width;
    const float *v = (const float *)e->in[2].data + head * n_keys * n_values;
    const double factor =
        (double)al_node_float(e->node, "scale", 1 / sqrtf((float)width));
    float *weights = e->scratch;

    for (size_t j = 0; j < n_keys; j++, k += width) {
        double sum = 0;
        for (size_t c = 0; c < width; c++)
            sum += (double)q[c] * (double)k[c];
        weights[j] = (float)(factor * sum);
    }
    softmax_one(weights, weights, n_keys, 1, false);
    for (size_t c = 0; c < n_values; c++) {
        double sum = 0;
        for (size_t j = 0; j < n_keys; j++)
            sum += (double)weights[j] * (double)v[j * n_values + c];
        y[c] = (float)sum;
    }
}

static void attention(const struct al_eval *e)
{
    const int64_t *d = e->in[0].shape.dims;
    const float *q = e->in[0].data;
    float *y = e->out[0].data;

    for (size_t head = 0; head < (size_t)(d[0] * d[1]); head++)
        for (int64_t i = 0; i < d[2]; i++, q += d[3], y += e->out[0].shape.dims[3])
            attend_one(e, head, q, y);
}

void al_eval_rows_norm(struct al_eval_row *rows)
{
    rows[AL_OP_BATCH_NORM].f32 = batch_norm;
    rows[AL_OP_INSTANCE_NORM].f32 = instance_norm;
    rows[AL_OP_LAYER_NORM].f32 = layer_norm;
    rows[AL_OP_LRN].f32 = lrn;
    rows[AL_OP_ATTENTION].f32 = attention;
    rows[AL_OP_SOFTMAX].f32 = softmax;
    rows[AL_OP_LOG_SOFTMAX].f32 = log_softmax;
}
