#include "engine/exec/maps.h"

enum al_status al_maps_lower(struct al_builder *b, uint32_t node, bool in_place,
                             al_finish_fn finish, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, node);
    uint32_t in, out;
    struct al_draft *d;
    enum al_status s = al_build_read(b, n->inputs[0], AL_FORM_BLOCKED, &in, err);

    if (s == AL_OK)
        s = al_build_write(b, n->outputs[0], AL_FORM_BLOCKED, &out, err);
    if (s == AL_OK)
        s = al_build_step(b, node, &in, 1, &out, 1, finish, &d, err);
    if (s == AL_OK)
        d->in_place = in_place;
    return s;
}

struct al_eltwise al_maps_eltwise(const struct al_builder *b, const struct al_draft *d)
{
    struct al_map x = al_buffer_map(b, d->in[0]);
    struct al_eltwise e = { .c = x.c, .h = x.h, .w = x.w, .x_halo = x.halo };

    if (d->step.n_in > 1)
        e.z_halo = al_buffer_map(b, d->in[1]).halo;
    e.y_halo = al_buffer_map(b, d->out[0]).halo;
    e.post = al_post_of(al_graph_node(b->p.graph, d->node));
    return e;
}

size_t al_maps_channels(const struct al_builder *b, uint32_t buffer)
{
    size_t block = (size_t)b->p.block;

    return ((size_t)al_buffer_map(b, buffer).c + block - 1) / block * block;
}

bool al_maps_has_halo(const struct al_builder *b, uint32_t buffer)
{
    struct al_halo h = al_buffer_map(b, buffer).halo;

    return h.top || h.left || h.bottom || h.right;
}
