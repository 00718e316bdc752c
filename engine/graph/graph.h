/* graph.h — the network as nodes and values by index. Built and changed by one thread
 * while a model loads (import, passes), immutable afterwards. All memory hangs off the
 * graph's arena and lives as long as the graph; names and constants given to it are
 * copied unless the function says otherwise.
 *
 * The leading dimension. A model is inferred for ONE row: a symbolic leading dimension of
 * an input is 1, so every shape after al_graph_infer() is concrete, and running n rows
 * means evaluating the graph n times on rows that never see each other. */
#ifndef AL_GRAPH_GRAPH_H
#define AL_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/base/tensor.h"
#include "engine/graph/op.h"

struct al_arena;
struct al_graph;

#define AL_NO_VALUE UINT32_MAX /* an omitted optional input or output */
#define AL_NO_NODE  UINT32_MAX

enum al_attr_type {
    AL_ATTR_INT,
    AL_ATTR_FLOAT,
    AL_ATTR_STRING,
    AL_ATTR_INTS,
    AL_ATTR_FLOATS,
    AL_ATTR_TENSOR,
};

struct al_attr {
    const char *name;
    enum al_attr_type type;
    int64_t i;
    float f;
    const char *s;
    const int64_t *ints; /* n of them */
    const float *floats; /* n of them */
    size_t n;
    struct al_tensor tensor;
};

/* What a fused node does to each result before it is stored: y = act(y + add). */
enum al_act {
    AL_ACT_NONE,
    AL_ACT_RELU,
    AL_ACT_CLIP,       /* min(max(y, a), b) */
    AL_ACT_LEAKY_RELU, /* y > 0 ? y : a*y */
    AL_ACT_HARD_SWISH,
    AL_ACT_SIGMOID,
    AL_ACT_TANH,
    AL_ACT_GELU,      /* by erf */
    AL_ACT_GELU_TANH, /* its approximation */
};

struct al_epilogue {
    enum al_act act;
    float a, b;
    uint32_t add; /* value added elementwise before the activation, or AL_NO_VALUE */
};

struct al_value {
    const char *name;
    enum al_dtype dtype; /* AL_NO_DTYPE until inferred */
    bool has_shape;      /* shape is complete */
    struct al_shape shape;
    uint32_t producer; /* node, or AL_NO_NODE for graph inputs and constants */
    const void *data;  /* a constant's elements, row-major; else NULL. A pass may change
                        * those of a constant that only one node reads */
    bool batched;      /* a graph input whose leading dimension the file leaves open */
};

struct al_node {
    enum al_op op;
    const char *name; /* ONNX node name, or its first output's when it has none */
    int opset;        /* version of the operator set it was written for */
    size_t n_inputs;
    const uint32_t *inputs;
    size_t n_outputs;
    const uint32_t *outputs;
    size_t n_attrs;
    const struct al_attr *attrs;
    /* Set by the fuse pass, which may also give a MATMUL a bias, a constant vector along
     * the output's last axis, as input 2: `act` on CONV, GEMM, MATMUL, ADD and
     * BATCH_NORM; `add`, of the output's own shape, on CONV, GEMM and MATMUL. */
    struct al_epilogue post;
};

/* `limit_bytes` bounds everything the graph will ever allocate. */
struct al_graph *al_graph_new(size_t limit_bytes);
void al_graph_free(struct al_graph *g);
struct al_arena *al_graph_arena(struct al_graph *g);

/* Adds a value (name copied, NULL: one is invented; `data` borrowed: it must outlive the
 * graph or lie in its arena). AL_INVALID when the name is taken. */
AL_MUST_CHECK enum al_status al_graph_add_value(struct al_graph *g,
                                                const struct al_value *v,
                                                uint32_t *ret_id, struct al_error *err);
/* Adds a node (arrays and strings copied, attribute tensors' elements borrowed) with an
 * empty epilogue, whatever `n->post` says; its outputs must exist and have no producer
 * yet. */
AL_MUST_CHECK enum al_status al_graph_add_node(struct al_graph *g,
                                               const struct al_node *n, uint32_t *ret_id,
                                               struct al_error *err);
AL_MUST_CHECK enum al_status al_graph_add_input(struct al_graph *g, uint32_t value,
                                                struct al_error *err);
AL_MUST_CHECK enum al_status al_graph_add_output(struct al_graph *g, uint32_t value,
                                                 struct al_error *err);

