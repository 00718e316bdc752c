/* tpl_vector.h — plain vectors: activations, sums and products, softmax, layer norm.
 * Sums over a vector are taken in 16 chains, input i in chain i % 16, whatever the width
 * of the registers: SUM_STEPS numbers a chain in float, those sums in double. */
#ifndef AL_KERN_TPL_VECTOR_H
#define AL_KERN_TPL_VECTOR_H

#include <stddef.h>

#include "engine/kern/kern.h"
#include "engine/kern/simd.h"
#include "engine/kern/tpl_act.h"

#define STRIDE 16 /* elements a step */

enum vector_kind {
    VECTOR_ADD,
    VECTOR_MUL,
    VECTOR_SCALE
};

AL_INLINE void vector(enum vector_kind kind, const struct al_post *post, size_t n,
                      const float *x, const float *z, float *y)
{
    const vec factor = kind == VECTOR_SCALE ? v_set1(*z) : v_zero();

    for (size_t i = 0; i < n; i += AL_BLOCK) {
        const ptrdiff_t left = (ptrdiff_t)(n - i);
        vec r = v_load_some(x + i, left, v_zero());

        if (kind == VECTOR_ADD)
            r = r + v_load_some(z + i, left, v_zero());
        if (kind == VECTOR_MUL)
            r = r * v_load_some(z + i, left, v_zero());
        if (kind == VECTOR_SCALE)
            r = r * factor;
        v_store_some(y + i, left, v_act(r, post));
    }
}

static void activate_vector(struct al_post post, size_t n, const float *x, float *y)
{
    v_act_along(&post, n, x, y);
}

static void add_vector(struct al_post post, size_t n, const float *x, const float *z,
                       float *y)
{
    vector(VECTOR_ADD, &post, n, x, z, y);
}

static void mul_vector(struct al_post post, size_t n, const float *x, const float *z,
                       float *y)
{
    vector(VECTOR_MUL, &post, n, x, z, y);
}

static void scale_vector(size_t n, float factor, const float *x, float *y)
{
    const struct al_post none = { 0 };

    vector(VECTOR_SCALE, &none, n, x, &factor, y);
}

/* ---- sums ---- */

#define SUM_STEPS 16 /* so few that rounding costs less than the numbers' own */
#define DOUBLES   (AL_BLOCK / 2)
typedef double dvec __attribute__((vector_size(8 * DOUBLES)));
typedef float hvec __attribute__((vector_size(4 * DOUBLES)));

struct chains {
    vec part[STRIDE / AL_BLOCK]; /* of n steps */
    size_t n;
    dvec of[STRIDE / DOUBLES];
};

/* Adds up what the parts hold in double. */
AL_INLINE void chains_settle(struct chains *c)
{
    AL_UNROLL
    for (int i = 0; i < STRIDE / AL_BLOCK; i++) {
        const vec v = c->part[i];
#if AL_BLOCK == 16
        const hvec low = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
        const hvec high = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
        const hvec low = __builtin_shufflevector(v, v, 0, 1, 2, 3);
        const hvec high = __builtin_shufflevector(v, v, 4, 5, 6, 7);
#endif
        c->of[2 * i] += __builtin_convertvector(low, dvec);
        c->of[2 * i + 1] += __builtin_convertvector(high, dvec);
        c->part[i] = v_zero();
    }
    c->n = 0;
}

/* Adds a step of which `v` are the numbers `at` to at + AL_BLOCK; the last ones end it.
 */
AL_INLINE void chains_add(struct chains *c, size_t at, vec v)
{
    c->part[at / AL_BLOCK] += v;
    if (at + AL_BLOCK == STRIDE && ++c->n == SUM_STEPS)
        chains_settle(c);
}

/* By halves, down to one. */
AL_INLINE double chains_sum(struct chains *c)
{
    typedef double half __attribute__((vector_size(32)));

    chains_settle(c);
#if AL_BLOCK == 16
    const dvec d = c->of[0] + c->of[1];
    const half h = __builtin_shufflevector(d, d, 0, 1, 2, 3) +
                   __builtin_shufflevector(d, d, 4, 5, 6, 7);
#else
    const half h = (c->of[0] + c->of[2]) + (c->of[1] + c->of[3]);
#endif

    return (h[0] + h[2]) + (h[1] + h[3]);
}

