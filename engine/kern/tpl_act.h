/* tpl_act.h — activations on vectors. exp: range reduction by ln 2 in two parts and the
 * degree-6 polynomial of Cephes expf (S. Moshier); relative error below 2e-7. */
#ifndef AL_KERN_TPL_ACT_H
#define AL_KERN_TPL_ACT_H

#include <math.h>
#include <stdbool.h>

#include "engine/kern/kern.h"
#include "engine/kern/simd.h"

/* e^x, for x clamped to the normal range of the result. NaN stays NaN. */
AL_INLINE vec v_exp(vec x)
{
    const vec round = v_set1(12582912.0F); /* 1.5 * 2^23: adding it rounds to integer */
    vec n, r, p;

    x = v_min(v_set1(88.0F), v_max(v_set1(-87.0F), x));
    n = (x * v_set1(1.44269504F) + round) - round;
    r = x - n * v_set1(0.693359375F);
    r = r - n * v_set1(-2.12194440e-4F);
    p = v_set1(1.9875691500e-4F);
    p = v_fma(p, r, v_set1(1.3981999507e-3F));
    p = v_fma(p, r, v_set1(8.3334519073e-3F));
    p = v_fma(p, r, v_set1(4.1665795894e-2F));
    p = v_fma(p, r, v_set1(1.6666665459e-1F));
    p = v_fma(p, r, v_set1(5.0000001201e-1F));
    p = v_fma(p * r, r, r) + v_set1(1.0F);
    n = v_select(n == n, n, v_zero()); /* NaN has no integer */
    return p * (vec)((__builtin_convertvector(n, ivec) + 127) << 23);
}

/* Natural logarithm of a positive normal number (Cephes logf). */
AL_INLINE vec v_log(vec x)
{
    const ivec bits = (ivec)x;
    vec e = __builtin_convertvector((bits >> 23) - 126, vec);
    vec m = (vec)((bits & 0x7fffff) | 0x3f000000); /* in [0.5, 1) */
    const ivec small = m < 0.707106781F;
    vec z, p;

    e = v_select(small, e - v_set1(1.0F), e);
    m = v_select(small, m + m, m) - v_set1(1.0F);
    z = m * m;
    p = v_set1(7.0376836292e-2F);
    p = v_fma(p, m, v_set1(-1.1514610310e-1F));
    p = v_fma(p, m, v_set1(1.1676998740e-1F));
    p = v_fma(p, m, v_set1(-1.2420140846e-1F));
    p = v_fma(p, m, v_set1(1.4249322787e-1F));
    p = v_fma(p, m, v_set1(-1.6668057665e-1F));
    p = v_fma(p, m, v_set1(2.0000714765e-1F));
    p = v_fma(p, m, v_set1(-2.4999993993e-1F));
    p = v_fma(p, m, v_set1(3.3333331174e-1F));
    p = v_fma(p * m, z, v_set1(-2.12194440e-4F) * e) - z * v_set1(0.5F);
    return v_fma(e, v_set1(0.693359375F), m + p);
}

AL_INLINE vec v_sigmoid(vec x)
{
    return v_set1(1.0F) / (v_set1(1.0F) + v_exp(-x));
}

/* Near zero the odd polynomial of Cephes tanhf, elsewhere 1 - 2 / (e^2|x| + 1). */
AL_INLINE vec v_tanh(vec x)
{
    const ivec sign = (ivec)x & INT32_MIN;
    const vec a = (vec)((ivec)x ^ sign);
    const vec z = x * x;
    vec p = v_set1(-5.70498872745e-3F), big;

    p = v_fma(p, z, v_set1(2.06390887954e-2F));
    p = v_fma(p, z, v_set1(-5.37397155531e-2F));
    p = v_fma(p, z, v_set1(1.33314422036e-1F));
    p = v_fma(p, z, v_set1(-3.33332819422e-1F));
    p = v_fma(p * z, x, x);
    big = v_set1(1.0F) - v_set1(2.0F) / (v_exp(a + a) + v_set1(1.0F));
    return v_select(a < 0.625F, p, (vec)((ivec)big | sign));
}

