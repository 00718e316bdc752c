/* Elementwise operators of one input. */
#include <math.h>
#include <tgmath.h>

#include "engine/exec/eval_impl.h"

/* One function a type `real`; `v` is the element, `a` and `b` are the node's attributes
 * A and B ("" where there is none). tgmath picks the type's own functions. */
#define DEFINE_UNARY_OF(T, name, A, a_otherwise, B, b_otherwise, result) \
    static void name##_##T(const struct al_eval *e)                      \
    {                                                                    \
        typedef T real;                                                  \
        real a = (real)al_node_float(e->node, A, a_otherwise);           \
        real b = (real)al_node_float(e->node, B, b_otherwise);           \
        size_t n = al_tensor_count(&e->in[0]);                           \
        const real *x = e->in[0].data;                                   \
        real *y = e->out[0].data;                                        \
        (void)a;                                                         \
        (void)b;                                                         \
        for (size_t i = 0; i < n; i++) {                                 \
            real v = x[i];                                               \
            y[i] = (result);                                             \
        }                                                                \
    }
#define DEFINE_UNARY2(name, A, a_otherwise, B, b_otherwise, result)      \
    DEFINE_UNARY_OF(float, name, A, a_otherwise, B, b_otherwise, result) \
    DEFINE_UNARY_OF(double, name, A, a_otherwise, B, b_otherwise, result)
#define DEFINE_UNARY(name, result) DEFINE_UNARY2(name, "", 0, "", 0, result)

DEFINE_UNARY(relu, v > 0 ? v : 0)
DEFINE_UNARY(abs, fabs(v))
DEFINE_UNARY(neg, -v)
DEFINE_UNARY(exp, exp(v))
DEFINE_UNARY(log, log(v))
DEFINE_UNARY(sqrt, sqrt(v))
DEFINE_UNARY(reciprocal, 1 / v)
DEFINE_UNARY(floor, floor(v))
DEFINE_UNARY(ceil, ceil(v))
DEFINE_UNARY(sigmoid, 1 / (1 + exp(-v)))
DEFINE_UNARY(tanh, tanh(v))
DEFINE_UNARY(erf, erf(v))
DEFINE_UNARY(softplus, (v > 0 ? v : 0) + log1p(exp(-fabs(v))))
DEFINE_UNARY(softsign, v / (1 + fabs(v)))
DEFINE_UNARY(hard_swish, v *fmin(fmax(v / 6 + (real)0.5, (real)0), (real)1))
DEFINE_UNARY2(leaky_relu, "alpha", 0.01F, "", 0, v > 0 ? v : a * v)
DEFINE_UNARY2(elu, "alpha", 1, "", 0, v > 0 ? v : a * expm1(v))
DEFINE_UNARY2(selu, "alpha", 1.67326319F, "gamma", 1.05070102F,
              b *(v > 0 ? v : a * expm1(v)))
DEFINE_UNARY2(hard_sigmoid, "alpha", 0.2F, "beta", 0.5F,
              fmin(fmax(a *v + b, (real)0), (real)1))
DEFINE_UNARY(gelu_erf, (real)0.5 * v * (1 + erf(v * (real)M_SQRT1_2)))
/* Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016, §2 */
DEFINE_UNARY(gelu_tanh, (real)0.5 * v *
                            (1 + tanh((real)(M_SQRT1_2 * M_2_SQRTPI) *
                                      (v + (real)0.044715 * v * v * v))))

static void gelu(const struct al_eval *e)
{
    bool tanh_form = al_node_string(e->node, "approximate", "none")[0] == 't';

    if (e->in[0].dtype == AL_F32)
        (tanh_form ? gelu_tanh_float : gelu_erf_float)(e);
    else
        (tanh_form ? gelu_tanh_double : gelu_erf_double)(e);
}

/* ---- integers ---- */

static void abs_ints(const struct al_eval *e)
{
    size_t n = al_tensor_count(&e->in[0]);

    for (size_t i = 0; i < n; i++) {
        int64_t v = al_load_int(&e->in[0], i);
        al_store_int(&e->out[0], i, v < 0 ? (int64_t)(0 - (uint64_t)v) : v);
    }
}

static void neg_ints(const struct al_eval *e)
{
    size_t n = al_tensor_count(&e->in[0]);

    for (size_t i = 0; i < n; i++)
        al_store_int(&e->out[0], i, (int64_t)(0 - (uint64_t)al_load_int(&e->in[0], i)));
}

static void relu_ints(const struct al_eval *e)
{
    size_t n = al_tensor_count(&e->in[0]);

    for (size_t i = 0; i < n; i++) {
        int64_t v = al_load_int(&e->in[0], i);
        al_store_int(&e->out[0], i, v > 0 ? v : 0);
    }
}

