/* Tables that grow by doubling inside the arena, and an open-addressing hash of value
 * names: a slot holds a value's id, or AL_NO_VALUE when empty; nothing is ever deleted.
 */
#include "engine/graph/graph.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"

struct id_list {
    uint32_t *ids;
    size_t n, capacity;
};

struct al_graph {
    struct al_arena *arena;
    struct al_value *values;
    size_t n_values, values_capacity;
    struct al_node *nodes;
    size_t n_nodes, nodes_capacity;
    struct id_list inputs, outputs;
    uint32_t *slots;
    size_t n_slots; /* a power of two, at least twice n_values; 0 before the first */
};

struct al_graph *al_graph_new(size_t limit_bytes)
{
    struct al_arena *arena = al_arena_new(limit_bytes);
    struct al_graph *g = arena ? al_arena_alloc(arena, 1, sizeof(*g)) : NULL;

    if (!g) {
        al_arena_free(arena);
        return NULL;
    }
    g->arena = arena;
    return g;
}

void al_graph_free(struct al_graph *g)
{
    if (g)
        al_arena_free(g->arena);
}

struct al_arena *al_graph_arena(struct al_graph *g)
{
    return g->arena;
}

static enum al_status out_of_memory(struct al_error *err)
{
    return al_fail(err, AL_NO_MEMORY, "the model needs more memory than it may use");
}

/* Room for one more item of `size` bytes behind `n`; NULL past the arena's limit. */
static void *grown(struct al_graph *g, void *items, size_t n, size_t *capacity,
                   size_t size)
{
    if (n < *capacity)
        return items;

    size_t bigger = *capacity ? *capacity * 2 : 32;
    void *p = al_arena_alloc(g->arena, bigger, size);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, items, n * size);
    *capacity = bigger;
    return p;
}

/* ---- names ---- */

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const char *s)
{
    uint64_t h = 0xcbf29ce484222325U;

    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3U;
    return h;
}

/* The slot that holds `name` or, when it is unknown, the empty one where it belongs. */
static uint32_t *slot_of(const struct al_graph *g, const char *name)
{
    size_t i = hash_of(name) & (g->n_slots - 1);

    while (g->slots[i] != AL_NO_VALUE && strcmp(g->values[g->slots[i]].name, name) != 0)
        i = (i + 1) & (g->n_slots - 1);
    return &g->slots[i];
}

static bool make_slots(struct al_graph *g)
{
    if (2 * (g->n_values + 1) <= g->n_slots)
        return true;

    size_t n = g->n_slots ? 2 * g->n_slots : 64;
    uint32_t *slots = al_arena_alloc(g->arena, n, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < n; i++)
        slots[i] = AL_NO_VALUE;
    g->slots = slots;
    g->n_slots = n;
    for (size_t id = 0; id < g->n_values; id++)
        *slot_of(g, g->values[id].name) = (uint32_t)id;
    return true;
}

uint32_t al_graph_find(const struct al_graph *g, const char *name)
{
    return g->n_slots ? *slot_of(g, name) : AL_NO_VALUE;
}

/* A name nobody has, for a value that a pass invents. */
static void invent_name(const struct al_graph *g, char *buf, size_t size)
{
    for (size_t i = g->n_values;; i++) {
        (void)snprintf(buf, size, "#%zu", i);
        if (al_graph_find(g, buf) == AL_NO_VALUE)
            return;
    }
}

static void exchange_names(struct al_graph *g, uint32_t a, uint32_t b)
{
    uint32_t *slot_a = slot_of(g, g->values[a].name);
    uint32_t *slot_b = slot_of(g, g->values[b].name);
    const char *name = g->values[a].name;

    g->values[a].name = g->values[b].name;
    g->values[b].name = name;
    *slot_a = b;
    *slot_b = a;
}

/* ---- building ---- */

enum al_status al_graph_add_value(struct al_graph *g, const struct al_value *v,
                                  uint32_t *ret_id, struct al_error *err)
{
    char invented[32];
    const char *name = v->name;

    if (!name) {
        invent_name(g, invented, sizeof(invented));
        name = invented;
    }
    if (al_graph_find(g, name) != AL_NO_VALUE)
        return al_fail(err, AL_INVALID, "two values are called '%s'", name);

    struct al_value *values =
        grown(g, g->values, g->n_values, &g->values_capacity, sizeof(*values));
    if (!values)
        return out_of_memory(err);
    g->values = values;
    const char *copy = al_arena_strndup(g->arena, name, strlen(name));
    if (!copy || !make_slots(g))
        return out_of_memory(err);

    uint32_t id = (uint32_t)g->n_values;
    *slot_of(g, copy) = id;
    g->values[id] = *v;
    g->values[id].name = copy;
    g->n_values++;
    *ret_id = id;
    return AL_OK;
}

