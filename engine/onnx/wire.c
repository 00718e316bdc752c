#include "engine/onnx/wire.h"

static bool read_varint(struct al_reader *r, uint64_t *ret)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;
        if (!al_reader_u8(r, &byte))
            return false;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret = v;
            return true;
        }
    }
    return false;
}

static bool read_payload(struct al_reader *r, unsigned type, struct al_wire_field *f)
{
    uint64_t size;

    switch (type) {
    case AL_WIRE_VARINT:
        f->type = AL_WIRE_VARINT;
        return read_varint(r, &f->varint);
    case AL_WIRE_FIXED64:
        f->type = AL_WIRE_FIXED64;
        f->size = 8;
        break;
    case AL_WIRE_FIXED32:
        f->type = AL_WIRE_FIXED32;
        f->size = 4;
        break;
    case AL_WIRE_BYTES:
        f->type = AL_WIRE_BYTES;
        if (!read_varint(r, &size) || size > al_reader_left(r))
            return false;
        f->size = (size_t)size;
        break;
    default:
        return false;
    }
    return al_reader_bytes(r, f->size, &f->data);
}

bool al_wire_next(struct al_reader *r, struct al_wire_field *ret)
{
    struct al_wire_field f = { .whole = r->data + r->pos };
    size_t start = r->pos;
    uint64_t tag;

    if (!read_varint(r, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
        return false;
    f.number = (uint32_t)(tag >> 3);
    if (!read_payload(r, (unsigned)(tag & 7), &f))
        return false;
    f.whole_size = r->pos - start;
    *ret = f;
    return true;
}