/* ---- Clip: bounds are attributes before operator set 11, then inputs ---- */

static double bound_of(const struct al_eval *e, size_t i, const char *attr,
                       double otherwise)
{
    struct al_args a = al_eval_args(e);

    if (al_args_has(&a, i))
        return al_load_double(&e->in[i], 0);
    return (double)al_node_float(e->node, attr, (float)otherwise);
}

static void clip_float(const struct al_eval *e)
{
    float low = (float)bound_of(e, 1, "min", (double)-INFINITY);
    float high = (float)bound_of(e, 2, "max", (double)INFINITY);
    size_t n = al_tensor_count(&e->in[0]);
    const float *x = e->in[0].data;
    float *y = e->out[0].data;

    for (size_t i = 0; i < n; i++) {
        float v = x[i] < low ? low : x[i];
        y[i] = v > high ? high : v;
    }
}

static void clip_double(const struct al_eval *e)
{
    double low = bound_of(e, 1, "min", (double)-INFINITY);
    double high = bound_of(e, 2, "max", (double)INFINITY);
    size_t n = al_tensor_count(&e->in[0]);
    const double *x = e->in[0].data;
    double *y = e->out[0].data;

    for (size_t i = 0; i < n; i++) {
        double v = x[i] < low ? low : x[i];
        y[i] = v > high ? high : v;
    }
}

static void clip_ints(const struct al_eval *e)
{
    struct al_args a = al_eval_args(e);
    int64_t low = al_args_has(&a, 1) ? al_load_int(&e->in[1], 0) : INT64_MIN;
    int64_t high = al_args_has(&a, 2) ? al_load_int(&e->in[2], 0) : INT64_MAX;
    size_t n = al_tensor_count(&e->in[0]);

    for (size_t i = 0; i < n; i++) {
        int64_t v = al_load_int(&e->in[0], i);
        v = v < low ? low : v;
        al_store_int(&e->out[0], i, v > high ? high : v);
    }
}

/* ---- Cast ---- */

static bool is_float(enum al_dtype t)
{
    return t == AL_F32 || t == AL_F64 || t == AL_F16 || t == AL_BF16;
}

static void cast(const struct al_eval *e)
{
    const struct al_tensor *x = &e->in[0], *y = &e->out[0];
    size_t n = al_tensor_count(x);
    bool whole = !is_float(x->dtype) && !is_float(y->dtype);

    for (size_t i = 0; i < n; i++) {
        if (!whole)
            al_store_double(y, i, al_load_double(x, i));
        else if (y->dtype == AL_BOOL)
            al_store_int(y, i, al_load_int(x, i) != 0);
        else
            al_store_int(y, i, al_load_int(x, i));
    }
}

#define ROW(name)                                 \
    (struct al_eval_row)                          \
    {                                             \
        .f32 = name##_float, .f64 = name##_double \
    }

void al_eval_rows_math(struct al_eval_row *rows)
{
    rows[AL_OP_RELU] = ROW(relu);
    rows[AL_OP_RELU].ints = relu_ints;
    rows[AL_OP_ABS] = ROW(abs);
    rows[AL_OP_ABS].ints = abs_ints;
    rows[AL_OP_NEG] = ROW(neg);
    rows[AL_OP_NEG].ints = neg_ints;
    rows[AL_OP_CLIP] = ROW(clip);
    rows[AL_OP_CLIP].ints = clip_ints;
    rows[AL_OP_EXP] = ROW(exp);
    rows[AL_OP_LOG] = ROW(log);
    rows[AL_OP_SQRT] = ROW(sqrt);
    rows[AL_OP_RECIPROCAL] = ROW(reciprocal);
    rows[AL_OP_FLOOR] = ROW(floor);
    rows[AL_OP_CEIL] = ROW(ceil);
    rows[AL_OP_SIGMOID] = ROW(sigmoid);
    rows[AL_OP_TANH] = ROW(tanh);
    rows[AL_OP_ERF] = ROW(erf);
    rows[AL_OP_SOFTPLUS] = ROW(softplus);
    rows[AL_OP_SOFTSIGN] = ROW(softsign);
    rows[AL_OP_HARD_SWISH] = ROW(hard_swish);
    rows[AL_OP_HARD_SIGMOID] = ROW(hard_sigmoid);
    rows[AL_OP_LEAKY_RELU] = ROW(leaky_relu);
    rows[AL_OP_ELU] = ROW(elu);
    rows[AL_OP_SELU] = ROW(selu);
    rows[AL_OP_GELU] = (struct al_eval_row){ .f32 = gelu, .f64 = gelu };
    rows[AL_OP_CAST].any = cast;
}
