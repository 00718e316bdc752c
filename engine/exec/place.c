#include "engine/exec/place.h"

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/exec/maps.h"
#include "engine/exec/memory.h"

uint32_t al_place_root(const struct al_builder *b, uint32_t buffer)
{
    while (b->buffers[buffer].root != buffer)
        buffer = b->buffers[buffer].root;
    return buffer;
}

uint32_t al_place_block(const struct al_builder *b, uint32_t buffer)
{
    uint32_t block = 0;

    for (; b->buffers[buffer].root != buffer; buffer = b->buffers[buffer].root)
        block += b->buffers[buffer].root_block;
    return block;
}

/* First element of a plain buffer inside its root. */
static size_t first_of(const struct al_builder *b, uint32_t buffer)
{
    size_t first = 0;

    for (; b->buffers[buffer].root != buffer; buffer = b->buffers[buffer].root)
        first += b->buffers[buffer].root_first;
    return first;
}

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

void al_place_widen(struct al_halo *halo, const struct al_halo *more)
{
    halo->top = larger(halo->top, more->top);
    halo->left = larger(halo->left, more->left);
    halo->bottom = larger(halo->bottom, more->bottom);
    halo->right = larger(halo->right, more->right);
}

void al_place_inside(struct al_builder *b, uint32_t inner, uint32_t outer, uint32_t block)
{
    b->buffers[inner].root = outer;
    b->buffers[inner].root_block = block;
    al_build_halo(b, outer, b->buffers[inner].halo);
}

/* What is known of a root and all that lies in it. */
struct extent {
    uint32_t first, last;
    uint32_t first_stage, last_stage;
    bool pinned;
};

static void extend(struct extent *e, const struct extent *more)
{
    if (more->first < e->first)
        e->first = more->first;
    if (more->last > e->last)
        e->last = more->last;
    if (more->first_stage < e->first_stage)
        e->first_stage = more->first_stage;
    if (more->last_stage > e->last_stage)
        e->last_stage = more->last_stage;
    e->pinned |= more->pinned;
}

static void measure_extents(const struct al_builder *b, struct extent *extents)
{
    for (size_t i = 0; i < b->n_buffers; i++)
        extents[i] = (struct extent){ UINT32_MAX, 0, UINT32_MAX, 0, false };
    for (uint32_t i = 0; i < b->n_buffers; i++) {
        const struct al_buffer *x = &b->buffers[i];
        struct extent own = { x->first, x->last, x->slot / AL_N_PARTS, x->last_stage,
                              x->pinned };
        extend(&extents[al_place_root(b, i)], &own);
    }
}

static bool same_halo(const struct al_halo *x, const struct al_halo *y)
{
    return x->top == y->top && x->left == y->left && x->bottom == y->bottom &&
           x->right == y->right;
}

/* The result may overwrite the operand when nobody reads the operand later. */
static bool may_overwrite(const struct al_builder *b, const struct extent *e, uint32_t in,
                          uint32_t out, uint32_t step)
{
    uint32_t root = al_place_root(b, in);
    const struct al_buffer *x = &b->buffers[root];
    const struct al_buffer *y = &b->buffers[out];

    return e->last <= step && !e->pinned && x->place.home != AL_HOME_MODEL &&
           (x->form == AL_FORM_BLOCKED) == (y->form == AL_FORM_BLOCKED) &&
           same_halo(&x->halo, &y->halo) &&
           al_value_count(al_value_of(b, x->value)) ==
               al_value_count(al_value_of(b, y->value));
}

/* A 1x1 map without halo is a plain vector already. */
static bool is_vector(const struct al_builder *b, uint32_t in)
{
    struct al_map map = al_buffer_map(b, in);

    return map.h == 1 && map.w == 1 && !al_maps_has_halo(b, in);
}

