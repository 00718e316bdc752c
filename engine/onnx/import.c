/* Fields of a protobuf message come in any order, so the graph's are walked once for each
 * kind: constants, inputs, nodes, outputs. */
#include "engine/onnx/import.h"

#include <inttypes.h>
#include <string.h>

#include "engine/graph/graph.h"
#include "engine/onnx/message.h"
#include "engine/onnx/node.h"
#include "engine/onnx/tensor.h"
#include "engine/onnx/wire.h"

#define MAX_NODES  ((size_t)32768)
#define MAX_VALUES ((size_t)262144)

/* Field numbers of onnx.proto. */
enum {
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_SPARSE_INITIALIZER = 15,
};

struct import {
    const struct al_onnx_params *params;
    struct al_graph *g;
    struct al_bytes graph; /* the GraphProto */
    bool has_graph;
    int opset;
};

typedef enum al_status (*field_fn)(struct import *im, struct al_bytes b,
                                   struct al_error *err);

/* Calls `fn` for every field `number` of `message`. */
static enum al_status each(struct import *im, struct al_bytes message, uint32_t number,
                           field_fn fn, struct al_error *err)
{
    struct al_reader r = al_reader_of(message.data, message.size);
    struct al_wire_field f;

    while (al_reader_left(&r)) {
        size_t at = r.pos;
        if (!al_wire_next(&r, &f))
            return al_fail(
                err, AL_INVALID, "not an ONNX file, or damaged or cut short (byte %zu)",
                at + (size_t)(message.data - (const uint8_t *)im->params->bytes));
        if (f.number != number)
            continue;
        if (f.type != AL_WIRE_BYTES)
            return al_fail(err, AL_INVALID, "field %" PRIu32 " has wire type %d", number,
                           (int)f.type);
        enum al_status s = fn(im, (struct al_bytes){ f.data, f.size }, err);
        if (s != AL_OK)
            return s;
    }
    return AL_OK;
}

/* ---- model ---- */

static enum al_status take_opset(struct import *im, struct al_bytes b,
                                 struct al_error *err)
{
    Onnx__OperatorSetIdProto *m = NULL;
    enum al_status s = al_onnx_unpack_opset(b, &m, err);

    if (s != AL_OK)
        return s;
    if (!m->domain || !*m->domain || !strcmp(m->domain, "ai.onnx")) {
        if (m->version < AL_ONNX_MIN_OPSET || m->version > AL_ONNX_MAX_OPSET)
            s = al_fail(err, AL_UNSUPPORTED,
                        "operator set %" PRId64 ", only %d to %d are supported",
                        m->version, AL_ONNX_MIN_OPSET, AL_ONNX_MAX_OPSET);
        else
            im->opset = (int)m->version;
    }
    al_onnx_free_opset(m);
    return s;
}

static enum al_status take_graph(struct import *im, struct al_bytes b,
                                 struct al_error *err)
{
    if (im->has_graph)
        return al_fail(err, AL_INVALID, "the file holds two graphs");
    im->graph = b;
    im->has_graph = true;
    return AL_OK;
}

/* ---- graph ---- */

static enum al_status add_value(struct import *im, const struct al_value *v,
                                uint32_t *ret, struct al_error *err)
{
    if (al_graph_n_values(im->g) >= MAX_VALUES)
        return al_fail(err, AL_TOO_LARGE, "more than %zu values", MAX_VALUES);
    return al_graph_add_value(im->g, v, ret, err);
}

static enum al_status take_initializer(struct import *im, struct al_bytes b,
                                       struct al_error *err)
{
    Onnx__TensorProto *m = NULL;
    struct al_bytes raw = { 0 };
    struct al_tensor t;
    enum al_status s = al_onnx_unpack_tensor(b, &m, &raw, err);

