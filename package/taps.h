/* taps.h — which source pixels one output pixel is made of, and how much of each: the
 * coefficients of one axis of a resize. Pure; any thread. */
#ifndef PK_TAPS_H
#define PK_TAPS_H

#include <stdint.h>

#include "engine/base/status.h"
#include "package/resize.h"

/* Weights are fixed point and sum to about 1 << PK_TAP_BITS. */
#define PK_TAP_BITS 22

/* Output pixel i of the span reads source pixels [first, first + n). */
struct pk_tap {
    uint32_t first, n;
    const int32_t *weights; /* into pk_taps.weights */
};

struct pk_taps {
    uint32_t length;
    struct pk_tap *taps; /* [length] */
    int32_t *weights;
};

/* The axis has `n_source` pixels. Free with pk_taps_done, after a failure too. */
AL_MUST_CHECK enum al_status pk_taps_init(struct pk_taps *t, uint32_t n_source,
                                          struct pk_span span, enum pk_filter filter,
                                          struct al_error *err);
void pk_taps_done(struct pk_taps *t);

#endif
