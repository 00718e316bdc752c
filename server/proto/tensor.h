/* tensor.h — tensors of the wire into the rows of a call: every datatype of the Open
 * Inference Protocol, as JSON numbers or as bytes (little-endian). Any thread. */
#ifndef SV_PROTO_TENSOR_H
#define SV_PROTO_TENSOR_H

#include <stddef.h>

#include "engine/base/tensor.h"
#include "server/proto/call.h"
#include "server/proto/json_doc.h"

/* Where elements go, in the order they come: row after row of a call's inputs, or plain
 * memory. UINT8 elements of a model that takes images are pixels, normalised as
 * model.json says; everything else is the tensor itself, converted to FP32. */
struct sv_fill {
    enum al_dtype dtype; /* of the elements as they come */
    size_t n_rows, row_elements;
    size_t n; /* elements taken */
    float *(*row_of)(void *arg, size_t row);
    void *arg;
    const struct pk_input_spec *pixels; /* NULL: elements are no pixels */
};

/* Fills the inputs of `c`, whose rows exist. */
struct sv_fill sv_fill_call(struct sv_call *c, enum al_dtype dtype);
/* Exactly n_rows * row_elements numbers, else AL_INVALID. */
AL_MUST_CHECK enum al_status sv_fill_json(struct sv_fill *f,
                                          const struct sv_json_span *span,
                                          struct al_error *err);
AL_MUST_CHECK enum al_status sv_fill_bytes(struct sv_fill *f, const char *data,
                                           size_t size, struct al_error *err);

#endif
