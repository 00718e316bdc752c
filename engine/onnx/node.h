/* node.h — a NodeProto as a node of the graph. */
#ifndef AL_ONNX_NODE_H
#define AL_ONNX_NODE_H

#include "engine/graph/graph.h"
#include "engine/onnx/message.h"

/* Adds the node; values it names come into being when they are not there yet. `opset` is
 * the version of the file's ai.onnx operator set. Errors name node and operator. */
AL_MUST_CHECK enum al_status al_onnx_add_node(struct al_graph *g,
                                              const Onnx__NodeProto *m, int opset,
                                              struct al_error *err);

#endif
