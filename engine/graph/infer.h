/* infer.h — shape and type inference as pure functions: inputs as tensors in, output
 * types and shapes out. Internal to graph/; the door is al_graph_infer_node(). */
#ifndef AL_GRAPH_INFER_H
#define AL_GRAPH_INFER_H

#include "engine/base/tensor.h"
#include "engine/graph/param.h"

/* An input has its elements when it is constant, else `data` is NULL; an omitted one has
 * AL_NO_DTYPE. A function fills dtype and shape of every output. */
struct al_infer {
    struct al_args a;
    struct al_tensor *out;
    size_t n_out;
};

typedef enum al_status (*al_infer_fn)(const struct al_infer *f, struct al_error *err);

#define X(id, name, min_in, max_in, min_out, max_out, infer) \
    enum al_status al_infer_##infer(const struct al_infer *f, struct al_error *err);
AL_OP_LIST(X) /* some are declared more than once, all alike */
#undef X

/* ---- helpers ---- */

/* Writes output 0. */
void al_infer_out(const struct al_infer *f, enum al_dtype dtype,
                  const struct al_shape *shape);
/* AL_INVALID unless input i has this rank; `what` names it in the message. */
AL_MUST_CHECK enum al_status al_infer_rank(const struct al_infer *f, size_t i,
                                           size_t rank, const char *what,
                                           struct al_error *err);
/* AL_INVALID unless input i is a vector of n elements. */
AL_MUST_CHECK enum al_status al_infer_vector(const struct al_infer *f, size_t i,
                                             int64_t n, const char *what,
                                             struct al_error *err);
/* AL_INVALID unless all given inputs have the type of the first. */
AL_MUST_CHECK enum al_status al_infer_one_type(const struct al_infer *f,
                                               struct al_error *err);

#endif
