/* op.h — the operators Alight knows: one table, from which come the enum, the import by
 * ONNX name, arity checks, shape inference and the lists in the documentation. */
#ifndef AL_GRAPH_OP_H
#define AL_GRAPH_OP_H

#include <stddef.h>

/* One row an operator: enum name, ONNX name, least and most inputs, least and most
 * outputs, shape inference (al_infer_<last column> in graph/infer_*.c).
 * AL_OP_MANY = any number. Meanings: ONNX Operators.md, opsets 7 to 22, and
 * Attention's of 23 without masks and caches. */
#define AL_OP_MANY 65535
#define AL_OP_LIST(X)                                                      \
    X(CONV, "Conv", 2, 3, 1, 1, conv)                                      \
    X(GEMM, "Gemm", 2, 3, 1, 1, gemm)                                      \
    X(MATMUL, "MatMul", 2, 2, 1, 1, matmul)                                \
    X(ATTENTION, "Attention", 3, 3, 1, 1, attention)                       \
    X(BATCH_NORM, "BatchNormalization", 5, 5, 1, 5, batch_norm)            \
    X(LRN, "LRN", 1, 1, 1, 1, lrn)                                         \
    X(INSTANCE_NORM, "InstanceNormalization", 3, 3, 1, 1, instance_norm)   \
    X(LAYER_NORM, "LayerNormalization", 2, 3, 1, 3, layer_norm)            \
    X(MAX_POOL, "MaxPool", 1, 1, 1, 2, pool)                               \
    X(AVERAGE_POOL, "AveragePool", 1, 1, 1, 1, pool)                       \
    X(GLOBAL_AVERAGE_POOL, "GlobalAveragePool", 1, 1, 1, 1, global_pool)   \
    X(GLOBAL_MAX_POOL, "GlobalMaxPool", 1, 1, 1, 1, global_pool)           \
    X(RELU, "Relu", 1, 1, 1, 1, same)                                      \
    X(LEAKY_RELU, "LeakyRelu", 1, 1, 1, 1, same)                           \
    X(PRELU, "PRelu", 2, 2, 1, 1, prelu)                                   \
    X(ELU, "Elu", 1, 1, 1, 1, same)                                        \
    X(SELU, "Selu", 1, 1, 1, 1, same)                                      \
    X(CLIP, "Clip", 1, 3, 1, 1, clip)                                      \
    X(SIGMOID, "Sigmoid", 1, 1, 1, 1, same)                                \
    X(HARD_SIGMOID, "HardSigmoid", 1, 1, 1, 1, same)                       \
    X(HARD_SWISH, "HardSwish", 1, 1, 1, 1, same)                           \
    X(TANH, "Tanh", 1, 1, 1, 1, same)                                      \
    X(SOFTPLUS, "Softplus", 1, 1, 1, 1, same)                              \
    X(SOFTSIGN, "Softsign", 1, 1, 1, 1, same)                              \
    X(ERF, "Erf", 1, 1, 1, 1, same)                                        \
    X(GELU, "Gelu", 1, 1, 1, 1, gelu)                                      \
    X(SOFTMAX, "Softmax", 1, 1, 1, 1, softmax)                             \
    X(LOG_SOFTMAX, "LogSoftmax", 1, 1, 1, 1, softmax)                      \
    X(ADD, "Add", 2, 2, 1, 1, broadcast)                                   \
    X(SUB, "Sub", 2, 2, 1, 1, broadcast)                                   \
    X(MUL, "Mul", 2, 2, 1, 1, broadcast)                                   \
    X(DIV, "Div", 2, 2, 1, 1, broadcast)                                   \
    X(POW, "Pow", 2, 2, 1, 1, broadcast)                                   \
    X(MIN, "Min", 1, AL_OP_MANY, 1, 1, broadcast)                          \
    X(MAX, "Max", 1, AL_OP_MANY, 1, 1, broadcast)                          \
    X(SUM, "Sum", 1, AL_OP_MANY, 1, 1, broadcast)                          \
    X(MEAN, "Mean", 1, AL_OP_MANY, 1, 1, broadcast)                        \
    X(ABS, "Abs", 1, 1, 1, 1, same)                                        \
    X(NEG, "Neg", 1, 1, 1, 1, same)                                        \
    X(EXP, "Exp", 1, 1, 1, 1, same)                                        \
    X(LOG, "Log", 1, 1, 1, 1, same)                                        \
    X(SQRT, "Sqrt", 1, 1, 1, 1, same)                                      \
    X(RECIPROCAL, "Reciprocal", 1, 1, 1, 1, same)                          \
    X(FLOOR, "Floor", 1, 1, 1, 1, same)                                    \
    X(CEIL, "Ceil", 1, 1, 1, 1, same)                                      \
    X(REDUCE_MEAN, "ReduceMean", 1, 2, 1, 1, reduce)                       \
    X(REDUCE_SUM, "ReduceSum", 1, 2, 1, 1, reduce)                         \
    X(REDUCE_MAX, "ReduceMax", 1, 2, 1, 1, reduce)                         \
    X(REDUCE_MIN, "ReduceMin", 1, 2, 1, 1, reduce)                         \
    X(ARG_MAX, "ArgMax", 1, 1, 1, 1, arg_max)                              \
    X(TOP_K, "TopK", 1, 2, 2, 2, top_k)                                    \
    X(CONCAT, "Concat", 1, AL_OP_MANY, 1, 1, concat)                       \
    X(SPLIT, "Split", 1, 2, 1, AL_OP_MANY, split)                          \
    X(SLICE, "Slice", 1, 5, 1, 1, slice)                                   \
    X(GATHER, "Gather", 2, 2, 1, 1, gather)                                \
    X(TRANSPOSE, "Transpose", 1, 1, 1, 1, transpose)                       \
    X(RESHAPE, "Reshape", 2, 2, 1, 1, reshape)                             \
    X(FLATTEN, "Flatten", 1, 1, 1, 1, flatten)                             \
    X(SQUEEZE, "Squeeze", 1, 2, 1, 1, squeeze)                             \
    X(UNSQUEEZE, "Unsqueeze", 1, 2, 1, 1, unsqueeze)                       \
    X(EXPAND, "Expand", 2, 2, 1, 1, expand)                                \
    X(TILE, "Tile", 2, 2, 1, 1, tile)                                      \
    X(PAD, "Pad", 1, 4, 1, 1, pad)                                         \
    X(IDENTITY, "Identity", 1, 1, 1, 1, same)                              \
    X(DROPOUT, "Dropout", 1, 3, 1, 2, dropout)                             \
    X(CAST, "Cast", 1, 1, 1, 1, cast)                                      \
    X(CONSTANT, "Constant", 0, 0, 1, 1, constant)                          \
    X(CONSTANT_OF_SHAPE, "ConstantOfShape", 1, 1, 1, 1, constant_of_shape) \
    X(SHAPE, "Shape", 1, 1, 1, 1, shape)                                   \
    X(RANGE, "Range", 3, 3, 1, 1, range)                                   \
    X(WHERE, "Where", 3, 3, 1, 1, where)                                   \
    X(EQUAL, "Equal", 2, 2, 1, 1, compare)                                 \
    X(LESS, "Less", 2, 2, 1, 1, compare)                                   \
    X(GREATER, "Greater", 2, 2, 1, 1, compare)                             \
    X(RESIZE, "Resize", 1, 4, 1, 1, resize)                                \
    X(DEPTH_TO_SPACE, "DepthToSpace", 1, 1, 1, 1, depth_to_space)          \
    X(SPACE_TO_DEPTH, "SpaceToDepth", 1, 1, 1, 1, space_to_depth)

enum al_op {
    AL_OP_NONE, /* a removed node */
#define X(id, name, min_in, max_in, min_out, max_out, infer) AL_OP_##id,
    AL_OP_LIST(X)
#undef X
    AL_N_OPS
};

struct al_op_info {
    const char *name; /* ONNX operator type */
    size_t min_inputs, max_inputs;
    size_t min_outputs, max_outputs;
};

const struct al_op_info *al_op_info(enum al_op op);
/* AL_OP_NONE for an unknown name. */
enum al_op al_op_find(const char *name);

#endif