AL_INLINE vec v_hard_swish(vec x)
{
    const vec t = v_fma(x, v_set1(1.0F / 6.0F), v_set1(0.5F));

    return x * v_min(v_set1(1.0F), v_max(v_zero(), t));
}

/* x * Phi(x) = x / 2 * erfc(-x / sqrt 2), with the Chebyshev fit of W. Press et al.,
 * "Numerical Recipes" 6.2 (erfcc): erfc(z) = t exp(-z^2 + p(t)) with t = 1 / (1 + z / 2),
 * relative error below 1.2e-7, for z >= 0; the other half by erfc(-z) = 2 - erfc(z). */
AL_INLINE vec v_gelu(vec x)
{
    const vec s = x * v_set1(0.707106781F);
    const vec z = (vec)((ivec)s & INT32_MAX);
    const vec t = v_set1(1.0F) / v_fma(z, v_set1(0.5F), v_set1(1.0F));
    vec p = v_set1(0.17087277F);

    p = v_fma(p, t, v_set1(-0.82215223F));
    p = v_fma(p, t, v_set1(1.48851587F));
    p = v_fma(p, t, v_set1(-1.13520398F));
    p = v_fma(p, t, v_set1(0.27886807F));
    p = v_fma(p, t, v_set1(-0.18628806F));
    p = v_fma(p, t, v_set1(0.09678418F));
    p = v_fma(p, t, v_set1(0.37409196F));
    p = v_fma(p, t, v_set1(1.00002368F));
    p = v_fma(p, t, v_set1(-1.26551223F));
    p = t * v_exp(v_fma(-z, z, p));
    return x * v_set1(0.5F) * v_select(s < 0.0F, p, v_set1(2.0F) - p);
}

/* Hendrycks and Gimpel's approximation of the above. */
AL_INLINE vec v_gelu_tanh(vec x)
{
    const vec cube = v_fma(x * x * x, v_set1(0.044715F), x);

    return x * v_set1(0.5F) * (v_set1(1.0F) + v_tanh(cube * v_set1(0.797884561F)));
}

AL_INLINE vec v_act(vec x, const struct al_post *post)
{
    switch (post->act) {
    case AL_CONV_ACT_NONE:
        break;
    case AL_CONV_ACT_RELU:
        return v_max(v_zero(), x);
    case AL_CONV_ACT_CLIP:
        return v_min(v_set1(post->b), v_max(v_set1(post->a), x));
    case AL_CONV_ACT_LEAKY_RELU:
        return v_select(x > 0.0F, x, x * v_set1(post->a));
    case AL_CONV_ACT_HARD_SWISH:
        return v_hard_swish(x);
    case AL_CONV_ACT_SIGMOID:
        return v_sigmoid(x);
    case AL_CONV_ACT_TANH:
        return v_tanh(x);
    case AL_CONV_ACT_GELU:
        return v_gelu(x);
    case AL_CONV_ACT_GELU_TANH:
        return v_gelu_tanh(x);
    }
    return x;
}

/* The activations that are a clamp are done while results are still in registers. */
struct clamp {
    float lo, hi;
};

static inline bool post_is_clamp(const struct al_post *post, struct clamp *ret)
{
    *ret = (struct clamp){ -INFINITY, INFINITY };
    if (post->act == AL_CONV_ACT_RELU)
        ret->lo = 0.0F;
    if (post->act == AL_CONV_ACT_CLIP)
        *ret = (struct clamp){ post->a, post->b };
    return post->act <= AL_CONV_ACT_CLIP;
}

/* Whether a zero lane stays zero. */
static inline bool post_keeps_zero(const struct al_post *post)
{
    if (post->act == AL_CONV_ACT_CLIP)
        return post->a <= 0.0F && post->b >= 0.0F;
    return post->act != AL_CONV_ACT_SIGMOID;
}

#endif
