/* tpl_split.h — a float as a sum of one, two or three bfloat16: the nearest one, then the
 * nearest to what is left, and so on. Two carry 16 bits of precision, three all 24.
 * Numbers whose nearest bfloat16 is infinite do not survive being split (infinity less
 * infinity is no number). */
#ifndef AL_KERN_TPL_SPLIT_H
#define AL_KERN_TPL_SPLIT_H

#include "engine/kern/bf16.h"
#include "engine/kern/simd.h"

#define MAX_PLANES 3

/* Parts of one number, in the place of a float each. */
static inline void split(float x, int planes, float *part)
{
    for (int p = 0; p < planes; p++) {
        part[p] = al_bf16_float(al_bf16(x));
        x -= part[p];
    }
}

/* Parts of 16: the bfloat16 in the lower half of each lane. */
AL_INLINE void v_split(vec x, const int planes, ivec *part)
{
    AL_UNROLL
    for (int p = 0; p < planes; p++) {
        part[p] = (ivec)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x));
        x = x - (vec)(part[p] << 16);
    }
}

/* The lower halves of 16 lanes, side by side. */
AL_INLINE void v_store_halves(uint16_t *p, ivec v)
{
    const __m256i halves = _mm512_cvtepi32_epi16((__m512i)v);

    memcpy(p, &halves, sizeof(halves));
}

#endif
