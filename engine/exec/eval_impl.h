/* eval_impl.h — what the families of reference evaluations share. Internal to eval*.c. */
#ifndef AL_EXEC_EVAL_IMPL_H
#define AL_EXEC_EVAL_IMPL_H

#include "engine/exec/eval.h"
#include "engine/graph/param.h"

/* An operator's evaluations by the element type of the input that decides (input 0;
 * input 1 of Where). `ints` serves BOOL and all integers but U64. */
struct al_eval_row {
    al_eval_fn f32, f64, ints, any;
};

/* Each family fills the rows of its operators. */
void al_eval_rows_conv(struct al_eval_row *rows);
void al_eval_rows_math(struct al_eval_row *rows);
void al_eval_rows_norm(struct al_eval_row *rows);
void al_eval_rows_binary(struct al_eval_row *rows);
void al_eval_rows_reduce(struct al_eval_row *rows);
void al_eval_rows_move(struct al_eval_row *rows);
void al_eval_rows_make(struct al_eval_row *rows);

static inline struct al_args al_eval_args(const struct al_eval *e)
{
    return (struct al_args){ .node = e->node, .in = e->in, .n_in = e->n_in };
}

static inline bool al_eval_wants(const struct al_eval *e, size_t out)
{
    return out < e->n_out && e->out[out].dtype != AL_NO_DTYPE;
}

/* ---- numbers of any type ---- */

/* Element i of a BOOL or integer tensor; of U64 the same bits. */
int64_t al_load_int(const struct al_tensor *t, size_t i);
/* Keeps the low bits that fit. */
void al_store_int(const struct al_tensor *t, size_t i, int64_t v);
/* Element i of any tensor, F16 and BF16 included. */
double al_load_double(const struct al_tensor *t, size_t i);
/* Rounds to the nearest F32, F16 or BF16; to integers towards zero, clamped; NaN is 0. */
void al_store_double(const struct al_tensor *t, size_t i, double v);

/* ---- shapes ---- */

/* Product of dims [from, to). */
size_t al_dims_product(const struct al_shape *s, size_t from, size_t to);
/* Elements between neighbours along each axis, row-major. */
void al_strides(const struct al_shape *s, size_t *ret);

/* Up to three operands walked in step with an output they broadcast to. Axes along which
 * all operands go on evenly are merged, so the last axis is as long as it can be. */
#define AL_WALK_OPERANDS 3
struct al_walk {
    size_t rank, n_operands;
    size_t dims[AL_MAX_DIMS];
    size_t stride[AL_WALK_OPERANDS][AL_MAX_DIMS];
};
void al_walk_init(struct al_walk *w, const struct al_shape *out,
                  const struct al_shape *const *operands, size_t n_operands);
/* Calls fn once for each run along the last axis: `at` is the run's first output element,
 * `off[k]` that of operand k; operand k advances by `step[k]`. */
struct al_run {
    size_t n, at;
    size_t off[AL_WALK_OPERANDS], step[AL_WALK_OPERANDS];
};
typedef void (*al_run_fn)(const struct al_run *run, const void *arg);
void al_walk_run(const struct al_walk *w, al_run_fn fn, const void *arg);

#endif
