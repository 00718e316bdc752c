#include "engine/onnx/node.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/graph/op_attr.h"
#include "engine/onnx/tensor.h"

#define MAX_ENDS  ((size_t)4096) /* inputs or outputs of one node */
#define MAX_ATTRS ((size_t)64)

/* ---- attributes ---- */

static enum al_status no_memory(struct al_error *err)
{
    return al_fail(err, AL_NO_MEMORY, "the model needs more memory than it may use");
}

static enum al_status set_string(const Onnx__AttributeProto *m, struct al_arena *arena,
                                 struct al_attr *a, struct al_error *err)
{
    a->type = AL_ATTR_STRING;
    a->s = al_arena_strndup(arena, (const char *)m->s.data, m->s.len);
    return a->s ? AL_OK : no_memory(err);
}

static enum al_status set_tensor(const Onnx__AttributeProto *m, struct al_arena *arena,
                                 struct al_attr *a, struct al_error *err)
{
    if (!m->t)
        return al_fail(err, AL_INVALID, "it has no tensor");
    struct al_bytes raw = { 0 };
    if (m->t->has_raw_data) {
        raw.data = m->t->raw_data.data ? m->t->raw_data.data : (const uint8_t *)"";
        raw.size = m->t->raw_data.len;
    }
    a->type = AL_ATTR_TENSOR;
    return al_onnx_tensor(m->t, raw, arena, &a->tensor, err);
}

static enum al_status set_attr(const Onnx__AttributeProto *m, struct al_arena *arena,
                               struct al_attr *a, struct al_error *err)
{
    a->name = m->name;
    switch ((int)m->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        a->type = AL_ATTR_INT;
        a->i = m->i;
        return AL_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        a->type = AL_ATTR_FLOAT;
        a->f = m->f;
        return AL_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        a->type = AL_ATTR_INTS;
        a->ints = m->ints;
        a->n = m->n_ints;
        return AL_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        a->type = AL_ATTR_FLOATS;
        a->floats = m->floats;
        a->n = m->n_floats;
        return AL_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        return set_string(m, arena, a, err);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        return set_tensor(m, arena, a, err);
    default:
        return al_fail(err, AL_UNSUPPORTED, "attribute type %d is not supported",
                       (int)m->type);
    }
}

static enum al_status set_attrs(const Onnx__NodeProto *m, struct al_arena *arena,
                                struct al_node *n, struct al_error *err)
{
    if (m->n_attribute > MAX_ATTRS)
        return al_fail(err, AL_TOO_LARGE, "%zu attributes", m->n_attribute);
    struct al_attr *attrs = al_arena_alloc(arena, m->n_attribute, sizeof(*attrs));
    if (!attrs)
        return no_memory(err);
    for (size_t i = 0; i < m->n_attribute; i++) {
        const Onnx__AttributeProto *a = m->attribute[i];
        if (!a->name || !*a->name)
            return al_fail(err, AL_INVALID, "attribute %zu has no name", i);
        if (a->ref_attr_name && *a->ref_attr_name)
            return al_fail(err, AL_UNSUPPORTED, "attribute '%s' refers to a function's",
                           a->name);
        enum al_status s = set_attr(a, arena, &attrs[i], err);
        if (s != AL_OK)
            return al_error_prefix(err, s, "attribute '%s'", a->name);
    }
    n->attrs = attrs;
    n->n_attrs = m->n_attribute;
    return AL_OK;
}

/* ---- inputs and outputs ---- */

static enum al_status value_called(struct al_graph *g, const char *name, uint32_t *ret,
                                   struct al_error *err)
{
    struct al_value v = { .name = name, .producer = AL_NO_NODE };

    *ret = *name ? al_graph_find(g, name) : AL_NO_VALUE;
    if (*ret != AL_NO_VALUE || !*name)
        return AL_OK;
    return al_graph_add_value(g, &v, ret, err);
}

/* Ids of `n` names; an empty name is an omitted one, and omitted ones at the end do not
 * count. */
