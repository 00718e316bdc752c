#include "engine/exec/selection.h"

#include "engine/exec/place.h"

struct gather_args {
    struct al_gather gather;
    size_t n_sources;
    void (*run)(const struct al_gather *g, const float *const *x, float *y);
};

/* What finishing a gather needs: the channels by source, an index into the step's in. */
struct drafted {
    struct al_channel_from *from;
    size_t n;
};

const struct al_selection *al_selection_find(const struct al_builder *b, uint32_t value)
{
    const struct al_selection *s = b->selections[value];

    while (s && !al_build_sees(b, s->slot))
        s = s->next;
    return s;
}

enum al_status al_selection_add(struct al_builder *b, uint32_t value, uint32_t node,
                                const struct al_channel *at, size_t n,
                                struct al_error *err)
{
    struct al_selection *s = al_build_temporary(b, 1, sizeof(*s));

    if (!s)
        return al_fail(err, AL_NO_MEMORY, "a list of %zu channels", n);
    *s = (struct al_selection){ value, node, b->slot, n, at, b->selections[value] };
    b->selections[value] = s;
    return AL_OK;
}

/* ---- running ---- */

static void run_gather(const struct al_step *s, struct al_run *r)
{
    const struct gather_args *a = s->args;

    for (size_t i = 0; i < r->n; i++) {
        for (size_t k = 0; k < a->n_sources; k++)
            r->x[k] = al_at(&s->in[k], &r->lanes[i]);
        a->run(&a->gather, r->x, al_at(&s->out[0], &r->lanes[i]));
    }
}

/* ---- building ---- */

static enum al_status finish_gather(struct al_builder *b, struct al_draft *d,
                                    struct al_error *err)
{
    const struct drafted *own = d->own;
    struct gather_args *a = al_build_alloc(b, 1, sizeof(*a));
    struct al_map *x = al_build_alloc(b, d->step.n_in, sizeof(*x));
    struct al_channel_from *from = al_build_alloc(b, own->n, sizeof(*from));

    if (!a || !x || !from)
        return al_fail(err, AL_NO_MEMORY, "a gather of %zu channels", own->n);
    for (size_t i = 0; i < d->step.n_in; i++)
        x[i] = al_buffer_map(b, d->in[i]);
    for (size_t i = 0; i < own->n; i++)
        from[i] = own->from[i];
    a->gather = (struct al_gather){ .x = x, .from = from };
    if (b->buffers[d->out[0]].form == AL_FORM_BLOCKED) {
        a->gather.y = al_buffer_map(b, d->out[0]);
        a->run = b->kern->gather_channels;
    } else {
        a->gather.y = (struct al_map){ .c = (int32_t)own->n, .h = x[0].h, .w = x[0].w };
        a->run = b->kern->gather_planes;
    }
    a->n_sources = d->step.n_in;
    d->step.n_pointers = a->n_sources;
    d->step.run = run_gather;
    d->step.args = a;
    d->step.kernel = b->kern->name;
    return AL_OK;
}

/* Index of `buffer` among the sources, where it is added when it is new. */
static uint32_t source_of(uint32_t *sources, size_t *n, uint32_t buffer)
{
    uint32_t i = 0;

    while (i < *n && sources[i] != buffer)
        i++;
    if (i == *n)
        sources[(*n)++] = buffer;
    return i;
}

static enum al_status draft_gather(struct al_builder *b, const struct al_selection *s,
                                   enum al_form form, uint32_t *ret, struct al_error *err)
{
    struct drafted *own = al_build_temporary(b, 1, sizeof(*own));
    uint32_t *sources = al_build_temporary(b, s->n, sizeof(*sources));
    size_t n = 0;
    struct al_draft *d;
    enum al_status status;

    if (own)
        own->from = al_build_temporary(b, s->n, sizeof(*own->from));
    if (!own || !sources || !own->from)
        return al_fail(err, AL_NO_MEMORY, "a gather of %zu channels", s->n);
    own->n = s->n;
    for (size_t i = 0; i < s->n; i++) {
        uint32_t source = source_of(sources, &n, s->at[i].buffer);
        own->from[i] = (struct al_channel_from){ source, s->at[i].channel };
    }
    status = al_build_write(b, s->value, form, ret, err);
    if (status == AL_OK)
        status = al_build_step(b, s->node, sources, n, ret, 1, finish_gather, &d, err);
    if (status != AL_OK)
        return status;
    d->own = own;
    d->step.kind = "gather";
    return AL_OK;
}

static int32_t channels_of(const struct al_builder *b, uint32_t buffer)
{
    return (int32_t)al_value_of(b, b->buffers[buffer].value)->shape.dims[1];
}

/* Whether the channels are a run of one buffer's. */
static bool is_run(const struct al_selection *s)
{
    for (size_t i = 1; i < s->n; i++)
        if (s->at[i].buffer != s->at[0].buffer ||
            s->at[i].channel != s->at[0].channel + (int32_t)i)
            return false;
    return true;
}

/* Whether the run has blocks of its own, with nothing in the lanes after its last. */
static bool has_own_blocks(const struct al_builder *b, const struct al_selection *s)
{
    const int32_t first = s->at[0].channel, end = first + (int32_t)s->n;

    return first % b->p.block == 0 &&
           (end % b->p.block == 0 || end == channels_of(b, s->at[0].buffer));
}

static enum al_status alias_blocks(struct al_builder *b, const struct al_selection *s,
                                   uint32_t *ret, struct al_error *err)
{
    enum al_status status = al_build_write(b, s->value, AL_FORM_BLOCKED, ret, err);

    if (status == AL_OK)
        al_place_inside(b, *ret, s->at[0].buffer,
                        (uint32_t)(s->at[0].channel / b->p.block));
    return status;
}

static enum al_status alias_plain(struct al_builder *b, const struct al_selection *s,
                                  uint32_t *ret, struct al_error *err)
{
    uint32_t whole;
    enum al_status status =
        al_build_read(b, b->buffers[s->at[0].buffer].value, AL_FORM_PLAIN, &whole, err);

    if (status == AL_OK)
        status = al_build_alias(b, s->value, whole, 0, err);
    *ret = al_build_find(b, s->value, AL_FORM_PLAIN);
    return status;
}

enum al_status al_selection_read(struct al_builder *b, const struct al_selection *s,
                                 enum al_form form, uint32_t *ret, struct al_error *err)
{
    if (is_run(s) && form == AL_FORM_BLOCKED && has_own_blocks(b, s))
        return alias_blocks(b, s, ret, err);
    if (is_run(s) && form == AL_FORM_PLAIN &&
        (int32_t)s->n == channels_of(b, s->at[0].buffer))
        return alias_plain(b, s, ret, err);
    return draft_gather(b, s, form, ret, err);
}
