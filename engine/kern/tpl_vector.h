/* tpl_vector.h — plain vectors: activations, sums and products, softmax, layer norm.
 * Sums over a vector are taken in double in 16 chains, input i in chain i % 16, whatever
 * the width of the registers. */
#ifndef AL_KERN_TPL_VECTOR_H
#define AL_KERN_TPL_VECTOR_H

#include <stddef.h>

#include "engine/kern/kern.h"
#include "engine/kern/simd.h"
#include "engine/kern/tpl_act.h"

#define STRIDE 16 /* elements a step */

/* The STRIDE elements at x, of which `left` exist, the others being `pad`; `room` holds
 * them when they are fewer. */
AL_INLINE const float *padded(const float *x, size_t left, float pad, float *room)
{
    if (left >= STRIDE)
        return x;
    for (size_t k = 0; k < STRIDE; k++)
        room[k] = k < left ? x[k] : pad;
    return room;
}

/* Gives back what was computed in `room`. */
AL_INLINE void unpad(float *y, size_t left, const float *room)
{
    if (left < STRIDE)
        memcpy(y, room, left * sizeof(float));
}

enum vector_kind {
    VECTOR_ACT,
    VECTOR_ADD,
    VECTOR_MUL,
    VECTOR_SCALE
};

AL_INLINE void vector(enum vector_kind kind, const struct al_post *post, size_t n,
                      const float *x, const float *z, float *y)
{
    float in[STRIDE], other[STRIDE], out[STRIDE];

    for (size_t i = 0; i < n; i += STRIDE) {
        const bool both = kind == VECTOR_ADD || kind == VECTOR_MUL;
        const float *p = padded(x + i, n - i, 0, in);
        const float *q = both ? padded(z + i, n - i, 0, other) : z;
        float *to = n - i < STRIDE ? out : y + i;

        for (size_t v = 0; v < STRIDE; v += AL_BLOCK) {
            vec r = v_load(p + v);
            if (kind == VECTOR_ADD)
                r = r + v_load(q + v);
            if (kind == VECTOR_MUL)
                r = r * v_load(q + v);
            if (kind == VECTOR_SCALE)
                r = r * v_set1(*q);
            v_store(to + v, v_act(r, post));
        }
        unpad(y + i, n - i, out);
    }
}

static void activate_vector(struct al_post post, size_t n, const float *x, float *y)
{
    vector(VECTOR_ACT, &post, n, x, NULL, y);
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

/* ---- sums in double ---- */

#define DOUBLES (AL_BLOCK / 2)
typedef double dvec __attribute__((vector_size(8 * DOUBLES)));
typedef float hvec __attribute__((vector_size(4 * DOUBLES)));

struct chains {
    dvec of[STRIDE / DOUBLES];
};

/* Adds the elements of v, which are numbers `at` to at + AL_BLOCK of a step. */
AL_INLINE void chains_add(struct chains *c, size_t at, vec v)
{
#if AL_BLOCK == 16
    const hvec low = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
    const hvec high = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    const hvec low = __builtin_shufflevector(v, v, 0, 1, 2, 3);
    const hvec high = __builtin_shufflevector(v, v, 4, 5, 6, 7);
#endif

    c->of[at / DOUBLES] += __builtin_convertvector(low, dvec);
    c->of[at / DOUBLES + 1] += __builtin_convertvector(high, dvec);
}

AL_INLINE double chains_sum(const struct chains *c)
{
    double sums[STRIDE];

    memcpy(sums, c->of, sizeof(sums));
    for (size_t half = STRIDE / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            sums[i] += sums[i + half];
    return sums[0];
}

/* ---- softmax ---- */

static float largest(size_t n, const float *x)
{
    vec top = v_set1(-INFINITY);
    float room[STRIDE], most = -INFINITY;

    for (size_t i = 0; i < n; i += STRIDE) {
        const float *p = padded(x + i, n - i, -INFINITY, room);
        for (size_t v = 0; v < STRIDE; v += AL_BLOCK)
            top = v_max(v_load(p + v), top);
    }
    for (int k = 0; k < AL_BLOCK; k++)
        most = top[k] > most ? top[k] : most;
    return most;
}

/* e^x for x <= 0; what v_exp cannot make small enough is zero. */
AL_INLINE vec exp_below(vec x)
{
    return v_keep(~(x < -87.0F), v_exp(x));
}

static void softmax(size_t n, const float *x, float *y)
{
    const float top = largest(n, x);
    struct chains c = { 0 };
    float in[STRIDE], out[STRIDE];

    for (size_t i = 0; i < n; i += STRIDE) {
        const float *p = padded(x + i, n - i, -INFINITY, in);
        float *to = n - i < STRIDE ? out : y + i;
        AL_UNROLL
        for (size_t v = 0; v < STRIDE; v += AL_BLOCK) {
            const vec e = exp_below(v_load(p + v) - v_set1(top));
            chains_add(&c, v, e);
            v_store(to + v, e);
        }
        unpad(y + i, n - i, out);
    }
    scale_vector(n, (float)(1.0 / chains_sum(&c)), y, y);
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

static double sum_of(size_t n, const float *x)
{
    struct chains c = { 0 };
    float in[STRIDE];

    for (size_t i = 0; i < n; i += STRIDE) {
        const float *p = padded(x + i, n - i, 0, in);
        AL_UNROLL
        for (size_t v = 0; v < STRIDE; v += AL_BLOCK)
            chains_add(&c, v, v_load(p + v));
    }
    return chains_sum(&c);
}

/* Of the differences from the mean; padding counts as the mean itself. */
static double squares_of(size_t n, const float *x, double mean)
{
    const struct precise m = precise_of(mean);
    struct chains c = { 0 };
    float in[STRIDE];

    for (size_t i = 0; i < n; i += STRIDE) {
        const float *p = padded(x + i, n - i, 0, in);
        AL_UNROLL
        for (size_t v = 0; v < STRIDE; v += AL_BLOCK) {
            const ivec lanes =
                v_lanes_below((int32_t)(n - i < STRIDE ? n - i : STRIDE) - (int32_t)v);
            const vec d = v_keep(lanes, (v_load(p + v) - m.high) - m.low);
            chains_add(&c, v, d * d);
        }
    }
    return chains_sum(&c);
}

static void layer_norm(const struct al_layer_norm *l, const float *x, float *y)
{
    const size_t n = l->n;
    const double mean = sum_of(n, x) / (double)n;
    const double variance = squares_of(n, x, mean) / (double)n;
    const vec factor = v_set1((float)(1.0 / sqrt(variance + (double)l->epsilon)));
    const struct precise m = precise_of(mean);
    float in[STRIDE], gain[STRIDE], shift[STRIDE], out[STRIDE];

    for (size_t i = 0; i < n; i += STRIDE) {
        const float *p = padded(x + i, n - i, 0, in);
        const float *scale = padded(l->scale + i, n - i, 0, gain);
        const float *bias = padded(l->bias + i, n - i, 0, shift);
        float *to = n - i < STRIDE ? out : y + i;

        for (size_t v = 0; v < STRIDE; v += AL_BLOCK) {
            const vec d = (v_load(p + v) - m.high) - m.low;
            v_store(to + v, v_fma(d * factor, v_load(scale + v), v_load(bias + v)));
        }
        unpad(y + i, n - i, out);
    }
}

#endif
