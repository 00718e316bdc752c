/* fc.h — fully connected layers in bfloat16: weights and inputs rounded to it, sums in
 * fp32, so that half the bytes of weights pass through the caches. Otherwise as al_kern's
 * `fc`: the same struct al_fc (its weights as packed here), the same tiles, and a row's
 * bits do not depend on its company. */
#ifndef AL_KERN_FC_H
#define AL_KERN_FC_H

#include "engine/kern/kern.h"

struct al_fc_algo {
    const char *name;   /* "fc-avx512_bf16" */
    unsigned cpu_flags; /* enum al_cpu_flags it needs */
    size_t (*packed_floats)(size_t n_in, size_t n_out);
    /* Row-major [n_out][n_in], or [n_in][n_out], to the layout run() reads. */
    void (*pack)(size_t n_in, size_t n_out, const float *weights, float *packed);
    void (*pack_columns)(size_t n_in, size_t n_out, const float *weights, float *packed);
    void (*run)(const struct al_fc *f);
};

/* NULL where the CPU has no such instructions. */
const struct al_fc_algo *al_fc_bf16(unsigned cpu_flags);

#endif
