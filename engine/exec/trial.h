/* trial.h — how long a convolution algorithm takes on a shape: random data of its own,
 * one row, the shortest of several runs. Private to exec/. */
#ifndef AL_EXEC_TRIAL_H
#define AL_EXEC_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/kern/conv.h"

struct al_trial {
    const struct al_conv_shape *shape;
    int32_t block;
    uint64_t (*now_ns)(void);
    float *x, *y, *weights, *bias; /* weights as in ONNX */
    float *want;                   /* results to agree with, once they are computed */
};

AL_MUST_CHECK enum al_status al_trial_init(struct al_trial *t, struct al_error *err);
void al_trial_done(struct al_trial *t);
/* Gives up early on a candidate that is clearly slower than `best_ns`. */
AL_MUST_CHECK enum al_status al_trial_time(struct al_trial *t,
                                           const struct al_conv_algo *a, uint64_t best_ns,
                                           uint64_t *ret_ns, struct al_error *err);
/* Whether the results of the algorithm that was timed last, `a`, agree with those of
 * `plain`, the same one in every call: to ten times what a's precision promises. */
AL_MUST_CHECK enum al_status al_trial_agrees(struct al_trial *t,
                                             const struct al_conv_algo *a,
                                             const struct al_conv_algo *plain,
                                             bool *ret_agrees, struct al_error *err);

#endif
