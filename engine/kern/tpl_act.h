/* tpl_act.h — activations on vectors. exp: range reduction by ln 2 in two parts and the
 * degree-6 polynomial of Cephes expf (S. Moshier); relative error below 2e-7. */
#ifndef AL_KERN_TPL_ACT_H
#define AL_KERN_TPL_ACT_H

#include <math.h>
#include <stdbool.h>

#include "engine/kern/kern.h"
#include "engine/kern/simd.h"

/* e^x for x already between the logarithms of the least normal number and the largest.
 * NaN stays NaN. */
AL_INLINE vec v_exp_within(vec x)
{
    const vec round = v_set1(12582912.0F); /* 1.5 * 2^23: adding it rounds to integer */
    const vec shifted =
        v_fma(x, v_set1(1.44269504F), round); /* its last bits: 2's power */
    const vec n = shifted - round;
    vec r = v_fma(n, v_set1(-0.693359375F), x), p;

    r = v_fma(n, v_set1(2.12194440e-4F), r);
    p = v_set1(1.9875691500e-4F);
    p = v_fma(p, r, v_set1(1.3981999507e-3F));
    p = v_fma(p, r, v_set1(8.3334519073e-3F));
    p = v_fma(p, r, v_set1(4.1665795894e-2F));
    p = v_fma(p, r, v_set1(1.6666665459e-1F));
    p = v_fma(p, r, v_set1(5.0000001201e-1F));
    p = v_fma(p * r, r, r) + v_set1(1.0F);
    return p * (vec)(((ivec)shifted << 23) + (127 << 23));
}

/* e^x, for x clamped to the normal range of the result. NaN stays NaN. */
AL_INLINE vec v_exp(vec x)
{
    return v_exp_within(v_min(v_set1(88.0F), v_max(v_set1(-87.0F), x)));
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

/* x * Phi(x), Phi the normal distribution: Phi(s) = 1/2 + s * p(s^2) with the polynomial
 * of least error times max(1, |s|) for |s| <= GELU_END, in u = 2 (s / GELU_END)^2 - 1
 * (least squares, weights by Lawson's iteration; 3e-8). Beyond, Phi is that of the end,
 * within 1e-7 of 1 or 0, and a negative x counts as the end, too. */
#define GELU_END 5.2F
static const float gelu_terms[] = { 1.359499842e-1F,  -6.774377823e-2F, 5.002600700e-2F,
                                    -3.992641345e-2F, 3.196452558e-2F,  -2.475376613e-2F,
                                    1.811687276e-2F,  -1.239212509e-2F, 8.070528507e-3F,
                                    -4.993201233e-3F, 2.555638086e-3F,  -1.045657089e-3F,
                                    6.922097527e-4F,  -5.391954910e-4F, 1.721990120e-4F };
#define GELU_DEGREE ((int)(sizeof(gelu_terms) / sizeof(gelu_terms[0])) - 1)

AL_INLINE vec v_gelu(vec x)
{
    const vec least = v_max(v_set1(-GELU_END), x), s = v_min(v_set1(GELU_END), least);
    const vec u = v_fma(s * s, v_set1(2.0F / (GELU_END * GELU_END)), v_set1(-1.0F));
    vec p = v_set1(gelu_terms[GELU_DEGREE]);

    AL_UNROLL
    for (int k = GELU_DEGREE - 1; k >= 0; k--)
        p = v_fma(p, u, v_set1(gelu_terms[k]));
    return least * v_fma(s, p, v_set1(0.5F));
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

/* y = act(x) along a vector, decided upon once; y may be x. */
AL_INLINE void act_along(const struct al_post *post, size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i += AL_BLOCK) {
        const ptrdiff_t left = (ptrdiff_t)(n - i);

        v_store_some(y + i, left, v_act(v_load_some(x + i, left, v_zero()), post));
    }
}

static void v_act_along(const struct al_post *post, size_t n, const float *x, float *y)
{
#define CASE(name)                                                                     \
    case AL_CONV_ACT_##name:                                                           \
        act_along(&(struct al_post){ AL_CONV_ACT_##name, post->a, post->b }, n, x, y); \
        break
    switch (post->act) {
        CASE(NONE);
        CASE(RELU);
        CASE(CLIP);
        CASE(LEAKY_RELU);
        CASE(HARD_SWISH);
        CASE(SIGMOID);
        CASE(TANH);
        CASE(GELU);
        CASE(GELU_TANH);
    }
#undef CASE
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
