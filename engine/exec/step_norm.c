/* step_norm.c — normalisation of blocked activations: batch norm that could not be folded
 * into a convolution, as scale and shift by channel; LRN. */
#include <math.h>

#include "engine/exec/family.h"
#include "engine/exec/maps.h"

struct affine_args {
    struct al_eltwise shape;
    const float *scale, *shift;
    const struct al_kern *kern;
};

struct lrn_args {
    struct al_lrn lrn;
    const struct al_kern *kern;
};

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    if ((n->op != AL_OP_BATCH_NORM && n->op != AL_OP_LRN) || n->post.add != AL_NO_VALUE ||
        !al_value_is_map(al_value_of(b, n->inputs[0])))
        return false;
    for (size_t i = 1; i < n->n_inputs; i++)
        if (!al_is_float_constant(b, n->inputs[i]))
            return false;
    for (size_t i = 1; i < n->n_outputs; i++)
        if (n->outputs[i] != AL_NO_VALUE)
            return false;
    return true;
}

static void run_affine(const struct al_step *s, struct al_run *r)
{
    const struct affine_args *a = s->args;

    for (size_t i = 0; i < r->n; i++)
        a->kern->affine(&a->shape, a->scale, a->shift, al_at(&s->in[0], &r->lanes[i]),
                        al_at(&s->out[0], &r->lanes[i]));
}

static void run_lrn(const struct al_step *s, struct al_run *r)
{
    const struct lrn_args *a = s->args;

    for (size_t i = 0; i < r->n; i++)
        a->kern->lrn(&a->lrn, al_at(&s->in[0], &r->lanes[i]),
                     al_at(&s->out[0], &r->lanes[i]));
}

static enum al_status finish_batch_norm(struct al_builder *b, struct al_draft *d,
                                        struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    struct affine_args *a = al_build_alloc(b, 1, sizeof(*a));
    size_t channels = al_maps_channels(b, d->out[0]);
    float *scale = al_build_alloc(b, channels, sizeof(float));
    float *shift = al_build_alloc(b, channels, sizeof(float));
    const float *p[4]; /* gamma, beta, mean, variance */

    if (!a || !scale || !shift)
        return al_fail(err, AL_NO_MEMORY, "batch norm of %zu channels", channels);
    for (size_t i = 0; i < 4; i++)
        p[i] = al_value_of(b, n->inputs[1 + i])->data;
    double epsilon = (double)al_node_float(n, "epsilon", 1e-5F);
    for (int32_t c = 0; c < al_buffer_map(b, d->out[0]).c; c++) {
        double k = (double)p[0][c] / sqrt((double)p[3][c] + epsilon);
        scale[c] = (float)k;
        shift[c] = (float)((double)p[1][c] - (double)p[2][c] * k);
    }
    a->kern = b->kern;
    a->shape = al_maps_eltwise(b, d);
    a->scale = scale;
    a->shift = shift;
    d->step.run = run_affine;
    d->step.args = a;
    d->step.kernel = b->kern->name;
    d->step.weight_bytes = 2 * channels * sizeof(float);
    return AL_OK;
}

static enum al_status finish_lrn(struct al_builder *b, struct al_draft *d,
                                 struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    struct lrn_args *a = al_build_alloc(b, 1, sizeof(*a));
    struct al_map x = al_buffer_map(b, d->in[0]);

    if (!a)
        return al_fail(err, AL_NO_MEMORY, "LRN");
    a->kern = b->kern;
    a->lrn = (struct al_lrn){ .c = x.c,
                              .h = x.h,
                              .w = x.w,
                              .x_halo = x.halo,
                              .y_halo = al_buffer_map(b, d->out[0]).halo,
                              .size = (int32_t)al_node_int(n, "size", 1),
                              .alpha = al_node_float(n, "alpha", 0.0001F),
                              .beta = al_node_float(n, "beta", 0.75F),
                              .bias = al_node_float(n, "bias", 1) };
    d->step.run = run_lrn;
    d->step.args = a;
    d->step.kernel = b->kern->name;
    return AL_OK;
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    bool lrn = al_graph_node(b->p.graph, id)->op == AL_OP_LRN;

    return al_maps_lower(b, id, !lrn, lrn ? finish_lrn : finish_batch_norm, err);
}

const struct al_family al_family_norm = { fits, lower };