static enum al_status values_called(struct al_graph *g, char **names, size_t n,
                                    const uint32_t **ret_ids, size_t *ret_n,
                                    struct al_error *err)
{
    while (n && !*names[n - 1])
        n--;
    if (n > MAX_ENDS)
        return al_fail(err, AL_TOO_LARGE, "%zu inputs or outputs, at most %zu", n,
                       MAX_ENDS);
    uint32_t *ids = al_arena_alloc(al_graph_arena(g), n, sizeof(*ids));
    if (!ids)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        enum al_status s = value_called(g, names[i], &ids[i], err);
        if (s != AL_OK)
            return s;
    }
    *ret_ids = ids;
    *ret_n = n;
    return AL_OK;
}

static enum al_status check_ends(const struct al_node *n, struct al_error *err)
{
    const struct al_op_info *op = al_op_info(n->op);

    if (n->n_inputs < op->min_inputs || n->n_inputs > op->max_inputs)
        return al_fail(err, AL_INVALID, "%zu inputs, not %zu to %zu", n->n_inputs,
                       op->min_inputs, op->max_inputs);
    if (n->n_outputs < op->min_outputs || n->n_outputs > op->max_outputs)
        return al_fail(err, AL_INVALID, "%zu outputs, not %zu to %zu", n->n_outputs,
                       op->min_outputs, op->max_outputs);
    bool variadic = op->max_inputs == AL_OP_MANY;
    for (size_t i = 0; i < n->n_inputs; i++)
        if (n->inputs[i] == AL_NO_VALUE && (variadic || i < op->min_inputs))
            return al_fail(err, AL_INVALID, "input %zu is missing", i);
    for (size_t i = 0; i < op->min_outputs; i++)
        if (n->outputs[i] == AL_NO_VALUE)
            return al_fail(err, AL_INVALID, "output %zu is missing", i);
    return AL_OK;
}

/* The node's operator; sets the operator set version it counts as. */
static enum al_status set_op(const Onnx__NodeProto *m, int opset, struct al_node *n,
                             struct al_error *err)
{
    const char *domain = m->domain ? m->domain : "";
    const char *type = m->op_type ? m->op_type : "";
    bool standard = !*domain || !strcmp(domain, "ai.onnx");

    n->opset = opset;
    n->op = standard ? al_op_find(type) : AL_OP_NONE;
    if (!strcmp(domain, "com.microsoft") && !strcmp(type, "Gelu")) {
        n->op = AL_OP_GELU; /* the same as ai.onnx made standard in version 20 */
        n->opset = 20;
    }
    if (n->op == AL_OP_NONE)
        return al_fail(err, AL_UNSUPPORTED, "operator '%s%s%s' is not supported", domain,
                       *domain ? "." : "", type);
    return AL_OK;
}

static enum al_status fill_node(struct al_graph *g, const Onnx__NodeProto *m, int opset,
                                struct al_node *n, struct al_error *err)
{
    enum al_status s;

    if ((s = set_op(m, opset, n, err)) != AL_OK ||
        (s = values_called(g, m->input, m->n_input, &n->inputs, &n->n_inputs, err)) !=
            AL_OK ||
        (s = values_called(g, m->output, m->n_output, &n->outputs, &n->n_outputs, err)) !=
            AL_OK ||
        (s = set_attrs(m, al_graph_arena(g), n, err)) != AL_OK ||
        (s = al_op_check_attrs(n, err)) != AL_OK)
        return s;
    return check_ends(n, err);
}

enum al_status al_onnx_add_node(struct al_graph *g, const Onnx__NodeProto *m, int opset,
                                struct al_error *err)
{
    const char *name = m->name && *m->name ? m->name
                       : m->n_output       ? m->output[0]
                                           : "(nameless)";
    struct al_node n = { .name = name };
    uint32_t id;
    enum al_status s = fill_node(g, m, opset, &n, err);

    if (s == AL_OK)
        s = al_graph_add_node(g, &n, &id, err);
    if (s != AL_OK)
        return al_error_prefix(err, s, "node '%.100s' (%.40s)", name,
                               m->op_type ? m->op_type : "no operator");
    return AL_OK;
}
