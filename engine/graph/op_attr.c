#include "engine/graph/op_attr.h"

#include <string.h>

/* One row an attribute: operator, ONNX name, type (ONNX Operators.md, operator sets 7 to
 * 22). Those that change nothing for inference in float are here as well. */
#define ATTR_LIST(X)                                  \
    X(CONV, auto_pad, STRING)                         \
    X(CONV, dilations, INTS)                          \
    X(CONV, group, INT)                               \
    X(CONV, kernel_shape, INTS)                       \
    X(CONV, pads, INTS)                               \
    X(CONV, strides, INTS)                            \
    X(GEMM, alpha, FLOAT)                             \
    X(GEMM, beta, FLOAT)                              \
    X(GEMM, transA, INT)                              \
    X(GEMM, transB, INT)                              \
    X(ATTENTION, scale, FLOAT)                        \
    X(BATCH_NORM, epsilon, FLOAT)                     \
    X(BATCH_NORM, momentum, FLOAT)                    \
    X(BATCH_NORM, spatial, INT)                       \
    X(BATCH_NORM, training_mode, INT)                 \
    X(LRN, alpha, FLOAT)                              \
    X(LRN, beta, FLOAT)                               \
    X(LRN, bias, FLOAT)                               \
    X(LRN, size, INT)                                 \
    X(INSTANCE_NORM, epsilon, FLOAT)                  \
    X(LAYER_NORM, axis, INT)                          \
    X(LAYER_NORM, epsilon, FLOAT)                     \
    X(LAYER_NORM, stash_type, INT)                    \
    X(MAX_POOL, auto_pad, STRING)                     \
    X(MAX_POOL, ceil_mode, INT)                       \
    X(MAX_POOL, dilations, INTS)                      \
    X(MAX_POOL, kernel_shape, INTS)                   \
    X(MAX_POOL, pads, INTS)                           \
    X(MAX_POOL, storage_order, INT)                   \
    X(MAX_POOL, strides, INTS)                        \
    X(AVERAGE_POOL, auto_pad, STRING)                 \
    X(AVERAGE_POOL, ceil_mode, INT)                   \
    X(AVERAGE_POOL, count_include_pad, INT)           \
    X(AVERAGE_POOL, dilations, INTS)                  \
    X(AVERAGE_POOL, kernel_shape, INTS)               \
    X(AVERAGE_POOL, pads, INTS)                       \
    X(AVERAGE_POOL, strides, INTS)                    \
    X(LEAKY_RELU, alpha, FLOAT)                       \
    X(ELU, alpha, FLOAT)                              \
    X(SELU, alpha, FLOAT)                             \
    X(SELU, gamma, FLOAT)                             \
    X(CLIP, max, FLOAT)                               \
    X(CLIP, min, FLOAT)                               \
    X(HARD_SIGMOID, alpha, FLOAT)                     \
    X(HARD_SIGMOID, beta, FLOAT)                      \
    X(GELU, approximate, STRING)                      \
    X(SOFTMAX, axis, INT)                             \
    X(LOG_SOFTMAX, axis, INT)                         \
    X(REDUCE_MEAN, axes, INTS)                        \
    X(REDUCE_MEAN, keepdims, INT)                     \
    X(REDUCE_MEAN, noop_with_empty_axes, INT)         \
    X(REDUCE_SUM, axes, INTS)                         \
    X(REDUCE_SUM, keepdims, INT)                      \
    X(REDUCE_SUM, noop_with_empty_axes, INT)          \
    X(REDUCE_MAX, axes, INTS)                         \
    X(REDUCE_MAX, keepdims, INT)                      \
    X(REDUCE_MAX, noop_with_empty_axes, INT)          \
    X(REDUCE_MIN, axes, INTS)                         \
    X(REDUCE_MIN, keepdims, INT)                      \
    X(REDUCE_MIN, noop_with_empty_axes, INT)          \
    X(ARG_MAX, axis, INT)                             \
    X(ARG_MAX, keepdims, INT)                         \
    X(ARG_MAX, select_last_index, INT)                \
    X(TOP_K, axis, INT)                               \
    X(TOP_K, k, INT)                                  \
    X(TOP_K, largest, INT)                            \
    X(TOP_K, sorted, INT)                             \
    X(CONCAT, axis, INT)                              \
    X(SPLIT, axis, INT)                               \
    X(SPLIT, num_outputs, INT)                        \
    X(SPLIT, split, INTS)                             \
    X(SLICE, axes, INTS)                              \
    X(SLICE, ends, INTS)                              \
    X(SLICE, starts, INTS)                            \
    X(GATHER, axis, INT)                              \
    X(TRANSPOSE, perm, INTS)                          \
    X(RESHAPE, allowzero, INT)                        \
    X(FLATTEN, axis, INT)                             \
    X(SQUEEZE, axes, INTS)                            \
    X(UNSQUEEZE, axes, INTS)                          \
    X(PAD, mode, STRING)                              \
    X(PAD, pads, INTS)                                \
    X(PAD, value, FLOAT)                              \
    X(DROPOUT, ratio, FLOAT)                          \
    X(DROPOUT, seed, INT)                             \
    X(CAST, round_mode, STRING)                       \
    X(CAST, saturate, INT)                            \
    X(CAST, to, INT)                                  \
    X(CONSTANT, value, TENSOR)                        \
    X(CONSTANT, value_float, FLOAT)                   \
    X(CONSTANT, value_floats, FLOATS)                 \
    X(CONSTANT, value_int, INT)                       \
    X(CONSTANT, value_ints, INTS)                     \
    X(CONSTANT_OF_SHAPE, value, TENSOR)               \
    X(SHAPE, end, INT)                                \
    X(SHAPE, start, INT)                              \
    X(RESIZE, antialias, INT)                         \
    X(RESIZE, axes, INTS)                             \
    X(RESIZE, coordinate_transformation_mode, STRING) \
    X(RESIZE, cubic_coeff_a, FLOAT)                   \
    X(RESIZE, exclude_outside, INT)                   \
    X(RESIZE, extrapolation_value, FLOAT)             \
    X(RESIZE, keep_aspect_ratio_policy, STRING)       \
    X(RESIZE, mode, STRING)                           \
    X(RESIZE, nearest_mode, STRING)                   \
    X(DEPTH_TO_SPACE, blocksize, INT)                 \
    X(DEPTH_TO_SPACE, mode, STRING)                   \
    X(SPACE_TO_DEPTH, blocksize, INT)

