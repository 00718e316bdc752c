#include "engine/exec/build.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/exec/family.h"
#include "engine/exec/moved.h"
#include "engine/exec/place.h"
#include "engine/exec/reorder.h"
#include "engine/exec/selection.h"

#define TEMPORARY_BYTES ((size_t)256 << 20)

/* ---- values ---- */

uint64_t al_value_count(const struct al_value *v)
{
    uint64_t n = 1;

    for (size_t i = 0; i < v->shape.rank; i++)
        n *= (uint64_t)v->shape.dims[i];
    return n;
}

bool al_value_is_map(const struct al_value *v)
{
    const struct al_shape *s = &v->shape;

    if (v->dtype != AL_F32 || s->rank != 4 || s->dims[0] != 1)
        return false;
    for (size_t i = 1; i < 4; i++)
        if (s->dims[i] < 1 || s->dims[i] > AL_MAX_MAP_DIM)
            return false;
    return al_value_count(v) <= INT32_MAX;
}

bool al_is_float_constant(const struct al_builder *b, uint32_t value)
{
    const struct al_value *v = al_value_of(b, value);

    return v->data && v->dtype == AL_F32;
}

static struct al_post post_of(const struct al_epilogue *e)
{
    static const enum al_conv_act acts[] = {
        [AL_ACT_NONE] = AL_CONV_ACT_NONE,
        [AL_ACT_RELU] = AL_CONV_ACT_RELU,
        [AL_ACT_CLIP] = AL_CONV_ACT_CLIP,
        [AL_ACT_LEAKY_RELU] = AL_CONV_ACT_LEAKY_RELU,
        [AL_ACT_HARD_SWISH] = AL_CONV_ACT_HARD_SWISH,
        [AL_ACT_SIGMOID] = AL_CONV_ACT_SIGMOID,
        [AL_ACT_TANH] = AL_CONV_ACT_TANH,
        [AL_ACT_GELU] = AL_CONV_ACT_GELU,
        [AL_ACT_GELU_TANH] = AL_CONV_ACT_GELU_TANH,
    };

    return (struct al_post){ acts[e->act], e->a, e->b };
}

struct al_post al_post_of(const struct al_node *n)
{
    return post_of(&n->post);
}

bool al_activation_of(const struct al_builder *b, const struct al_node *n,
                      struct al_post *ret)
{
    struct al_epilogue e;

    if (n->post.act != AL_ACT_NONE || n->post.add != AL_NO_VALUE ||
        !al_node_activation(b->p.graph, n, &e))
        return false;
    *ret = post_of(&e);
    return true;
}

/* ---- memory ---- */

void *al_build_alloc(struct al_builder *b, size_t count, size_t size)
{
    return al_arena_alloc(b->p.arena, count, size);
}

void *al_build_temporary(struct al_builder *b, size_t count, size_t size)
{
    return al_arena_alloc(b->temporary, count, size);
}

const void *al_build_constant(struct al_builder *b, uint32_t value)
{
    const struct al_value *v = al_value_of(b, value);
    struct al_tensor t = { v->dtype, v->shape, NULL };
    size_t bytes = al_tensor_bytes(&t);

    if (!b->constant[value]) {
        char *copy = al_build_alloc(b, bytes + 1, 1);

        if (copy && bytes)
            memcpy(copy, v->data, bytes);
        b->constant[value] = copy;
    }
    return b->constant[value];
}

/* `*array` with room for one more of `size` bytes. */
static bool grow(void **array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return true;

    size_t more = *room ? *room * 2 : 64;
    void *bigger = reallocarray(*array, more, size);

    if (!bigger)
        return false;
    *array = bigger;
    *room = more;
    return true;
}

/* ---- buffers ---- */

