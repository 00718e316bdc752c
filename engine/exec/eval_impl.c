#include "engine/exec/eval_impl.h"

#include <math.h>
#include <string.h>

/* ---- numbers of any type ---- */

int64_t al_load_int(const struct al_tensor *t, size_t i)
{
    switch ((int)t->dtype) {
    case AL_I64:
        return ((const int64_t *)t->data)[i];
    case AL_U64:
        return (int64_t)((const uint64_t *)t->data)[i];
    case AL_I32:
        return ((const int32_t *)t->data)[i];
    case AL_I16:
        return ((const int16_t *)t->data)[i];
    case AL_I8:
        return ((const int8_t *)t->data)[i];
    case AL_U32:
        return ((const uint32_t *)t->data)[i];
    case AL_U16:
        return ((const uint16_t *)t->data)[i];
    default: /* U8, BOOL */
        return ((const uint8_t *)t->data)[i];
    }
}

void al_store_int(const struct al_tensor *t, size_t i, int64_t v)
{
    size_t size = al_dtype_size(t->dtype);

    memcpy((char *)t->data + i * size, &v, size); /* little-endian: the low bytes */
}

/* IEEE binary16: 5 exponent bits biased by 15, 10 fraction bits. */
static double half_to_double(uint16_t h)
{
    int exponent = h >> 10 & 31;
    double fraction = h & 1023;
    double v;

    if (exponent == 31)
        v = (h & 1023) ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        v = ldexp(fraction, -24);
    else
        v = ldexp(fraction + 1024, exponent - 25);
    return h >> 15 ? -v : v;
}

static uint16_t double_to_half(double v)
{
    unsigned sign = signbit(v) ? 0x8000U : 0;
    double a = fabs(v);

    if (isnan(v))
        return (uint16_t)(sign | 0x7e00U);
    if (a >= 65520) /* rounds past the largest, 65504 */
        return (uint16_t)(sign | 0x7c00U);
    if (a < 0x1p-14) /* subnormal; rounding up to 1024 makes the least normal */
        return (uint16_t)(sign | (unsigned)nearbyint(ldexp(a, 24)));
    int exponent;
    double m = frexp(a, &exponent); /* a = m * 2^exponent, 0.5 <= m < 1 */
    unsigned mantissa = (unsigned)nearbyint(ldexp(m, 11)); /* 1024 .. 2048 */
    return (uint16_t)(sign | (((unsigned)(exponent + 14) << 10) + mantissa - 1024));
}

static float bits_to_float(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* Nearest, ties to even. */
static uint16_t float_to_bf16(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof(bits));
    if (isnan(f))
        return (uint16_t)(bits >> 16 | 0x40U);
    return (uint16_t)((bits + 0x7fffU + (bits >> 16 & 1)) >> 16);
}

double al_load_double(const struct al_tensor *t, size_t i)
{
    switch ((int)t->dtype) {
    case AL_F32:
        return (double)((const float *)t->data)[i];
    case AL_F64:
        return ((const double *)t->data)[i];
    case AL_F16:
        return half_to_double(((const uint16_t *)t->data)[i]);
    case AL_BF16:
        return (double)bits_to_float((uint32_t)((const uint16_t *)t->data)[i] << 16);
    case AL_U64:
        return (double)((const uint64_t *)t->data)[i];
    default:
        return (double)al_load_int(t, i);
    }
}

static int64_t clamp_to_int(enum al_dtype t, double v)
{
    int bits = (int)al_dtype_size(t) * 8;
    bool is_signed = t == AL_I8 || t == AL_I16 || t == AL_I32 || t == AL_I64;
    double high = ldexp(1, is_signed ? bits - 1 : bits); /* one past the largest */
    double low = is_signed ? -high : 0;

    if (isnan(v))
        return 0;
    if (v >= high)
        return is_signed ? (int64_t)(UINT64_MAX >> (65 - bits))
                         : (int64_t)(UINT64_MAX >> (64 - bits));
    if (v <= low)
        return (int64_t)low;
    return is_signed ? (int64_t)v : (int64_t)(uint64_t)v;
}

