/* A Pad of zeros before a convolution or an average pooling is padding of its own: some
 * exporters write it apart. */
#include <string.h>

#include "engine/base/arena.h"
#include "engine/graph/graph.h"
#include "engine/graph/param.h"
#include "engine/pass/pass.h"

/* More padding than this is left to the Pad. */
#define MAX_PADDING 4096

/* Rows and columns added: top, left, bottom, right, in the order of attribute "pads". */
struct frame {
    int64_t at[4];
};

/* What the Pad fills with, if it says so, is zero. */
static bool fills_with_zero(const struct al_graph *g, const struct al_node *pad)
{
    struct al_tensor fill = { 0 };

    if (pad->n_inputs > 2 && pad->inputs[2] != AL_NO_VALUE)
        fill = al_graph_tensor(g, pad->inputs[2]);
    else
        return !(al_node_float(pad, "value", 0) < 0 ||
                 al_node_float(pad, "value", 0) > 0);
    return fill.data && fill.dtype == AL_F32 && al_tensor_count(&fill) == 1 &&
           !(*(const float *)fill.data < 0 || *(const float *)fill.data > 0);
}

/* Whether `pad` does nothing but frame a picture with zeros, and how wide. */
static bool is_frame(const struct al_graph *g, const struct al_node *pad,
                     struct frame *ret)
{
    struct al_tensor in[4] = { 0 };
    struct al_pads pads;
    struct al_args a = { .node = pad, .in = in, .n_in = pad->n_inputs };

    for (size_t i = 0; i < pad->n_inputs && i < 4; i++)
        in[i] = al_graph_tensor(g, pad->inputs[i]);
    if (in[0].dtype != AL_F32 || in[0].shape.rank != 4 ||
        strcmp(al_node_string(pad, "mode", "constant"), "constant") != 0 ||
        !fills_with_zero(g, pad) || al_param_pads(&a, &pads, NULL) != AL_OK)
        return false;
    for (size_t k = 0; k < 4; k++) {
        int64_t most = k < 2 ? 0 : MAX_PADDING;

        if (pads.begin[k] < 0 || pads.begin[k] > most || pads.end[k] < 0 ||
            pads.end[k] > most)
            return false;
    }
    *ret = (struct frame){ { pads.begin[2], pads.begin[3], pads.end[2], pads.end[3] } };
    return true;
}

/* The node's own padding; false when more of it would mean something else. */
static bool can_grow(const struct al_node *n, struct frame *ret)
{
    const int64_t *pads;
    size_t n_pads = 0;
    bool some = false;

    *ret = (struct frame){ 0 };
    if (strcmp(al_node_string(n, "auto_pad", "NOTSET"), "NOTSET") != 0)
        return false;
    if (al_node_ints(n, "pads", &pads, &n_pads) && n_pads != 4)
        return false;
    for (size_t i = 0; i < n_pads; i++) {
        ret->at[i] = pads[i];
        some = some || pads[i];
    }
    if (n->op == AL_OP_CONV)
        return true;
    /* Zeros of a Pad count in the mean, those of padding only when it is said. */
    return n->op == AL_OP_AVERAGE_POOL && !al_node_int(n, "ceil_mode", 0) &&
           (!some || al_node_int(n, "count_include_pad", 0));
}

/* Replaces attribute "pads", and for pooling "count_include_pad". */
static enum al_status set_padding(struct al_graph *g, uint32_t id,
                                  const struct frame *frame, struct al_error *err)
{
    struct al_node *n = al_graph_node_mut(g, id);
    struct al_arena *arena = al_graph_arena(g);
    struct al_attr *attrs = al_arena_alloc(arena, n->n_attrs + 2, sizeof(*attrs));
    struct frame *pads = al_arena_alloc(arena, 1, sizeof(*pads));
    size_t count = 0;

    if (!attrs || !pads)
        return al_fail(err, AL_NO_MEMORY, "padding of node '%s'", n->name);
    for (size_t i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attrs[i].name, "pads") != 0 &&
            strcmp(n->attrs[i].name, "count_include_pad") != 0)
            attrs[count++] = n->attrs[i];
    *pads = *frame;
    attrs[count++] = (struct al_attr){
        .name = "pads", .type = AL_ATTR_INTS, .ints = pads->at, .n = 4
    };
    if (n->op == AL_OP_AVERAGE_POOL)
        attrs[count++] =
            (struct al_attr){ .name = "count_include_pad", .type = AL_ATTR_INT, .i = 1 };
    n->attrs = attrs;
    n->n_attrs = count;
    return AL_OK;
}

static enum al_status take_pad(struct al_graph *g, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(g, id);
    uint32_t before = al_graph_value(g, n->inputs[0])->producer;
    uint32_t inputs[3] = { 0 };
    struct frame frame, own;

    if (before == AL_NO_NODE || al_graph_node(g, before)->op != AL_OP_PAD ||
        n->n_inputs > 3 || !can_grow(n, &own) ||
        !is_frame(g, al_graph_node(g, before), &frame))
        return AL_OK;
    for (size_t i = 0; i < 4; i++)
        own.at[i] += frame.at[i];
    memcpy(inputs, n->inputs, n->n_inputs * sizeof(*inputs));
    inputs[0] = al_graph_node(g, before)->inputs[0];

    size_t n_inputs = n->n_inputs;
    enum al_status s = set_padding(g, id, &own, err);
    return s == AL_OK ? al_graph_set_inputs(g, id, inputs, n_inputs, err) : s;
}

enum al_status al_pass_pad(struct al_graph *g, struct al_error *err)
{
    enum al_status s = AL_OK;

    for (uint32_t i = 0; s == AL_OK && i < al_graph_n_nodes(g); i++) {
        enum al_op op = al_graph_node(g, i)->op;

        if (op == AL_OP_CONV || op == AL_OP_AVERAGE_POOL)
            s = take_pad(g, i, err);
    }
    return s;
}
