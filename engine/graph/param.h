/* param.h — what a node's attributes and constant inputs say, whichever of the two its
 * operator set uses: inference reads it to know the shape, evaluation to do the work.
 *
 * Functions take the node's inputs as tensors (`data` NULL: not constant; AL_NO_DTYPE:
 * omitted) and fail when what they need is not constant or makes no sense. Where
 * inference has succeeded they succeed again on the same tensors. */
#ifndef AL_GRAPH_PARAM_H
#define AL_GRAPH_PARAM_H

#include "engine/base/tensor.h"
#include "engine/graph/graph.h"

/* A node with its inputs. */
struct al_args {
    const struct al_node *node;
    const struct al_tensor *in;
    size_t n_in;
};

bool al_args_has(const struct al_args *a, size_t i);

/* A short list of integers: axes, starts, pads. */
#define AL_MAX_INTS ((size_t)2 * AL_MAX_DIMS)
struct al_ints {
    bool given;
    size_t n;
    int64_t at[AL_MAX_INTS];
};

/* Element i of an integer tensor (I64 or I32). */
int64_t al_tensor_int(const struct al_tensor *t, size_t i);
/* Element i of a float, double or integer tensor. */
double al_tensor_number(const struct al_tensor *t, size_t i);

/* Integers from input `i` when there is one, else from attribute `attr` (NULL: none). */
AL_MUST_CHECK enum al_status al_param_ints(const struct al_args *a, size_t i,
                                           const char *attr, struct al_ints *ret,
                                           struct al_error *err);
/* `axis` counted from the front; AL_INVALID outside -rank .. rank-1. */
AL_MUST_CHECK enum al_status al_param_axis(int64_t axis, size_t rank, size_t *ret,
                                           struct al_error *err);
/* The axes listed in input i or attribute "axes", as flags; AL_INVALID when one is listed
 * twice. None given: *ret_given false. */
AL_MUST_CHECK enum al_status al_param_axes(const struct al_args *a, size_t i, size_t rank,
                                           bool ret_axes[AL_MAX_DIMS], bool *ret_given,
                                           struct al_error *err);
/* The axes a Reduce operator sums over. */
AL_MUST_CHECK enum al_status al_param_reduce(const struct al_args *a,
                                             bool ret_axes[AL_MAX_DIMS],
                                             struct al_error *err);

/* Slice: element o of axis k comes from start[k] + o*step[k], for o < count[k]. */
struct al_slice {
    int64_t start[AL_MAX_DIMS], step[AL_MAX_DIMS], count[AL_MAX_DIMS];
};
AL_MUST_CHECK enum al_status al_param_slice(const struct al_args *a, struct al_slice *ret,
                                            struct al_error *err);

/* Pad: elements added (negative: taken away) before and behind each axis. */
struct al_pads {
    int64_t begin[AL_MAX_DIMS], end[AL_MAX_DIMS];
};
AL_MUST_CHECK enum al_status al_param_pads(const struct al_args *a, struct al_pads *ret,
                                           struct al_error *err);

/* Resize: output sizes, and what is used to find an output's place in the input: the
 * scale and the output's length before it was rounded down. */
struct al_resize {
    int64_t out[AL_MAX_DIMS];
    float scale[AL_MAX_DIMS], length[AL_MAX_DIMS];
};
AL_MUST_CHECK enum al_status al_param_resize(const struct al_args *a,
                                             struct al_resize *ret, struct al_error *err);

/* How many elements each output of Split takes along the axis: n_out <= AL_MAX_SPLIT
 * numbers into `sizes`. */
#define AL_MAX_SPLIT 256
AL_MUST_CHECK enum al_status al_param_split(const struct al_args *a, size_t n_out,
                                            size_t axis, int64_t *sizes,
                                            struct al_error *err);

/* The shape two operands broadcast to (ONNX Broadcasting.md). */
AL_MUST_CHECK enum al_status al_broadcast(const struct al_shape *a,
                                          const struct al_shape *b, struct al_shape *ret,
                                          struct al_error *err);

#endif
