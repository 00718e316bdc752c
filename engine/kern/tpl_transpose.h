/* tpl_transpose.h — a square of AL_BLOCK vectors turned over its diagonal: in each step
 * squares of lanes change places with those of the vectors as far off, from single lanes
 * to half of all. */
#ifndef AL_KERN_TPL_TRANSPOSE_H
#define AL_KERN_TPL_TRANSPOSE_H

#include "engine/kern/simd.h"

/* For each pair of vectors `off` apart, a before b: a keeps its even groups of lanes and
 * gets b's, b its odd ones. */
#define EXCHANGE(off, even, odd)                                     \
    do {                                                             \
        AL_UNROLL                                                    \
        for (int k = 0; k < AL_BLOCK / 2; k++) {                     \
            const int i = k / (off)*2 * (off) + k % (off);           \
            const vec a = v[i], b = v[i + (off)];                    \
            v[i] = __builtin_shufflevector(a, b, LANES even);        \
            v[i + (off)] = __builtin_shufflevector(a, b, LANES odd); \
        }                                                            \
    } while (0)
#define LANES(...) __VA_ARGS__

/* Lane i of v[j] becomes lane j of v[i]. */
AL_INLINE void v_transpose(vec v[AL_BLOCK])
{
#if AL_BLOCK == 16
    EXCHANGE(1, (0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
             (1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31));
    EXCHANGE(2, (0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
             (2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31));
    EXCHANGE(4, (0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
             (4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31));
    EXCHANGE(8, (0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
             (8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
#else
    EXCHANGE(1, (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15));
    EXCHANGE(2, (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15));
    EXCHANGE(4, (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15));
#endif
}

#undef LANES
#undef EXCHANGE

#endif
