/* wire.h — walking the fields of a serialised protobuf message without unpacking it, so
 * that weights are never copied twice and hostile nesting is seen before a recursive
 * parser meets it. Bounded by the reader; no state of its own. */
#ifndef AL_ONNX_WIRE_H
#define AL_ONNX_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/reader.h"

/* Wire types (protobuf encoding guide); groups are not in use by ONNX. */
enum al_wire_type {
    AL_WIRE_VARINT = 0,
    AL_WIRE_FIXED64 = 1,
    AL_WIRE_BYTES = 2,
    AL_WIRE_FIXED32 = 5,
};

struct al_wire_field {
    uint32_t number;
    enum al_wire_type type;
    uint64_t varint;     /* AL_WIRE_VARINT */
    const uint8_t *data; /* AL_WIRE_BYTES: the payload; the fixed types: their bytes */
    size_t size;
    const uint8_t *whole; /* tag, length and payload */
    size_t whole_size;
};

/* Reads the next field; false on damage. At the end (nothing left) do not call it. */
bool al_wire_next(struct al_reader *r, struct al_wire_field *ret);

#endif