static const void *copied(struct al_graph *g, const void *items, size_t n, size_t size)
{
    void *p = al_arena_alloc(g->arena, n, size);

    if (p && n)
        memcpy(p, items, n * size);
    return p;
}

static bool copy_attr(struct al_graph *g, struct al_attr *a)
{
    a->name = al_arena_strndup(g->arena, a->name, strlen(a->name));
    if (a->s)
        a->s = al_arena_strndup(g->arena, a->s, strlen(a->s));
    if (a->type == AL_ATTR_INTS)
        a->ints = copied(g, a->ints, a->n, sizeof(*a->ints));
    if (a->type == AL_ATTR_FLOATS)
        a->floats = copied(g, a->floats, a->n, sizeof(*a->floats));
    return a->name && (a->type != AL_ATTR_STRING || a->s) &&
           (a->type != AL_ATTR_INTS || a->ints) &&
           (a->type != AL_ATTR_FLOATS || a->floats);
}

static bool copy_node(struct al_graph *g, struct al_node *n)
{
    struct al_attr *attrs = al_arena_alloc(g->arena, n->n_attrs, sizeof(*attrs));

    n->name = al_arena_strndup(g->arena, n->name, strlen(n->name));
    n->inputs = copied(g, n->inputs, n->n_inputs, sizeof(*n->inputs));
    n->outputs = copied(g, n->outputs, n->n_outputs, sizeof(*n->outputs));
    if (!attrs || !n->name || !n->inputs || !n->outputs)
        return false;
    for (size_t i = 0; i < n->n_attrs; i++) {
        attrs[i] = n->attrs[i];
        if (!copy_attr(g, &attrs[i]))
            return false;
    }
    n->attrs = attrs;
    return true;
}

enum al_status al_graph_add_node(struct al_graph *g, const struct al_node *node,
                                 uint32_t *ret_id, struct al_error *err)
{
    struct al_node copy = *node;
    uint32_t id = (uint32_t)g->n_nodes;

    for (size_t i = 0; i < node->n_outputs; i++) {
        const struct al_value *v =
            node->outputs[i] == AL_NO_VALUE ? NULL : &g->values[node->outputs[i]];
        if (v && (v->producer != AL_NO_NODE || v->data ||
                  al_graph_is_input(g, node->outputs[i])))
            return al_fail(err, AL_INVALID, "node '%s': value '%s' is produced twice",
                           node->name, v->name);
    }
    struct al_node *nodes =
        grown(g, g->nodes, g->n_nodes, &g->nodes_capacity, sizeof(*nodes));
    if (!nodes)
        return out_of_memory(err);
    g->nodes = nodes;
    if (!copy_node(g, &copy))
        return out_of_memory(err);
    copy.post = (struct al_epilogue){ .act = AL_ACT_NONE, .add = AL_NO_VALUE };
    for (size_t i = 0; i < copy.n_outputs; i++)
        if (copy.outputs[i] != AL_NO_VALUE)
            g->values[copy.outputs[i]].producer = id;
    g->nodes[id] = copy;
    g->n_nodes++;
    *ret_id = id;
    return AL_OK;
}

static enum al_status append_id(struct al_graph *g, struct id_list *list, uint32_t id,
                                struct al_error *err)
{
    uint32_t *ids = grown(g, list->ids, list->n, &list->capacity, sizeof(*ids));

    if (!ids)
        return out_of_memory(err);
    list->ids = ids;
    list->ids[list->n++] = id;
    return AL_OK;
}

enum al_status al_graph_add_input(struct al_graph *g, uint32_t value,
                                  struct al_error *err)
{
    return append_id(g, &g->inputs, value, err);
}

enum al_status al_graph_add_output(struct al_graph *g, uint32_t value,
                                   struct al_error *err)
{
    return append_id(g, &g->outputs, value, err);
}

/* ---- reading ---- */

size_t al_graph_n_values(const struct al_graph *g)
{
    return g->n_values;
}

size_t al_graph_n_nodes(const struct al_graph *g)
{
    return g->n_nodes;
}

const struct al_value *al_graph_value(const struct al_graph *g, uint32_t id)
{
    return &g->values[id];
}

const struct al_node *al_graph_node(const struct al_graph *g, uint32_t id)
{
    return &g->nodes[id];
}

struct al_value *al_graph_value_mut(struct al_graph *g, uint32_t id)
{
    return &g->values[id];
}

struct al_node *al_graph_node_mut(struct al_graph *g, uint32_t id)
{
    return &g->nodes[id];
}

struct al_tensor al_graph_tensor(const struct al_graph *g, uint32_t value)
{
    if (value == AL_NO_VALUE)
        return (struct al_tensor){ 0 };

