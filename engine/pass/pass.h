/* pass.h — rewrites of the graph between import and planning. Each changes the graph in
 * place, keeps the names of its inputs and outputs and the meaning of every output, and
 * leaves it sorted-able. They run on one thread while a model loads; after an error the
 * graph is only fit to be freed. */
#ifndef AL_PASS_PASS_H
#define AL_PASS_PASS_H

#include "engine/base/status.h"
#include "engine/base/tensor.h"

struct al_graph;
struct al_node;

/* Evaluates an inferred node on constant inputs into outputs whose memory is there;
 * AL_UNSUPPORTED when it has no evaluation. al_eval_node() of exec/eval.h is one. */
typedef enum al_status (*al_pass_eval_fn)(const struct al_graph *g,
                                          const struct al_node *n,
                                          const struct al_tensor *in,
                                          struct al_tensor *out, struct al_error *err);

/* Infers every value, and turns nodes whose inputs are all constant into constants; the
 * two are interleaved because shapes are often computed. Shape only needs its input's
 * shape. */
AL_MUST_CHECK enum al_status al_pass_fold(struct al_graph *g, al_pass_eval_fn eval,
                                          struct al_error *err);

/* Removes nodes nobody reads and nodes that do nothing (Identity, Dropout, a Reshape to
 * the same shape …). Needs inferred shapes. */
AL_MUST_CHECK enum al_status al_pass_clean(struct al_graph *g, struct al_error *err);

/* Folds BatchNormalization into the weights of the Conv or Gemm before it. One that has
 * none before it (pre-activation networks) stays. */
AL_MUST_CHECK enum al_status al_pass_batchnorm(struct al_graph *g, struct al_error *err);

/* Puts operators together again that exporters take apart: Gelu (erf form),
 * LayerNormalization over the last axis, HardSigmoid and HardSwish. */
AL_MUST_CHECK enum al_status al_pass_compose(struct al_graph *g, struct al_error *err);

/* Makes Softmax(factor * Q K^T) V with several heads, as exporters spell it, one Attention
 * of operator set 23. Before al_pass_fuse(); what it replaces is left to
 * al_pass_clean(). */
AL_MUST_CHECK enum al_status al_pass_attention(struct al_graph *g, struct al_error *err);

/* Makes a Pad of zeros padding of the Conv or AveragePool that reads it. */
AL_MUST_CHECK enum al_status al_pass_pad(struct al_graph *g, struct al_error *err);

/* Makes an Add of a constant the bias of the Conv, Gemm or MatMul before it, and joins an
 * addition and an activation to the node before them (`post`). The value added is never
 * computed from the node it is added to. */
AL_MUST_CHECK enum al_status al_pass_fuse(struct al_graph *g, struct al_error *err);

/* All of the above in the order that works. */
AL_MUST_CHECK enum al_status al_pass_all(struct al_graph *g, al_pass_eval_fn eval,
                                         struct al_error *err);

#endif