/* A chain for each column. */
static void mean_rows(size_t n_rows, size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i += STRIDE) {
        struct chains c = { 0 };
        double sums[STRIDE];
        float means[STRIDE];

        for (size_t r = 0; r < n_rows; r++) {
            AL_UNROLL
            for (size_t v = 0; v < STRIDE; v += AL_BLOCK)
                chains_add(&c, v,
                           v_load_some(x + r * n + i + v,
                                       (ptrdiff_t)(n - i) - (ptrdiff_t)v, v_zero()));
        }
        chains_settle(&c);
        memcpy(sums, c.of, sizeof(sums));
        for (size_t k = 0; k < STRIDE; k++)
            means[k] = (float)(sums[k] / (double)n_rows);
        memcpy(y + i, means, (n - i < STRIDE ? n - i : STRIDE) * sizeof(float));
    }
}

/* ---- softmax ---- */

static float largest(size_t n, const float *x)
{
    const vec least = v_set1(-INFINITY);
    vec top = least;

    for (size_t i = 0; i < n; i += AL_BLOCK)
        top = v_max(v_load_some(x + i, (ptrdiff_t)(n - i), least), top);
    return v_largest(top);
}

/* e^x for x <= 0, zero where it would be less than a normal number. */
AL_INLINE vec exp_below(vec x)
{
    const vec least = v_set1(-87.0F);

    return v_keep(~(x < least), v_exp_within(v_max(least, x)));
}

/* y = e^(factor * (x - the largest x)), factor > 0; returns their sum. y may be x. */
static double exponentials(size_t n, float factor, const float *x, float *y)
{
    const vec top = v_set1(largest(n, x)), pad = v_set1(-INFINITY);
    struct chains c = { 0 };

    for (size_t i = 0; i < n; i += STRIDE) {
        AL_UNROLL
        for (size_t v = 0; v < STRIDE; v += AL_BLOCK) {
            const ptrdiff_t left = (ptrdiff_t)(n - i) - (ptrdiff_t)v;
            const vec d = v_load_some(x + i + v, left, pad) - top;
            const vec e = exp_below(d * v_set1(factor));

            chains_add(&c, v, e);
            v_store_some(y + i + v, left, e);
        }
    }
    return chains_sum(&c);
}

static void softmax(size_t n, const float *x, float *y)
{
    const double sum = exponentials(n, 1.0F, x, y);

    scale_vector(n, (float)(1.0 / sum), y, y);
}

/* ---- layer norm ---- */

/* A number and what rounding it took away. */
struct precise {
    vec high, low;
};

AL_INLINE struct precise precise_of(double d)
{
    const float high = (float)d;

    return (struct precise){ v_set1(high), v_set1((float)(d - (double)high)) };
}

/* Summed up as differences from the first number, which is at most sqrt(n) deviations
 * off, so that a mean far from zero costs no digits. */
static double mean_of(size_t n, const float *x)
{
    const vec first = v_set1(x[0]);
    struct chains c = { 0 };

    for (size_t i = 0; i < n; i += STRIDE) {
        AL_UNROLL
        for (size_t v = 0; v < STRIDE; v += AL_BLOCK) {
            const ptrdiff_t left = (ptrdiff_t)(n - i) - (ptrdiff_t)v;

            chains_add(&c, v, v_load_some(x + i + v, left, first) - first);
        }
    }
    return (double)x[0] + chains_sum(&c) / (double)n;
}

/* Of the differences from the mean. */
static double squares_of(size_t n, const float *x, double mean)
{
    const struct precise m = precise_of(mean);
    struct chains c = { 0 };

    for (size_t i = 0; i < n; i += STRIDE) {
        AL_UNROLL
        for (size_t v = 0; v < STRIDE; v += AL_BLOCK) {
            const ptrdiff_t left = (ptrdiff_t)(n - i) - (ptrdiff_t)v;
            vec d = (v_load_some(x + i + v, left, m.high) - m.high) - m.low;

            if (left < AL_BLOCK)
                d = v_keep(v_lanes_below((int32_t)left), d);
            chains_add(&c, v, d * d);
        }
    }
    return chains_sum(&c);
}

static void layer_norm(const struct al_layer_norm *l, const float *x, float *y)
{
    const size_t n = l->n;
    const double mean = mean_of(n, x);
    const double variance = squares_of(n, x, mean) / (double)n;
    const vec factor = v_set1((float)(1.0 / sqrt(variance + (double)l->epsilon)));
    const struct precise m = precise_of(mean);

    for (size_t i = 0; i < n; i += AL_BLOCK) {
        const ptrdiff_t left = (ptrdiff_t)(n - i);
        const vec d = (v_load_some(x + i, left, v_zero()) - m.high) - m.low;
        const vec scale = v_load_some(l->scale + i, left, v_zero());
        const vec bias = v_load_some(l->bias + i, left, v_zero());

        v_store_some(y + i, left, v_fma(d * factor, scale, bias));
    }
}

#endif
