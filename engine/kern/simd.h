/* simd.h — a vector of AL_BLOCK floats, for the kernel templates (tpl_*.h). The file that
 * includes it is compiled alone for one instruction set and defines AL_BLOCK (8 or 16).
 *
 * Arithmetic is written with the compilers' vector types (+ - * / and comparisons work on
 * them), which become whatever the target has; only what C cannot say is an intrinsic. */
#ifndef AL_KERN_SIMD_H
#define AL_KERN_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if HAVE_X86
#include <immintrin.h>
#endif

#define AL_INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define AL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define AL_UNROLL _Pragma("GCC unroll 32")
#endif

typedef float vec __attribute__((vector_size(4 * AL_BLOCK)));
typedef int32_t ivec __attribute__((vector_size(4 * AL_BLOCK)));
typedef float vec_unaligned
    __attribute__((vector_size(4 * AL_BLOCK), may_alias, aligned(4)));

/* a * b + c, fused where the target does so; max: a > b ? a : b, so that a NaN in b
 * stays; min likewise. */
#if defined(__AVX512F__) && AL_BLOCK == 16
#define v_fma(a, b, c) ((vec)_mm512_fmadd_ps(a, b, c))
#define v_max(a, b)    ((vec)_mm512_max_ps(a, b))
#define v_min(a, b)    ((vec)_mm512_min_ps(a, b))
#elif defined(__FMA__) && AL_BLOCK == 8
#define v_fma(a, b, c) ((vec)_mm256_fmadd_ps(a, b, c))
#define v_max(a, b)    ((vec)_mm256_max_ps(a, b))
#define v_min(a, b)    ((vec)_mm256_min_ps(a, b))
#else
#define v_fma(a, b, c) ((a) * (b) + (c))
#define v_max(a, b)    v_select((a) > (b), a, b)
#define v_min(a, b)    v_select((a) < (b), a, b)
#endif

AL_INLINE vec v_load(const float *p)
{
    return *(const vec_unaligned *)p;
}

AL_INLINE void v_store(float *p, vec v)
{
    *(vec_unaligned *)p = v;
}

AL_INLINE vec v_zero(void)
{
    return (vec){ 0 };
}

AL_INLINE vec v_set1(float f)
{
    return f - v_zero(); /* keeps the sign of -0 */
}

AL_INLINE vec v_select(ivec mask, vec yes, vec no)
{
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

/* Lane k of the result is lane at[k] of x, 0 <= at[k] < AL_BLOCK. */
AL_INLINE vec v_lookup(vec x, ivec at)
{
#if defined(__AVX512F__) && AL_BLOCK == 16
    return (vec)_mm512_permutexvar_ps((__m512i)at, (__m512)x);
#elif defined(__AVX2__) && AL_BLOCK == 8
    return (vec)_mm256_permutevar8x32_ps((__m256)x, (__m256i)at);
#else
    vec y;

    for (int32_t k = 0; k < AL_BLOCK; k++)
        y[k] = x[at[k]];
    return y;
#endif
}

/* The sum of all lanes, by halves. */
AL_INLINE float v_sum(vec v)
{
    typedef float half __attribute__((vector_size(32)));
    typedef float quarter __attribute__((vector_size(16)));
#if AL_BLOCK == 16
    const half h = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                   __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    const half h = v;
#endif
    const quarter q = __builtin_shufflevector(h, h, 0, 1, 2, 3) +
                      __builtin_shufflevector(h, h, 4, 5, 6, 7);

    return (q[0] + q[2]) + (q[1] + q[3]);
}

/* The largest of all lanes, by halves. */
AL_INLINE float v_largest(vec v)
{
#if AL_BLOCK == 16
    v = v_max(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3,
                                         4, 5, 6, 7));
    v = v_max(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8,
                                         9, 10, 11));
#else
    v = v_max(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
#endif
    const float a = v[0] > v[2] ? v[0] : v[2], b = v[1] > v[3] ? v[1] : v[3];

    return a > b ? a : b;
}

/* Ones in the lanes below `n`. */
AL_INLINE ivec v_lanes_below(int32_t n)
{
    ivec lane;

    for (int32_t i = 0; i < AL_BLOCK; i++)
        lane[i] = i;
    return lane < n;
}

AL_INLINE vec v_keep(ivec mask, vec v)
{
    return (vec)(mask & (ivec)v);
}

/* Of a vector only the first n lanes lie in memory, all or none when n is larger or
 * negative; the others are those of `pad`, or not stored. */
AL_INLINE vec v_load_some(const float *p, ptrdiff_t n, vec pad)
{
    if (n >= AL_BLOCK)
        return v_load(p);
    if (n <= 0)
        return pad;
#if defined(__AVX512F__) && AL_BLOCK == 16
    return (vec)_mm512_mask_loadu_ps((__m512)pad, (__mmask16)((1U << n) - 1), p);
#elif defined(__AVX2__) && AL_BLOCK == 8
    const ivec lanes = v_lanes_below((int32_t)n);

    return v_select(lanes, (vec)_mm256_maskload_ps(p, (__m256i)lanes), pad);
#else
    memcpy(&pad, p, (size_t)n * sizeof(float));
    return pad;
#endif
}

AL_INLINE void v_store_some(float *p, ptrdiff_t n, vec v)
{
    if (n >= AL_BLOCK)
        v_store(p, v);
    else if (n > 0) {
#if defined(__AVX512F__) && AL_BLOCK == 16
        _mm512_mask_storeu_ps(p, (__mmask16)((1U << n) - 1), (__m512)v);
#elif defined(__AVX2__) && AL_BLOCK == 8
        _mm256_maskstore_ps(p, (__m256i)v_lanes_below((int32_t)n), (__m256)v);
#else
        memcpy(p, &v, (size_t)n * sizeof(float));
#endif
    }
}

#endif