static enum al_status add_buffer(struct al_builder *b, uint32_t value, enum al_form form,
                                 uint32_t *ret, struct al_error *err)
{
    void *buffers = b->buffers;

    if (!grow(&buffers, b->n_buffers, &b->room_buffers, sizeof(*b->buffers)))
        return al_fail(err, AL_NO_MEMORY, "%zu buffers", b->n_buffers);
    b->buffers = buffers;

    uint32_t id = (uint32_t)b->n_buffers++;
    uint32_t now = (uint32_t)b->n_drafts;
    b->buffers[id] = (struct al_buffer){
        .value = value,
        .form = form,
        .slot = b->slot,
        .first = now,
        .last = now,
        .last_stage = b->slot / AL_N_PARTS,
        .root = id,
        .next = b->first_buffer[value],
        .place.home = AL_HOME_WORK,
    };
    b->first_buffer[value] = id;
    *ret = id;
    return AL_OK;
}

/* What a gate or branch wrote exists only there: another row may have skipped it. What a
 * later trunk writes does not exist yet, either. */
bool al_build_sees(const struct al_builder *b, uint32_t slot)
{
    return slot == b->slot || (slot < b->slot && slot % AL_N_PARTS == AL_PART_TRUNK);
}

uint32_t al_build_find(const struct al_builder *b, uint32_t value, enum al_form form)
{
    uint32_t i = b->first_buffer[value];

    while (i != AL_NO_BUFFER &&
           (b->buffers[i].form != form || !al_build_sees(b, b->buffers[i].slot)))
        i = b->buffers[i].next;
    return i;
}

bool al_build_is_blocked(const struct al_builder *b, uint32_t value)
{
    return al_build_find(b, value, AL_FORM_BLOCKED) != AL_NO_BUFFER ||
           (al_value_is_map(al_value_of(b, value)) && al_selection_find(b, value));
}

static void mark_read(struct al_builder *b, uint32_t buffer)
{
    b->buffers[buffer].last = (uint32_t)b->n_drafts;
    b->buffers[buffer].last_stage = b->slot / AL_N_PARTS;
}

static enum al_status add_constant(struct al_builder *b, uint32_t value, uint32_t *ret,
                                   struct al_error *err)
{
    enum al_status s = add_buffer(b, value, AL_FORM_PLAIN, ret, err);

    if (s != AL_OK)
        return s;
    struct al_buffer *buffer = &b->buffers[*ret];
    const void *data = al_build_constant(b, value);
    if (!data)
        return al_fail(err, AL_NO_MEMORY, "constant '%s'", al_value_of(b, value)->name);
    buffer->slot = AL_PART_TRUNK;
    /* A place has one pointer for all homes; steps never write a model's constants. */
    buffer->place = (struct al_place){ AL_HOME_MODEL, 0, (char *)(uintptr_t)data };
    return AL_OK;
}

enum al_status al_build_read(struct al_builder *b, uint32_t value, enum al_form form,
                             uint32_t *ret, struct al_error *err)
{
    uint32_t other;
    enum al_status s;

    *ret = al_build_find(b, value, form);
    if (*ret == AL_NO_BUFFER && form == AL_FORM_PLAIN && al_value_of(b, value)->data) {
        s = add_constant(b, value, ret, err);
        if (s != AL_OK)
            return s;
    }
    const struct al_selection *selection = al_selection_find(b, value);
    if (*ret == AL_NO_BUFFER && selection &&
        al_build_find(b, value, AL_FORM_BLOCKED) == AL_NO_BUFFER) {
        s = al_selection_read(b, selection, form, ret, err);
        if (s != AL_OK)
            return s;
    }
    const struct al_moved *moved = al_moved_find(b, value);
    if (*ret == AL_NO_BUFFER && moved && form == AL_FORM_PLAIN &&
        al_build_find(b, value, AL_FORM_BLOCKED) == AL_NO_BUFFER) {
        s = al_moved_read(b, value, moved, ret, err);
        if (s != AL_OK)
            return s;
    }
    if (*ret == AL_NO_BUFFER) {
        enum al_form have = form == AL_FORM_PLAIN ? AL_FORM_BLOCKED : AL_FORM_PLAIN;

        if (!al_value_of(b, value)->data && !moved &&
            al_build_find(b, value, have) == AL_NO_BUFFER)
            return al_fail(err, AL_INTERNAL, "value '%s' is read before it is written",
                           al_value_of(b, value)->name);
        s = al_build_read(b, value, have, &other, err);
        if (s == AL_OK)
            s = al_reorder_draft(b, value, other, form, ret, err);
        if (s != AL_OK)
            return s;
    }
    mark_read(b, *ret);
    return AL_OK;
}

