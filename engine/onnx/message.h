/* message.h — unpacking the parts of an ONNX file with protobuf-c, one node, tensor or
 * value description at a time. protobuf-c recurses without a limit and allocates many
 * times what it reads, so each part is looked through first (subgraphs, sparse and
 * non-tensor types are refused before they recurse) and unpacked within a memory budget.
 */
#ifndef AL_ONNX_MESSAGE_H
#define AL_ONNX_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/onnx/onnx.pb-c.h"

struct al_bytes {
    const uint8_t *data;
    size_t size;
};

/* Each unpacks `b`; free the result with the function of the same family below. */
AL_MUST_CHECK enum al_status al_onnx_unpack_node(struct al_bytes b, Onnx__NodeProto **ret,
                                                 struct al_error *err);
AL_MUST_CHECK enum al_status al_onnx_unpack_value(struct al_bytes b,
                                                  Onnx__ValueInfoProto **ret,
                                                  struct al_error *err);
AL_MUST_CHECK enum al_status al_onnx_unpack_opset(struct al_bytes b,
                                                  Onnx__OperatorSetIdProto **ret,
                                                  struct al_error *err);
/* A tensor without its raw_data, which `*ret_raw` views inside `b` (data NULL: absent).
 */
AL_MUST_CHECK enum al_status al_onnx_unpack_tensor(struct al_bytes b,
                                                   Onnx__TensorProto **ret,
                                                   struct al_bytes *ret_raw,
                                                   struct al_error *err);

/* Accept NULL. */
void al_onnx_free_node(Onnx__NodeProto *m);
void al_onnx_free_value(Onnx__ValueInfoProto *m);
void al_onnx_free_opset(Onnx__OperatorSetIdProto *m);
void al_onnx_free_tensor(Onnx__TensorProto *m);

#endif
