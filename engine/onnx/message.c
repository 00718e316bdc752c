#include "engine/onnx/message.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/onnx/wire.h"

/* Field numbers of onnx.proto that are looked at before unpacking. */
enum {
    NODE_NAME = 3,
    NODE_OP_TYPE = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_GRAPH = 6,
    ATTRIBUTE_GRAPHS = 11,
    ATTRIBUTE_TYPE_PROTO = 14,
    ATTRIBUTE_TYPE_PROTOS = 15,
    ATTRIBUTE_SPARSE = 22,
    ATTRIBUTE_SPARSES = 23,
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TYPE_DENOTATION = 6,
    TENSOR_RAW_DATA = 9,
};

/* ---- memory budget ---- */

#define BUDGET_BASE  ((size_t)1 << 20)
#define BUDGET_TIMES ((size_t)16) /* one-byte varints become eight bytes, and slack */

static void *budget_alloc(void *data, size_t size)
{
    size_t *left = (size_t *)data;

    if (size > *left)
        return NULL;
    *left -= size;
    return malloc(size);
}

static void budget_free(void *data, void *p)
{
    (void)data;
    free(p);
}

static enum al_status unpack(const ProtobufCMessageDescriptor *type, struct al_bytes b,
                             ProtobufCMessage **ret, struct al_error *err)
{
    size_t left = BUDGET_BASE + BUDGET_TIMES * b.size;
    ProtobufCAllocator allocator = { budget_alloc, budget_free, &left };
    ProtobufCMessage *m = protobuf_c_message_unpack(type, &allocator, b.size, b.data);

    if (!m)
        return al_fail(err, AL_INVALID, "a damaged %s of %zu bytes", type->short_name,
                       b.size);
    *ret = m;
    return AL_OK;
}

/* ---- looking before unpacking ---- */

/* The last field `number` of `b` that holds bytes; empty when there is none. */
static struct al_bytes find_bytes(struct al_bytes b, uint32_t number)
{
    struct al_reader r = al_reader_of(b.data, b.size);
    struct al_bytes found = { 0 };
    struct al_wire_field f;

    while (al_reader_left(&r) && al_wire_next(&r, &f))
        if (f.number == number && f.type == AL_WIRE_BYTES)
            found = (struct al_bytes){ f.data, f.size };
    return found;
}

/* Arguments for "%.*s". */
#define TEXT(b) (int)((b).size < 64 ? (b).size : 64), (const char *)(b).data

static bool is_nested(uint32_t attribute_field)
{
    return attribute_field == ATTRIBUTE_GRAPH || attribute_field == ATTRIBUTE_GRAPHS ||
           attribute_field == ATTRIBUTE_TYPE_PROTO ||
           attribute_field == ATTRIBUTE_TYPE_PROTOS ||
           attribute_field == ATTRIBUTE_SPARSE || attribute_field == ATTRIBUTE_SPARSES;
}

static enum al_status check_attribute(struct al_bytes node, struct al_bytes attribute,
                                      struct al_error *err)
{
    struct al_reader r = al_reader_of(attribute.data, attribute.size);
    struct al_wire_field f;

    while (al_reader_left(&r)) {
        if (!al_wire_next(&r, &f))
            return al_fail(err, AL_INVALID, "a damaged attribute");
        if (is_nested(f.number)) {
            struct al_bytes name = find_bytes(node, NODE_NAME);
            struct al_bytes op = find_bytes(node, NODE_OP_TYPE);
            struct al_bytes attr = find_bytes(attribute, ATTRIBUTE_NAME);
            return al_fail(err, AL_UNSUPPORTED,
                           "node '%.*s' (%.*s): attribute '%.*s' holds a subgraph, a "
                           "sparse tensor or a type",
                           TEXT(name), TEXT(op), TEXT(attr));
        }
    }
    return AL_OK;
}

static enum al_status check_node(struct al_bytes b, struct al_error *err)
{
    struct al_reader r = al_reader_of(b.data, b.size);
    struct al_wire_field f;

    while (al_reader_left(&r)) {
        if (!al_wire_next(&r, &f))
            return al_fail(err, AL_INVALID, "a damaged node of %zu bytes", b.size);
        if (f.number != NODE_ATTRIBUTE || f.type != AL_WIRE_BYTES)
            continue;
        enum al_status s = check_attribute(b, (struct al_bytes){ f.data, f.size }, err);
        if (s != AL_OK)
            return s;
    }
    return AL_OK;
}

/* Sequence, map and optional types nest; only tensors are let through. */
static enum al_status check_value(struct al_bytes b, struct al_error *err)
{
    struct al_reader values = al_reader_of(b.data, b.size);
    struct al_wire_field v;

