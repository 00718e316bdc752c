/* tpl_step.h — one step of a dense register tile along the input channels.
 *
 * Plain: one channel of a pixel, spread over the lanes, times that channel's weights; one
 * FMA. With AL_BF16: two neighbouring channels as a pair of bfloat16 in the place of a
 * float, the even one in the lower half, times pairs of weights; products are exact and
 * both are added in fp32 (VDPBF16PS). Pictures in memory stay fp32: who prepares a tile's
 * input rounds it (step_store). */
#ifndef AL_KERN_TPL_STEP_H
#define AL_KERN_TPL_STEP_H

#include "engine/kern/bf16.h"
#include "engine/kern/simd.h"

#ifdef AL_BF16
#define STEP_CHANNELS 2

AL_INLINE vec step_value(const float *x)
{
    int32_t pair;

    memcpy(&pair, x, sizeof(pair));
    return (vec)_mm512_set1_epi32(pair);
}

AL_INLINE vec step_add(vec value, vec weights, vec sum)
{
    return (vec)_mm512_dpbf16_ps(sum, (__m512bh)value, (__m512bh)weights);
}

AL_INLINE void step_store(float *p, vec v)
{
    const __m256bh rounded = _mm512_cvtneps_pbh(v);

    memcpy(p, &rounded, sizeof(rounded));
}

static inline float step_weight(float even, float odd)
{
    return al_bf16_pair(even, odd);
}
#else
#define STEP_CHANNELS 1

AL_INLINE vec step_value(const float *x)
{
    return v_set1(*x);
}

AL_INLINE vec step_add(vec value, vec weights, vec sum)
{
    return v_fma(value, weights, sum);
}

AL_INLINE void step_store(float *p, vec v)
{
    v_store(p, v);
}

static inline float step_weight(float even, float odd)
{
    (void)odd;
    return even;
}
#endif

/* Floats that a pixel's block of channels takes in the input of a tile. */
#define STEP_LANES (AL_BLOCK / STEP_CHANNELS)

static inline int32_t n_steps(int32_t channels)
{
    return (channels + STEP_CHANNELS - 1) / STEP_CHANNELS;
}

#endif
