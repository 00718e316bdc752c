/* tpl_winograd_patch.h — Winograd's transforms (tpl_winograd.h) of one patch: of a x a
 * pixels into a*a numbers for the products, and of the products back to m x m results. */
#ifndef AL_KERN_TPL_WINOGRAD_PATCH_H
#define AL_KERN_TPL_WINOGRAD_PATCH_H

#include "engine/kern/tpl_step.h"

/* The points of interpolation are 0, P, -P, Q, -Q and infinity for six values (0, 1, -1
 * and infinity for four). Whole numbers serve fp32; for the 8 bits of bfloat16
 * transformed values must not differ much in size: these halve the error (of F(4x4, 3x3):
 * rms of random data 2 % with 1 and 2, 1 % so, found by trying eighths). */
#ifdef AL_BF16
#define POINT_P 0.75F
#define POINT_Q 1.5F
#else
#define POINT_P 1.0F
#define POINT_Q 2.0F
#endif
#define P2 (POINT_P * POINT_P)
#define Q2 (POINT_Q * POINT_Q)

/* B^T d for six and four values. */
AL_INLINE void input_transform_6(const vec *s, vec *d)
{
    const vec even_p = v_fma(s[2], v_set1(-Q2), s[4]);
    const vec odd_p = v_fma(s[1], v_set1(-Q2), s[3]);
    const vec even_q = v_fma(s[2], v_set1(-P2), s[4]);
    const vec odd_q = v_fma(s[1], v_set1(-P2), s[3]);

    d[0] = v_fma(s[0], v_set1(P2 * Q2), v_fma(s[2], v_set1(-P2 - Q2), s[4]));
    d[1] = v_fma(odd_p, v_set1(POINT_P), even_p);
    d[2] = v_fma(odd_p, v_set1(-POINT_P), even_p);
    d[3] = v_fma(odd_q, v_set1(POINT_Q), even_q);
    d[4] = v_fma(odd_q, v_set1(-POINT_Q), even_q);
    d[5] = v_fma(s[1], v_set1(P2 * Q2), v_fma(s[3], v_set1(-P2 - Q2), s[5]));
}

AL_INLINE void input_transform_4(const vec *s, vec *d)
{
    d[0] = s[0] - s[2];
    d[1] = s[1] + s[2];
    d[2] = s[2] - s[1];
    d[3] = s[1] - s[3];
}

/* A^T d: a values to m. */
AL_INLINE void output_transform(const int a, const int m, const vec *s, vec *d)
{
    const vec sum = s[1] + s[2], difference = s[1] - s[2];

    if (a == 4) {
        d[0] = s[0] + s[1] + s[2];
        d[1] = difference - s[3];
    } else {
        const vec sum2 = s[3] + s[4], difference2 = s[3] - s[4];
        d[0] = s[0] + sum + sum2;
        d[1] = v_fma(difference2, v_set1(POINT_Q), difference * v_set1(POINT_P));
        if (m == 2) {
            d[1] = d[1] + s[5];
        } else {
            d[2] = v_fma(sum2, v_set1(Q2), sum * v_set1(P2));
            d[3] = v_fma(difference2, v_set1(Q2 * POINT_Q),
                         difference * v_set1(P2 * POINT_P)) +
                   s[5];
        }
    }
}

/* One patch of one channel block: `row` floats from row to row of x, `plane` from result
 * to result of v. */
AL_INLINE void input_patch(const int a, const float *x, ptrdiff_t row, float *v,
                           ptrdiff_t plane)
{
    vec half[6][6], line[6], out[6];

    AL_UNROLL
    for (int j = 0; j < a; j++) {
        AL_UNROLL
        for (int i = 0; i < a; i++)
            line[i] = v_load(x + i * row + j * AL_BLOCK);
        if (a == 6)
            input_transform_6(line, out);
        else
            input_transform_4(line, out);
        AL_UNROLL
        for (int i = 0; i < a; i++)
            half[i][j] = out[i];
    }
    AL_UNROLL
    for (int i = 0; i < a; i++) {
        if (a == 6)
            input_transform_6(half[i], out);
        else
            input_transform_4(half[i], out);
        AL_UNROLL
        for (int j = 0; j < a; j++)
            step_store(v + (i * a + j) * plane, out[j]);
    }
}

/* The same back: m x m results of one output block to y, `AL_BLOCK` floats apart. */
AL_INLINE void output_patch(const int a, const int m, const float *v, ptrdiff_t plane,
                            float *y)
{
    vec half[4][6], line[6], out[4];

    AL_UNROLL
    for (int j = 0; j < a; j++) {
        AL_UNROLL
        for (int i = 0; i < a; i++)
            line[i] = v_load(v + (i * a + j) * plane);
        output_transform(a, m, line, out);
        AL_UNROLL
        for (int i = 0; i < m; i++)
            half[i][j] = out[i];
    }
    AL_UNROLL
    for (int i = 0; i < m; i++) {
        output_transform(a, m, half[i], out);
        AL_UNROLL
        for (int j = 0; j < m; j++)
            v_store(y + (i * m + j) * AL_BLOCK, out[j]);
    }
}

static void input_patch_4(const float *x, ptrdiff_t row, float *v, ptrdiff_t plane)
{
    input_patch(4, x, row, v, plane);
}

static void input_patch_6(const float *x, ptrdiff_t row, float *v, ptrdiff_t plane)
{
    input_patch(6, x, row, v, plane);
}

static void output_patch_4(const float *v, ptrdiff_t plane, float *y)
{
    output_patch(4, 2, v, plane, y);
}

static void output_patch_6(int32_t m, const float *v, ptrdiff_t plane, float *y)
{
    if (m == 4)
        output_patch(6, 4, v, plane, y);
    else
        output_patch(6, 2, v, plane, y);
}

#endif
