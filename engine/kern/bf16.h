/* bf16.h — bfloat16 in portable C: the upper half of a float, rounded to nearest with
 * ties to even. Subnormal numbers become zero, as VCVTNEPS2BF16 makes them: this is what
 * the kernels' own rounding is tested against. Pure. */
#ifndef AL_KERN_BF16_H
#define AL_KERN_BF16_H

#include <stdint.h>
#include <string.h>

/* The bits of the nearest bfloat16; a NaN stays one, and quiet. */
static inline uint16_t al_bf16(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof(bits));
    if ((bits & 0x7fffffffU) > 0x7f800000U)
        return (uint16_t)(bits >> 16 | 0x40U);
    if ((bits & 0x7f800000U) == 0)
        return (uint16_t)(bits >> 16 & 0x8000U);
    return (uint16_t)((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

static inline float al_bf16_float(uint16_t b)
{
    const uint32_t bits = (uint32_t)b << 16;
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* Two of them in the place of a float, `even` in the lower half. Not a number to reckon
 * with: to be stored and loaded only. */
static inline float al_bf16_pair(float even, float odd)
{
    const uint32_t bits = (uint32_t)al_bf16(odd) << 16 | al_bf16(even);
    float pair;

    memcpy(&pair, &bits, sizeof(pair));
    return pair;
}

#endif
