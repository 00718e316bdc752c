/* import.h — an ONNX file's bytes become a graph. What is not understood is refused with
 * node, operator and reason; the file may be hostile. The graph borrows nothing: weights
 * are copied into its arena and the bytes may go away. */
#ifndef AL_ONNX_IMPORT_H
#define AL_ONNX_IMPORT_H

#include <stddef.h>

#include "engine/base/status.h"
#include "engine/base/tensor.h"

struct al_graph;

#define AL_ONNX_MIN_OPSET 7
#define AL_ONNX_MAX_OPSET 22

/* The concrete shape of an input whose file leaves dimensions open. */
struct al_onnx_shape {
    const char *input;
    struct al_shape shape;
};

struct al_onnx_params {
    const void *bytes;
    size_t n_bytes;
    /* Inputs not named here get 1 for each open dimension. */
    const struct al_onnx_shape *shapes;
    size_t n_shapes;
    size_t limit_bytes; /* of everything the graph will ever allocate */
    /* Told, if set, which bytes of the file will not be read again. */
    void (*forget)(void *arg, const void *bytes, size_t n);
    void *forget_arg;
};

/* Nodes are in the file's order and known to have no cycle; only inputs and constants
 * have shapes yet. Free with al_graph_free(). */
AL_MUST_CHECK enum al_status al_onnx_import(const struct al_onnx_params *p,
                                            struct al_graph **ret, struct al_error *err);

#endif
