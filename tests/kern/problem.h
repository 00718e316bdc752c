/* problem.h — one convolution with random data and its result computed in double, and the
 * check of every algorithm of the level under test against it: near enough, and the same
 * bits in any company. */
#ifndef TESTS_KERN_PROBLEM_H
#define TESTS_KERN_PROBLEM_H

#include "tests/kern/check.h"

#define N_ROWS 3

/* Shape, activation and addition are the test's; the rest is filled by check_problem().
 */
struct problem {
    struct al_conv_shape s;
    enum al_conv_act act;
    float act_a, act_b;
    bool with_add;
    float *weights, *bias;
    float *x[N_ROWS], *add[N_ROWS], *want[N_ROWS]; /* plain */
};

/* Every algorithm of the level that fits; at least one does, unless the level adds only
 * special ones (bfloat16, AMX). */
void check_problem(struct problem *p);

/* Fills a problem in and computes its results, and frees them. */
void problem_fill(struct problem *p);
void problem_done(struct problem *p);
/* The algorithm's largest error relative to the largest result; row 0 only. */
float problem_error(const struct al_conv_algo *a, const struct problem *p);

/* A square picture and kernel; halos of the output at random. */
struct al_conv_shape square(int32_t c, int32_t k, int32_t size, int32_t kernel,
                            int32_t stride, int32_t pad, int32_t groups);
/* Output size from padding at both ends, and an input halo that just suffices. */
void close_shape(struct al_conv_shape *s, int32_t pad_bottom, int32_t pad_right);

#endif