enum al_status al_build_write(struct al_builder *b, uint32_t value, enum al_form form,
                              uint32_t *ret, struct al_error *err)
{
    return add_buffer(b, value, form, ret, err);
}

enum al_status al_build_alias(struct al_builder *b, uint32_t value, uint32_t buffer,
                              size_t first, struct al_error *err)
{
    uint32_t id = 0;
    enum al_status s = add_buffer(b, value, AL_FORM_PLAIN, &id, err);

    if (s != AL_OK)
        return s;
    b->buffers[id].root = buffer;
    b->buffers[id].root_first = first;
    return AL_OK;
}

void al_build_halo(struct al_builder *b, uint32_t buffer, struct al_halo halo)
{
    al_place_widen(&b->buffers[al_place_root(b, buffer)].halo, &halo);
}

struct al_map al_buffer_map(const struct al_builder *b, uint32_t buffer)
{
    const int64_t *d = al_value_of(b, b->buffers[buffer].value)->shape.dims;

    return (struct al_map){ (int32_t)d[1], (int32_t)d[2], (int32_t)d[3],
                            b->buffers[al_place_root(b, buffer)].halo };
}

uint32_t al_build_sole_reader(const struct al_builder *b, uint32_t value)
{
    const struct al_stages *st = b->p.stages;

    if (al_graph_n_uses(b->p.graph, value) != 1)
        return AL_NO_NODE;
    for (size_t i = 0; i < st->n_nodes; i++) {
        const struct al_node *n = al_graph_node(b->p.graph, st->nodes[i]);

        for (size_t k = 0; st->slots[i] == b->slot && k < n->n_inputs; k++)
            if (n->inputs[k] == value)
                return st->nodes[i];
    }
    return AL_NO_NODE;
}

/* ---- drafts ---- */

static const uint32_t *copy_ids(struct al_builder *b, const uint32_t *ids, size_t n)
{
    uint32_t *copy = al_arena_alloc(b->temporary, n + 1, sizeof(*copy));

    if (copy && n)
        memcpy(copy, ids, n * sizeof(*copy));
    return copy;
}

enum al_status al_build_step(struct al_builder *b, uint32_t node, const uint32_t *in,
                             size_t n_in, const uint32_t *out, size_t n_out,
                             al_finish_fn finish, struct al_draft **ret_draft,
                             struct al_error *err)
{
    void *drafts = b->drafts;
    const uint32_t *ins = copy_ids(b, in, n_in);
    const uint32_t *outs = copy_ids(b, out, n_out);

    if (!ins || !outs || !grow(&drafts, b->n_drafts, &b->room_drafts, sizeof(*b->drafts)))
        return al_fail(err, AL_NO_MEMORY, "%zu steps", b->n_drafts);
    b->drafts = drafts;

    struct al_draft *d = &b->drafts[b->n_drafts];
    *d = (struct al_draft){
        .node = node,
        .in = ins,
        .out = outs,
        .finish = finish,
        .step = {
            .n_in = (uint32_t)n_in,
            .n_out = (uint32_t)n_out,
            .slot = b->slot,
            .kind = b->kind,
            .shape = al_value_of(b, b->buffers[out[0]].value)->shape,
        },
    };
    for (size_t i = 0; i < n_in; i++)
        mark_read(b, in[i]);
    for (size_t i = 0; i < n_out; i++)
        b->buffers[out[i]].last = (uint32_t)b->n_drafts;
    b->n_drafts++;
    *ret_draft = d;
    return AL_OK;
}

/* ---- the whole graph ---- */

static enum al_status lower_node(struct al_builder *b, uint32_t id, struct al_error *err)
{
#define X(name) &al_family_##name,
    static const struct al_family *const families[] = { AL_FAMILY_LIST(X) };
#undef X
#define X(name) #name,
    static const char *const names[] = { AL_FAMILY_LIST(X) };
#undef X
    const struct al_node *n = al_graph_node(b->p.graph, id);
    size_t i = 0;

