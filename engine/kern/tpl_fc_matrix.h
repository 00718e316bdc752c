/* tpl_fc_matrix.h — weights to be packed, by outputs or by inputs; zero outside. */
#ifndef AL_KERN_TPL_FC_MATRIX_H
#define AL_KERN_TPL_FC_MATRIX_H

#include <stddef.h>

/* A matrix in memory: the distances from output to output and from input to input, one
 * of which is 1. */
struct fc_matrix {
    const float *weights;
    size_t n_in, n_out, out_step, in_step;
};

static inline float fc_weight(const struct fc_matrix *m, size_t out, size_t in)
{
    return out < m->n_out && in < m->n_in
               ? m->weights[out * m->out_step + in * m->in_step]
               : 0.0F;
}

#endif