size_t al_graph_n_values(const struct al_graph *g);
size_t al_graph_n_nodes(const struct al_graph *g);
const struct al_value *al_graph_value(const struct al_graph *g, uint32_t id);
const struct al_node *al_graph_node(const struct al_graph *g, uint32_t id);
/* The same, to be changed by passes. Valid until the next add. */
struct al_value *al_graph_value_mut(struct al_graph *g, uint32_t id);
struct al_node *al_graph_node_mut(struct al_graph *g, uint32_t id);
/* The value as a tensor; `data` NULL when it is no constant. AL_NO_VALUE: all zero. */
struct al_tensor al_graph_tensor(const struct al_graph *g, uint32_t value);
const uint32_t *al_graph_inputs(const struct al_graph *g, size_t *ret_n);
const uint32_t *al_graph_outputs(const struct al_graph *g, size_t *ret_n);
bool al_graph_is_input(const struct al_graph *g, uint32_t value);
bool al_graph_is_output(const struct al_graph *g, uint32_t value);
/* Id of the value called `name`, or AL_NO_VALUE. */
uint32_t al_graph_find(const struct al_graph *g, const char *name);
/* How many node inputs, epilogues and graph outputs read `value`. */
size_t al_graph_n_uses(const struct al_graph *g, uint32_t value);
/* Forgets the elements of constant `value`, now that its reader has made of them what it
 * needs; kept when something else reads them, too. */
void al_graph_release(struct al_graph *g, uint32_t value);
/* Every reader of `from` (nodes, epilogues, graph outputs) reads `to` instead. A graph
 * output keeps its name: when `from` is one, the names of the two values are exchanged,
 * and AL_UNSUPPORTED is the answer, nothing changed, when `to` is an output or an input
 * too. */
AL_MUST_CHECK enum al_status al_graph_replace_uses(struct al_graph *g, uint32_t from,
                                                   uint32_t to, struct al_error *err);
/* Replaces the node's input list. */
AL_MUST_CHECK enum al_status al_graph_set_inputs(struct al_graph *g, uint32_t node,
                                                 const uint32_t *inputs, size_t n,
                                                 struct al_error *err);
/* The node becomes AL_OP_NONE without inputs and outputs; values lose their producer. */
void al_graph_remove_node(struct al_graph *g, uint32_t node);
/* Turns `value` into a constant with these elements (borrowed) and removes its producer
 * link. */
void al_graph_set_constant(struct al_graph *g, uint32_t value, const struct al_tensor *t);

/* Node ids without the removed ones, producers before readers; the array lies in the
 * arena. AL_INVALID when nodes form a cycle or read a value nobody produces; names the
 * node. */
AL_MUST_CHECK enum al_status al_graph_sort(struct al_graph *g, const uint32_t **ret_order,
                                           size_t *ret_n, struct al_error *err);

/* Shape and type inference for all nodes in order, for one row. Errors name node,
 * operator and the numbers that do not fit. Inference that needs a value's contents
 * (Reshape's shape, Slice's starts …) needs it to be constant by then: al_pass_fold
 * interleaves the two. */
AL_MUST_CHECK enum al_status al_graph_infer_node(struct al_graph *g, uint32_t node,
                                                 struct al_error *err);

/* Attributes by name, with ONNX's default when absent. */
const struct al_attr *al_node_attr(const struct al_node *n, const char *name);
int64_t al_node_int(const struct al_node *n, const char *name, int64_t otherwise);
float al_node_float(const struct al_node *n, const char *name, float otherwise);
const char *al_node_string(const struct al_node *n, const char *name,
                           const char *otherwise);
/* False when absent. `*ret` points into the graph. */
bool al_node_ints(const struct al_node *n, const char *name, const int64_t **ret,
                  size_t *ret_n);
/* Whether the operator is an activation that an epilogue can do, of its first input, a
 * float; `*ret` is that epilogue. */
bool al_node_activation(const struct al_graph *g, const struct al_node *n,
                        struct al_epilogue *ret);

/* Window geometry shared by Conv and pooling: resolves kernel_shape, strides, dilations,
 * pads / auto_pad and ceil_mode against the input; inference and execution both call it.
 */
struct al_window {
    int64_t kernel[2], stride[2], dilation[2];
    int64_t pad_begin[2],
        pad_end[2]; /* height, width; pad_end includes ceil_mode's excess */
    int64_t
        excess[2]; /* how much of pad_end ceil_mode added: no part of the padded input */
    int64_t out[2];
};
AL_MUST_CHECK enum al_status al_node_window(const struct al_node *n,
                                            const struct al_shape *input,
                                            const int64_t kernel_hw[2],
                                            struct al_window *ret, struct al_error *err);

#endif