    while (!families[i]->fits(b, n))
        i++;
    b->kind = names[i];
    enum al_status s = families[i]->lower(b, id, err);
    return s == AL_OK ? s
                      : al_error_prefix(err, s, "node '%s' (%s)", n->name,
                                        al_op_info(n->op)->name);
}

static enum al_status add_inputs(struct al_builder *b, struct al_error *err)
{
    size_t n;
    const uint32_t *inputs = al_graph_inputs(b->p.graph, &n);

    for (size_t i = 0; i < n; i++) {
        uint32_t id;
        enum al_status s = add_buffer(b, inputs[i], AL_FORM_PLAIN, &id, err);
        if (s != AL_OK)
            return s;
        b->buffers[id].pinned = true;
    }
    return AL_OK;
}

/* What the caller reads at the end of a part must exist in plain form by then. */
static enum al_status read_results(struct al_builder *b, uint32_t slot,
                                   struct al_error *err)
{
    uint32_t stage = slot / AL_N_PARTS;
    enum al_part part = slot % AL_N_PARTS;
    const uint32_t *results = part == AL_PART_GATE ? b->p.gates : b->p.exits;
    uint32_t id;

    if (part == AL_PART_TRUNK)
        return AL_OK;
    if (results)
        return results[stage] == AL_NO_VALUE
                   ? AL_OK
                   : al_build_read(b, results[stage], AL_FORM_PLAIN, &id, err);
    if (part == AL_PART_GATE || b->p.exits)
        return AL_OK;

    size_t n;
    const uint32_t *outputs = al_graph_outputs(b->p.graph, &n);
    for (size_t i = 0; i < n; i++) {
        enum al_status s = al_build_read(b, outputs[i], AL_FORM_PLAIN, &id, err);
        if (s != AL_OK)
            return s;
        b->buffers[id].pinned = true;
    }
    return AL_OK;
}

static enum al_status lower_all(struct al_builder *b, struct al_error *err)
{
    const struct al_stages *st = b->p.stages;
    enum al_status s = add_inputs(b, err);
    size_t i = 0;

    for (uint32_t slot = 0; slot < st->n_stages * AL_N_PARTS; slot++) {
        b->slot = slot;
        for (; s == AL_OK && i < st->n_nodes && st->slots[i] == slot; i++)
            s = lower_node(b, st->nodes[i], err);
        if (s == AL_OK)
            s = read_results(b, slot, err);
    }
    return s;
}

static enum al_status builder_init(struct al_builder *b, struct al_error *err)
{
    size_t n_values = al_graph_n_values(b->p.graph);

    b->kern = al_kern_get(b->p.cpu_flags, b->p.block);
    b->temporary = al_arena_new(TEMPORARY_BYTES);
    if (!b->temporary)
        return al_fail(err, AL_NO_MEMORY, "plan");
    b->first_buffer = al_arena_alloc(b->temporary, n_values + 1, sizeof(uint32_t));
    b->constant = al_arena_alloc(b->temporary, n_values + 1, sizeof(char *));
    b->selections =
        al_arena_alloc(b->temporary, n_values + 1, sizeof(struct al_selection *));
    b->moved = al_arena_alloc(b->temporary, n_values + 1, sizeof(struct al_moved *));
    if (!b->first_buffer || !b->constant || !b->selections || !b->moved)
        return al_fail(err, AL_NO_MEMORY, "plan of %zu values", n_values);
    for (size_t i = 0; i < n_values; i++)
        b->first_buffer[i] = AL_NO_BUFFER;
    return AL_OK;
}

enum al_status al_plan_build(const struct al_build_params *p, struct al_plan *ret,
                             struct al_error *err)
{
    struct al_builder b = { .p = *p };
    enum al_status s = builder_init(&b, err);

    if (s == AL_OK)
        s = lower_all(&b, err);
    if (s == AL_OK)
        s = al_place_all(&b, ret, err);
    if (s == AL_OK)
        s = al_finish_all(&b, ret, err);
    free(b.buffers);
    free(b.drafts);
    al_arena_free(b.temporary);
    return s;
}
