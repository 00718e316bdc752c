/* tensor.h — a TensorProto's elements as a row-major tensor in an arena. Element types
 * are kept as they are (float16 and bfloat16 too). The claimed shape is held against the
 * bytes that are there before anything is allocated. */
#ifndef AL_ONNX_TENSOR_H
#define AL_ONNX_TENSOR_H

#include "engine/base/tensor.h"
#include "engine/onnx/message.h"

struct al_arena;

/* `raw` views the raw_data, wherever it lies; data NULL: the typed fields hold the
 * elements. */
AL_MUST_CHECK enum al_status al_onnx_tensor(const Onnx__TensorProto *m,
                                            struct al_bytes raw, struct al_arena *arena,
                                            struct al_tensor *ret, struct al_error *err);

#endif
