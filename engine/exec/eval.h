/* eval.h — the reference evaluation of every operator of graph/op.h, in portable C, on
 * plain row-major tensors of one row. It is the truth kernels are tested against, the
 * evaluator of constant folding, and what the executor runs where nothing faster exists.
 *
 * Pure functions: any thread, no allocation, no failure. What could fail is checked once
 * by al_eval_find. Indices read from run-time tensors (Gather) are clamped. Sums are
 * accumulated in double in a fixed order, so results are reproducible bit by bit.
 *
 * The node's epilogue is NOT applied: the caller runs al_eval_epilogue() on the output,
 * in place, when node->post says so. */
#ifndef AL_EXEC_EVAL_H
#define AL_EXEC_EVAL_H

#include <stddef.h>

#include "engine/base/status.h"
#include "engine/base/tensor.h"
#include "engine/graph/graph.h"

/* One evaluation. Tensors have the dtypes and shapes that inference gave the values; an
 * omitted input or output has AL_NO_DTYPE. Outputs never overlap inputs or scratch. */
struct al_eval {
    const struct al_node *node;
    const struct al_tensor *in;
    size_t n_in;
    struct al_tensor *out; /* the shapes are given, the elements are written */
    size_t n_out;
    void *scratch; /* al_eval_scratch_bytes() of them, aligned to 64 */
};

typedef void (*al_eval_fn)(const struct al_eval *e);

/* The evaluation of an inferred node; NULL and `err` when its operator has none for these
 * element types or attributes. */
al_eval_fn al_eval_find(const struct al_graph *g, const struct al_node *n,
                        struct al_error *err);
size_t al_eval_scratch_bytes(const struct al_graph *g, const struct al_node *n);

/* Finds, allocates scratch, evaluates, frees: for constant folding. Tensors as in struct
 * al_eval. */
AL_MUST_CHECK enum al_status al_eval_node(const struct al_graph *g,
                                          const struct al_node *n,
                                          const struct al_tensor *in,
                                          struct al_tensor *out, struct al_error *err);

/* y[i] = act(y[i] + add[i]) for n elements; `add` may be NULL. */
void al_eval_epilogue(const struct al_epilogue *post, float *y, const float *add,
                      size_t n);

#endif
