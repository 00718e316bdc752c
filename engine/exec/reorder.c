#include "engine/exec/reorder.h"

struct reorder_args {
    struct al_map map; /* of the blocked side */
    void (*reorder)(const struct al_map *m, const float *x, float *y);
};

static void run_reorder(const struct al_step *s, struct al_run *r)
{
    const struct reorder_args *a = s->args;

    for (size_t i = 0; i < r->n; i++)
        a->reorder(&a->map, al_at(&s->in[0], &r->lanes[i]),
                   al_at(&s->out[0], &r->lanes[i]));
}

static enum al_status finish_reorder(struct al_builder *b, struct al_draft *d,
                                     struct al_error *err)
{
    bool packs = b->buffers[d->out[0]].form == AL_FORM_BLOCKED;
    struct reorder_args *a = al_build_alloc(b, 1, sizeof(*a));

    if (!a)
        return al_fail(err, AL_NO_MEMORY, "a reorder");
    d->step.kernel = b->kern->name;
    d->step.args = a;
    a->map = al_buffer_map(b, packs ? d->out[0] : d->in[0]);
    a->reorder = packs ? b->kern->pack : b->kern->unpack;
    d->step.run = run_reorder;
    return AL_OK;
}

enum al_status al_reorder_draft(struct al_builder *b, uint32_t value, uint32_t from,
                                enum al_form form, uint32_t *ret, struct al_error *err)
{
    struct al_draft *d;
    enum al_status s = al_build_write(b, value, form, ret, err);

    if (s != AL_OK)
        return s;
    s = al_build_step(b, AL_NO_NODE, &from, 1, ret, 1, finish_reorder, &d, err);
    if (s != AL_OK)
        return s;
    d->vector = form == AL_FORM_PLAIN;
    d->step.kind = "reorder";
    return AL_OK;
}