    if (s != AL_OK)
        return s;
    const char *name = m->name ? m->name : "";
    s = al_onnx_tensor(m, raw, al_graph_arena(im->g), &t, err);
    if (s == AL_OK) {
        struct al_value v = { .name = name,
                              .dtype = t.dtype,
                              .has_shape = true,
                              .shape = t.shape,
                              .producer = AL_NO_NODE,
                              .data = t.data };
        uint32_t id = AL_NO_VALUE;
        s = add_value(im, &v, &id, err);
    }
    if (s != AL_OK)
        s = al_error_prefix(err, s, "initializer '%.100s'", name);
    else if (raw.size && im->params->forget)
        im->params->forget(im->params->forget_arg, raw.data, raw.size);
    al_onnx_free_tensor(m);
    return s;
}

static enum al_status refuse_sparse(struct import *im, struct al_bytes b,
                                    struct al_error *err)
{
    (void)im;
    return al_fail(err, AL_UNSUPPORTED, "a sparse initializer of %zu bytes", b.size);
}

static const struct al_shape *shape_given(const struct import *im, const char *input)
{
    for (size_t i = 0; i < im->params->n_shapes; i++)
        if (!strcmp(im->params->shapes[i].input, input))
            return &im->params->shapes[i].shape;
    return NULL;
}