static const struct {
    enum al_op op;
    const char *name;
    enum al_attr_type type;
} known[] = {
#define X(op, name, type) { AL_OP_##op, #name, AL_ATTR_##type },
    ATTR_LIST(X)
#undef X
};

static const char *type_name(enum al_attr_type t)
{
    static const char *const names[] = {
        [AL_ATTR_INT] = "an integer",          [AL_ATTR_FLOAT] = "a float",
        [AL_ATTR_STRING] = "a string",         [AL_ATTR_INTS] = "a list of integers",
        [AL_ATTR_FLOATS] = "a list of floats", [AL_ATTR_TENSOR] = "a tensor",
    };

    return names[t];
}

static enum al_status check_attr(enum al_op op, const struct al_attr *a,
                                 struct al_error *err)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].op != op || strcmp(known[i].name, a->name) != 0)
            continue;
        if (known[i].type != a->type)
            return al_fail(err, AL_INVALID, "attribute '%s' is %s, not %s", a->name,
                           type_name(a->type), type_name(known[i].type));
        return AL_OK;
    }
    return al_fail(err, AL_UNSUPPORTED, "attribute '%.60s' is not supported", a->name);
}

enum al_status al_op_check_attrs(const struct al_node *n, struct al_error *err)
{
    for (size_t i = 0; i < n->n_attrs; i++) {
        enum al_status s = check_attr(n->op, &n->attrs[i], err);
        if (s != AL_OK)
            return s;
        if (al_node_attr(n, n->attrs[i].name) != &n->attrs[i])
            return al_fail(err, AL_INVALID, "attribute '%s' is given twice",
                           n->attrs[i].name);
    }
    return AL_OK;
}