    while (al_reader_left(&values)) {
        if (!al_wire_next(&values, &v))
            return al_fail(err, AL_INVALID, "a damaged value description");
        if (v.number != VALUE_TYPE || v.type != AL_WIRE_BYTES)
            continue;
        struct al_reader types = al_reader_of(v.data, v.size);
        struct al_wire_field t;
        while (al_reader_left(&types)) {
            struct al_bytes name = find_bytes(b, VALUE_NAME);
            if (!al_wire_next(&types, &t))
                return al_fail(err, AL_INVALID, "value '%.*s': damaged type", TEXT(name));
            if (t.number != TYPE_TENSOR && t.number != TYPE_DENOTATION)
                return al_fail(err, AL_UNSUPPORTED, "value '%.*s' is not a tensor",
                               TEXT(name));
        }
    }
    return AL_OK;
}

/* ---- unpacking ---- */

enum al_status al_onnx_unpack_node(struct al_bytes b, Onnx__NodeProto **ret,
                                   struct al_error *err)
{
    ProtobufCMessage *m = NULL;
    enum al_status s = check_node(b, err);

    if (s == AL_OK)
        s = unpack(&onnx__node_proto__descriptor, b, &m, err);
    if (s == AL_OK)
        *ret = (Onnx__NodeProto *)m;
    return s;
}

enum al_status al_onnx_unpack_value(struct al_bytes b, Onnx__ValueInfoProto **ret,
                                    struct al_error *err)
{
    ProtobufCMessage *m = NULL;
    enum al_status s = check_value(b, err);

    if (s == AL_OK)
        s = unpack(&onnx__value_info_proto__descriptor, b, &m, err);
    if (s == AL_OK)
        *ret = (Onnx__ValueInfoProto *)m;
    return s;
}

enum al_status al_onnx_unpack_opset(struct al_bytes b, Onnx__OperatorSetIdProto **ret,
                                    struct al_error *err)
{
    ProtobufCMessage *m = NULL;
    enum al_status s = unpack(&onnx__operator_set_id_proto__descriptor, b, &m, err);

    if (s == AL_OK)
        *ret = (Onnx__OperatorSetIdProto *)m;
    return s;
}

/* Copies every field of `b` but raw_data to `rest` (room for all of `b`). */
static bool split_raw_data(struct al_bytes b, uint8_t *rest, size_t *ret_size,
                           struct al_bytes *ret_raw)
{
    struct al_reader r = al_reader_of(b.data, b.size);
    struct al_wire_field f;
    size_t n = 0;

    while (al_reader_left(&r)) {
        if (!al_wire_next(&r, &f))
            return false;
        if (f.number == TENSOR_RAW_DATA && f.type == AL_WIRE_BYTES) {
            *ret_raw = (struct al_bytes){ f.data, f.size };
        } else {
            if (rest)
                memcpy(rest + n, f.whole, f.whole_size);
            n += f.whole_size;
        }
    }
    *ret_size = n;
    return true;
}

enum al_status al_onnx_unpack_tensor(struct al_bytes b, Onnx__TensorProto **ret,
                                     struct al_bytes *ret_raw, struct al_error *err)
{
    struct al_bytes raw = { 0 };
    ProtobufCMessage *m = NULL;
    size_t size;

    if (!split_raw_data(b, NULL, &size, &raw))
        return al_fail(err, AL_INVALID, "a damaged tensor of %zu bytes", b.size);
    uint8_t *rest = malloc(size + 1);
    if (!rest)
        return al_fail(err, AL_NO_MEMORY, "no memory for a tensor of %zu bytes", size);
    (void)split_raw_data(b, rest, &size, &raw);
    enum al_status s =
        unpack(&onnx__tensor_proto__descriptor, (struct al_bytes){ rest, size }, &m, err);
    free(rest);
    if (s == AL_OK) {
        *ret = (Onnx__TensorProto *)m;
        *ret_raw = raw;
    }
    return s;
}

void al_onnx_free_node(Onnx__NodeProto *m)
{
    onnx__node_proto__free_unpacked(m, NULL);
}

void al_onnx_free_value(Onnx__ValueInfoProto *m)
{
    onnx__value_info_proto__free_unpacked(m, NULL);
}

void al_onnx_free_opset(Onnx__OperatorSetIdProto *m)
{
    onnx__operator_set_id_proto__free_unpacked(m, NULL);
}

void al_onnx_free_tensor(Onnx__TensorProto *m)
{
    onnx__tensor_proto__free_unpacked(m, NULL);
}