/* Dimension i of an input: what the file says, or -1 when it leaves it open. */
static int64_t file_dim(const Onnx__TensorShapeProto *m, size_t i)
{
    const Onnx__TensorShapeProto__Dimension *d = m->dim[i];

    if (d->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
        return -1;
    return d->dim_value;
}

static enum al_status set_dim(struct al_value *v, size_t i, int64_t file,
                              const struct al_shape *given, struct al_error *err)
{
    int64_t dim = given ? given->dims[i] : file < 0 ? 1 : file;

    if (dim < 0 || dim > INT32_MAX)
        return al_fail(err, AL_INVALID, "dimension %zu is %" PRId64, i, dim);
    if (file >= 0 && file != dim)
        return al_fail(err, AL_INVALID,
                       "dimension %zu is %" PRId64 " in the file, %" PRId64 " was asked",
                       i, file, dim);
    v->shape.dims[i] = dim;
    return AL_OK;
}

static enum al_status set_shape(const struct import *im, const Onnx__TypeProto__Tensor *m,
                                struct al_value *v, struct al_error *err)
{
    const struct al_shape *given = shape_given(im, v->name);
    size_t count;

    if (!m->shape && !given)
        return al_fail(err, AL_INVALID, "the file gives it no shape and neither did you");
    v->shape.rank = m->shape ? m->shape->n_dim : given->rank;
    if (v->shape.rank > AL_MAX_DIMS)
        return al_fail(err, AL_UNSUPPORTED, "%zu dimensions, at most %d are supported",
                       v->shape.rank, AL_MAX_DIMS);
    if (given && given->rank != v->shape.rank)
        return al_fail(err, AL_INVALID, "%zu dimensions in the file, %zu were asked",
                       v->shape.rank, given->rank);
    for (size_t i = 0; i < v->shape.rank; i++) {
        int64_t file = m->shape ? file_dim(m->shape, i) : -1;
        enum al_status s = set_dim(v, i, file, given, err);
        if (s != AL_OK)
            return s;
        if (i == 0)
            v->batched = file < 0 && v->shape.dims[0] == 1;
    }
    v->has_shape = true;
    return al_shape_count(&v->shape, al_dtype_size(v->dtype), &count, err);
}

static enum al_status add_input(struct import *im, const Onnx__ValueInfoProto *m,
                                struct al_error *err)
{
    struct al_value v = { .name = m->name, .producer = AL_NO_NODE };
    uint32_t id = AL_NO_VALUE;

    if (!m->type || m->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return al_fail(err, AL_UNSUPPORTED, "it is not a tensor");
    v.dtype = al_dtype_of_onnx(m->type->tensor_type->elem_type);
    if (v.dtype == AL_NO_DTYPE)
        return al_fail(err, AL_UNSUPPORTED, "element type %d is not supported",
                       m->type->tensor_type->elem_type);
    enum al_status s = set_shape(im, m->type->tensor_type, &v, err);
    if (s == AL_OK)
        s = add_value(im, &v, &id, err);
    return s == AL_OK ? al_graph_add_input(im->g, id, err) : s;
}

/* An input that an initializer gives its value is a constant (files before IR 4 list all
 * weights as inputs). */
static enum al_status take_input(struct import *im, struct al_bytes b,
                                 struct al_error *err)
{
    Onnx__ValueInfoProto *m = NULL;
    enum al_status s = al_onnx_unpack_value(b, &m, err);

    if (s != AL_OK)
        return s;
    uint32_t id = m->name ? al_graph_find(im->g, m->name) : AL_NO_VALUE;
    if (!m->name || !*m->name)
        s = al_fail(err, AL_INVALID, "an input has no name");
    else if (id == AL_NO_VALUE || !al_graph_value(im->g, id)->data)
        s = add_input(im, m, err);
    if (s != AL_OK)
        s = al_error_prefix(err, s, "input '%.100s'", m->name ? m->name : "");
    al_onnx_free_value(m);
    return s;
}

static enum al_status take_node(struct import *im, struct al_bytes b,
                                struct al_error *err)
{
    Onnx__NodeProto *m = NULL;
    enum al_status s;

    if (al_graph_n_nodes(im->g) >= MAX_NODES || al_graph_n_values(im->g) >= MAX_VALUES)
        return al_fail(err, AL_TOO_LARGE, "more than %zu nodes or %zu values", MAX_NODES,
                       MAX_VALUES);
    s = al_onnx_unpack_node(b, &m, err);
    if (s == AL_OK)
        s = al_onnx_add_node(im->g, m, im->opset, err);
    al_onnx_free_node(m);
    return s;
}

static enum al_status take_output(struct import *im, struct al_bytes b,
                                  struct al_error *err)
{
    Onnx__ValueInfoProto *m = NULL;
    enum al_status s = al_onnx_unpack_value(b, &m, err);

    if (s != AL_OK)
        return s;
    const char *name = m->name ? m->name : "";
    uint32_t id = al_graph_find(im->g, name);
    if (id == AL_NO_VALUE)
        s = al_fail(err, AL_INVALID, "nothing produces output '%.100s'", name);
    else if (al_graph_is_output(im->g, id))
        s = al_fail(err, AL_INVALID, "output '%.100s' is listed twice", name);
    else
        s = al_graph_add_output(im->g, id, err);
    al_onnx_free_value(m);
    return s;
}

static enum al_status read_graph(struct import *im, struct al_error *err)
{
    static const struct {
        uint32_t number;
        field_fn fn;
    } kinds[] = {
        { GRAPH_SPARSE_INITIALIZER, refuse_sparse },
        { GRAPH_INITIALIZER, take_initializer },
        { GRAPH_INPUT, take_input },
        { GRAPH_NODE, take_node },
        { GRAPH_OUTPUT, take_output },
    };
    const uint32_t *order;
    size_t n;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        enum al_status s = each(im, im->graph, kinds[i].number, kinds[i].fn, err);
        if (s != AL_OK)
            return s;
    }
    (void)al_graph_outputs(im->g, &n);
    if (!n)
        return al_fail(err, AL_INVALID, "the graph has no outputs");
    return al_graph_sort(im->g, &order, &n, err);
}

static enum al_status read_model(struct import *im, struct al_error *err)
{
    struct al_bytes file = { im->params->bytes, im->params->n_bytes };
    enum al_status s;

    if ((s = each(im, file, MODEL_OPSET, take_opset, err)) != AL_OK ||
        (s = each(im, file, MODEL_GRAPH, take_graph, err)) != AL_OK)
        return s;
    if (!im->has_graph)
        return al_fail(err, AL_INVALID, "the file holds no graph");
    if (!im->opset)
        return al_fail(err, AL_INVALID,
                       "the file names no version of the ai.onnx operators");
    return read_graph(im, err);
}

enum al_status al_onnx_import(const struct al_onnx_params *p, struct al_graph **ret,
                              struct al_error *err)
{
    struct import im = { .params = p, .g = al_graph_new(p->limit_bytes) };

    if (!im.g)
        return al_fail(err, AL_NO_MEMORY, "no memory for a graph");
    enum al_status s = read_model(&im, err);
    if (s != AL_OK) {
        al_graph_free(im.g);
        return s;
    }
    *ret = im.g;
    return AL_OK;
}