    const struct al_value *v = &g->values[value];
    return (struct al_tensor){ v->dtype, v->shape, (void *)(uintptr_t)v->data };
}

const uint32_t *al_graph_inputs(const struct al_graph *g, size_t *ret_n)
{
    *ret_n = g->inputs.n;
    return g->inputs.ids;
}

const uint32_t *al_graph_outputs(const struct al_graph *g, size_t *ret_n)
{
    *ret_n = g->outputs.n;
    return g->outputs.ids;
}

static bool list_has(const struct id_list *list, uint32_t id)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->ids[i] == id)
            return true;
    return false;
}

bool al_graph_is_input(const struct al_graph *g, uint32_t value)
{
    return list_has(&g->inputs, value);
}

bool al_graph_is_output(const struct al_graph *g, uint32_t value)
{
    return list_has(&g->outputs, value);
}

size_t al_graph_n_uses(const struct al_graph *g, uint32_t value)
{
    size_t uses = 0;

    for (size_t i = 0; i < g->n_nodes; i++) {
        const struct al_node *n = &g->nodes[i];
        if (n->op == AL_OP_NONE)
            continue;
        for (size_t j = 0; j < n->n_inputs; j++)
            uses += n->inputs[j] == value;
        uses += n->post.add == value;
    }
    for (size_t i = 0; i < g->outputs.n; i++)
        uses += g->outputs.ids[i] == value;
    return uses;
}

/* ---- changing ---- */

void al_graph_release(struct al_graph *g, uint32_t value)
{
    struct al_value *v = &g->values[value];

    if (!v->data || al_graph_n_uses(g, value) > 1)
        return;
    /* Constants lie in the graph's own arena; `data` is const for readers only. */
    al_arena_release(g->arena, (void *)(uintptr_t)v->data);
    v->data = NULL;
}

enum al_status al_graph_set_inputs(struct al_graph *g, uint32_t node,
                                   const uint32_t *inputs, size_t n, struct al_error *err)
{
    const uint32_t *copy = copied(g, inputs, n, sizeof(*inputs));

    if (!copy)
        return out_of_memory(err);
    g->nodes[node].inputs = copy;
    g->nodes[node].n_inputs = n;
    return AL_OK;
}

static bool may_exchange_names(const struct al_graph *g, uint32_t a, uint32_t b)
{
    return !al_graph_is_input(g, a) && !al_graph_is_input(g, b) &&
           !(al_graph_is_output(g, a) && al_graph_is_output(g, b));
}

static enum al_status replace_in_node(struct al_graph *g, uint32_t node, uint32_t from,
                                      uint32_t to, struct al_error *err)
{
    struct al_node *n = &g->nodes[node];

    if (n->post.add == from)
        n->post.add = to;
    for (size_t i = 0; i < n->n_inputs; i++) {
        if (n->inputs[i] != from)
            continue;
        uint32_t *inputs = al_arena_alloc(g->arena, n->n_inputs, sizeof(*inputs));
        if (!inputs)
            return out_of_memory(err);
        for (size_t j = 0; j < n->n_inputs; j++)
            inputs[j] = n->inputs[j] == from ? to : n->inputs[j];
        n->inputs = inputs;
        break;
    }
    return AL_OK;
}

enum al_status al_graph_replace_uses(struct al_graph *g, uint32_t from, uint32_t to,
                                     struct al_error *err)
{
    bool from_is_output = al_graph_is_output(g, from);

    if (from_is_output && !may_exchange_names(g, from, to))
        return al_fail(err, AL_UNSUPPORTED, "output '%s' cannot take the place of '%s'",
                       g->values[from].name, g->values[to].name);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        enum al_status s = replace_in_node(g, i, from, to, err);
        if (s != AL_OK)
            return s;
    }
    for (size_t i = 0; i < g->outputs.n; i++)
        if (g->outputs.ids[i] == from)
            g->outputs.ids[i] = to;
    if (from_is_output)
        exchange_names(g, from, to);
    return AL_OK;
}

void al_graph_remove_node(struct al_graph *g, uint32_t node)
{
    struct al_node *n = &g->nodes[node];

    for (size_t i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != AL_NO_VALUE && g->values[n->outputs[i]].producer == node)
            g->values[n->outputs[i]].producer = AL_NO_NODE;
    *n = (struct al_node){ .op = AL_OP_NONE,
                           .name = n->name,
                           .post = { .add = AL_NO_VALUE } };
}

void al_graph_set_constant(struct al_graph *g, uint32_t value, const struct al_tensor *t)
{
    struct al_value *v = &g->values[value];

    v->dtype = t->dtype;
    v->shape = t->shape;
    v->has_shape = true;
    v->data = t->data;
    v->producer = AL_NO_NODE;
}