static void alias_results(struct al_builder *b, struct extent *extents)
{
    for (uint32_t i = 0; i < b->n_drafts; i++) {
        struct al_draft *d = &b->drafts[i];
        struct extent *e = &extents[al_place_root(b, d->in[0])];
        uint32_t out = d->out[0];

        if (b->buffers[out].root != out)
            continue;
        d->elided = d->vector && is_vector(b, d->in[0]);
        if (d->elided || (d->in_place && may_overwrite(b, e, d->in[0], out, i))) {
            al_place_inside(b, out, d->in[0], 0);
            extend(e, &extents[out]);
        }
    }
}

static size_t root_bytes(const struct al_builder *b, uint32_t root)
{
    const struct al_value *v = al_value_of(b, b->buffers[root].value);

    if (b->buffers[root].form != AL_FORM_BLOCKED)
        return al_value_count(v) * al_dtype_size(v->dtype);
    struct al_map map = al_buffer_map(b, root);
    return al_map_floats(&map, b->p.block) * sizeof(float);
}

static bool crosses_stages(const struct extent *e)
{
    return e->pinned || e->first_stage != e->last_stage;
}

/* Places all roots of one home; `*ret_bytes` is what a row needs there. */
static enum al_status place_home(struct al_builder *b, const struct extent *extents,
                                 enum al_home home, size_t *ret_bytes,
                                 struct al_error *err)
{
    struct al_span *spans =
        al_arena_alloc(b->temporary, b->n_buffers + 1, sizeof(*spans));
    uint32_t *owner = al_arena_alloc(b->temporary, b->n_buffers + 1, sizeof(*owner));
    size_t n = 0;

    if (!spans || !owner)
        return al_fail(err, AL_NO_MEMORY, "memory plan of %zu buffers", b->n_buffers);
    for (uint32_t i = 0; i < b->n_buffers; i++) {
        const struct extent *e = &extents[i];
        if (b->buffers[i].root != i || b->buffers[i].place.home == AL_HOME_MODEL ||
            crosses_stages(e) != (home == AL_HOME_CARRY))
            continue;
        owner[n] = i;
        spans[n++] = (struct al_span){ .bytes = root_bytes(b, i),
                                       .first = e->pinned ? 0 : e->first,
                                       .last = e->pinned ? UINT32_MAX : e->last };
    }
    enum al_status s = al_memory_place(spans, n, ret_bytes, err);
    if (s != AL_OK)
        return s;
    if (*ret_bytes > b->p.limit_bytes)
        return al_fail(err, AL_TOO_LARGE, "one row needs %zu bytes, the limit is %zu",
                       *ret_bytes, b->p.limit_bytes);
    for (size_t i = 0; i < n; i++)
        b->buffers[owner[i]].place = (struct al_place){ home, spans[i].offset, NULL };
    return AL_OK;
}

static void place_members(struct al_builder *b)
{
    for (uint32_t i = 0; i < b->n_buffers; i++) {
        uint32_t root = al_place_root(b, i);
        uint32_t block = al_place_block(b, i);

        if (root == i)
            continue;
        b->buffers[i].place = b->buffers[root].place;
        b->buffers[i].place.offset +=
            first_of(b, i) * al_dtype_size(al_value_of(b, b->buffers[i].value)->dtype);
        if (!block)
            continue;
        struct al_map plane = al_buffer_map(b, root);
        plane.c = 1;
        b->buffers[i].place.offset +=
            block * al_map_floats(&plane, b->p.block) * sizeof(float);
    }
}

enum al_status al_place_all(struct al_builder *b, struct al_plan *plan,
                            struct al_error *err)
{
    struct extent *extents =
        al_arena_alloc(b->temporary, b->n_buffers + 1, sizeof(*extents));

    if (!extents)
        return al_fail(err, AL_NO_MEMORY, "memory plan of %zu buffers", b->n_buffers);
    measure_extents(b, extents);
    alias_results(b, extents);
    enum al_status s = place_home(b, extents, AL_HOME_CARRY, &plan->carry_bytes, err);
    if (s == AL_OK)
        s = place_home(b, extents, AL_HOME_WORK, &plan->work_bytes, err);
    if (s == AL_OK)
        place_members(b);
    return s;
}