void al_store_double(const struct al_tensor *t, size_t i, double v)
{
    switch ((int)t->dtype) {
    case AL_F32:
        ((float *)t->data)[i] = (float)v;
        return;
    case AL_F64:
        ((double *)t->data)[i] = v;
        return;
    case AL_F16:
        ((uint16_t *)t->data)[i] = double_to_half(v);
        return;
    case AL_BF16:
        ((uint16_t *)t->data)[i] = float_to_bf16((float)v);
        return;
    case AL_BOOL:
        ((uint8_t *)t->data)[i] = fpclassify(v) != FP_ZERO;
        return;
    default:
        al_store_int(t, i, clamp_to_int(t->dtype, v));
    }
}

/* ---- shapes ---- */

size_t al_dims_product(const struct al_shape *s, size_t from, size_t to)
{
    size_t n = 1;

    for (size_t k = from; k < to; k++)
        n *= (size_t)s->dims[k];
    return n;
}

void al_strides(const struct al_shape *s, size_t *ret)
{
    size_t step = 1;

    for (size_t k = s->rank; k-- > 0;) {
        ret[k] = step;
        step *= (size_t)s->dims[k];
    }
}

/* Strides of `s` seen from `out`: 0 along axes it is repeated over. */
static void broadcast_strides(const struct al_shape *s, const struct al_shape *out,
                              size_t *ret)
{
    size_t strides[AL_MAX_DIMS];
    size_t missing = out->rank - s->rank;

    al_strides(s, strides);
    for (size_t k = 0; k < out->rank; k++)
        ret[k] = k < missing || s->dims[k - missing] == 1 ? 0 : strides[k - missing];
}

/* Axis k can be joined to the one before it when every operand steps over it evenly. */
static bool joins(const struct al_walk *w, size_t before, size_t dim, size_t k,
                  size_t stride[][AL_MAX_DIMS])
{
    for (size_t i = 0; i < w->n_operands; i++)
        if (w->stride[i][before] != stride[i][k] * dim)
            return false;
    return true;
}

void al_walk_init(struct al_walk *w, const struct al_shape *out,
                  const struct al_shape *const *operands, size_t n_operands)
{
    size_t stride[AL_WALK_OPERANDS][AL_MAX_DIMS] = { 0 };

    *w = (struct al_walk){ .n_operands = n_operands };
    for (size_t i = 0; i < n_operands; i++)
        broadcast_strides(operands[i], out, stride[i]);
    for (size_t k = 0; k < out->rank; k++) {
        size_t dim = (size_t)out->dims[k];
        if (dim == 1)
            continue;
        bool join = w->rank && joins(w, w->rank - 1, dim, k, stride);
        size_t at = join ? w->rank - 1 : w->rank;
        w->dims[at] = join ? w->dims[at] * dim : dim;
        for (size_t i = 0; i < n_operands; i++)
            w->stride[i][at] = stride[i][k];
        w->rank = at + 1;
    }
    if (!w->rank) {
        w->rank = 1;
        w->dims[0] = 1;
    }
}

void al_walk_run(const struct al_walk *w, al_run_fn fn, const void *arg)
{
    size_t last = w->rank - 1, runs = 1;
    size_t index[AL_MAX_DIMS] = { 0 };
    struct al_run run = { .n = w->dims[last] };

    for (size_t k = 0; k < last; k++)
        runs *= w->dims[k];
    for (size_t i = 0; i < w->n_operands; i++)
        run.step[i] = w->stride[i][last];
    for (; runs && run.n; runs--, run.at += run.n) {
        fn(&run, arg);
        for (size_t k = last; k-- > 0;) {
            bool wraps = ++index[k] == w->dims[k];
            for (size_t i = 0; i < w->n_operands; i++)
                run.off[i] += wraps ? w->stride[i][k] - w->stride[i][k] * w->dims[k]
                                    : w->stride[i][k];
            if (!wraps)
                break;
            index[k] = 0;
        }
    }
}
