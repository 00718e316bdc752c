/* step_conv.c — 2-D convolutions with constant weights, by the algorithms of
 * kern/conv.h. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/exec/choose.h"
#include "engine/exec/family.h"
#include "engine/exec/share.h"

/* Up to this many input channels a plain input is read as it is: packing it into blocks
 * would leave most lanes empty. */
#define PLANAR_CHANNELS_MAX 4

struct conv_args {
    struct al_conv_shape shape;
    const struct al_conv_algo *algo;
    struct al_conv_run run; /* what is the same in every run */
};

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    uint32_t bias = al_node_input(n, 2);

    if (n->op != AL_OP_CONV || !al_value_is_map(al_value_of(b, n->inputs[0])) ||
        !al_value_is_map(al_value_of(b, n->outputs[0])) ||
        !al_is_float_constant(b, n->inputs[1]) ||
        al_value_of(b, n->inputs[1])->shape.rank != 4)
        return false;
    if (n->post.add != AL_NO_VALUE &&
        !al_shape_equal(&al_value_of(b, n->post.add)->shape,
                        &al_value_of(b, n->outputs[0])->shape))
        return false;
    return bias == AL_NO_VALUE || al_is_float_constant(b, bias);
}

static enum al_status window_of(const struct al_builder *b, const struct al_node *n,
                                struct al_window *ret, struct al_error *err)
{
    const struct al_value *w = al_value_of(b, n->inputs[1]);

    return al_node_window(n, &al_value_of(b, n->inputs[0])->shape, &w->shape.dims[2], ret,
                          err);
}

/* How far the last window reaches past the picture. */
static int32_t reach(int64_t out, int64_t stride, int64_t kernel, int64_t dilation,
                     int64_t pad_begin, int64_t in)
{
    int64_t past = (out - 1) * stride + (kernel - 1) * dilation + 1 - pad_begin - in;

    return past > 0 ? (int32_t)past : 0;
}

static struct al_halo padding_of(const struct al_window *w, const struct al_value *x)
{
    const int64_t *in = &x->shape.dims[2];

    return (struct al_halo){
        .top = (int32_t)w->pad_begin[0],
        .left = (int32_t)w->pad_begin[1],
        .bottom = reach(w->out[0], w->stride[0], w->kernel[0], w->dilation[0],
                        w->pad_begin[0], in[0]),
        .right = reach(w->out[1], w->stride[1], w->kernel[1], w->dilation[1],
                       w->pad_begin[1], in[1]),
    };
}

/* Without what buffers say: halos. */
static struct al_conv_shape layer_of(const struct al_builder *b, const struct al_node *n,
                                     const struct al_window *w)
{
    const int64_t *x = al_value_of(b, n->inputs[0])->shape.dims;
    const int64_t *y = al_value_of(b, n->outputs[0])->shape.dims;

    return (struct al_conv_shape){
        .in_c = (int32_t)x[1],
        .in_h = (int32_t)x[2],
        .in_w = (int32_t)x[3],
        .out_c = (int32_t)y[1],
        .out_h = (int32_t)y[2],
        .out_w = (int32_t)y[3],
        .kernel_h = (int32_t)w->kernel[0],
        .kernel_w = (int32_t)w->kernel[1],
        .stride_h = (int32_t)w->stride[0],
        .stride_w = (int32_t)w->stride[1],
        .dilation_h = (int32_t)w->dilation[0],
        .dilation_w = (int32_t)w->dilation[1],
        .pad_top = (int32_t)w->pad_begin[0],
        .pad_left = (int32_t)w->pad_begin[1],
        .groups = (int32_t)al_node_int(n, "group", 1),
    };
}

static struct al_conv_shape shape_of(const struct al_builder *b, const struct al_draft *d,
                                     const struct al_node *n, const struct al_window *w)
{
    struct al_conv_shape s = layer_of(b, n, w);

    s.planar_input = b->buffers[d->in[0]].form == AL_FORM_PLAIN;
    s.max_pool = b->buffers[d->out[0]].value != n->outputs[0];
    s.out_halo = al_buffer_map(b, d->out[0]).halo;
    if (!s.planar_input)
        s.in_halo = al_buffer_map(b, d->in[0]).halo;
    if (d->step.n_in > 1)
        s.add_halo = al_buffer_map(b, d->in[1]).halo;
    return s;
}

/* ---- running ---- */

struct job {
    struct al_conv_run run;
    const struct al_conv_algo *algo;
};

static void run_tiles(void *arg, size_t begin, size_t end, void *scratch)
{
    const struct job *job = arg;
    struct al_conv_run run = job->run;

    run.tile_begin = begin;
    run.tile_end = end;
    run.scratch = scratch;
    job->algo->run(&run);
}

static void run_conv(const struct al_step *s, struct al_run *r)
{
    const struct conv_args *a = s->args;
    struct job job = { a->run, a->algo };

    for (size_t i = 0; i < r->n; i++) {
        r->x[i] = al_at(&s->in[0], &r->lanes[i]);
        r->y[i] = al_at(&s->out[0], &r->lanes[i]);
        if (s->n_in > 1)
            r->add[i] = al_at(&s->in[1], &r->lanes[i]);
    }
    job.run.n_rows = r->n;
    job.run.x = r->x;
    job.run.y = r->y;
    job.run.add = s->n_in > 1 ? r->add : NULL;
    /* Counting tiles costs as much as a small layer's overhead: only for a team. */
    al_share(r, s, r->team ? a->algo->n_tiles(&a->shape, r->n) : SIZE_MAX, run_tiles,
             &job);
}

/* ---- building ---- */

static uint64_t macs_of(const struct al_conv_shape *s)
{
    return (uint64_t)s->out_c * (uint64_t)s->out_h * (uint64_t)s->out_w *
           (uint64_t)(s->in_c / s->groups) * (uint64_t)s->kernel_h *
           (uint64_t)s->kernel_w;
}

static enum al_status pack_weights(struct al_builder *b, const struct al_node *n,
                                   struct conv_args *a, size_t *ret_bytes,
                                   struct al_error *err)
{
    size_t n_weights = a->algo->packed_floats(&a->shape);
    size_t n_bias = ((size_t)a->shape.out_c + (size_t)b->p.block - 1) /
                    (size_t)b->p.block * (size_t)b->p.block;
    float *weights = al_build_alloc(b, n_weights, sizeof(float));
    float *bias = al_build_alloc(b, n_bias, sizeof(float));

    if (!weights || !bias)
        return al_fail(err, AL_NO_MEMORY, "%zu packed weights", n_weights);
    a->algo->pack(&a->shape, al_value_of(b, n->inputs[1])->data, weights);
    al_graph_release(b->p.graph, n->inputs[1]);
    if (al_node_input(n, 2) != AL_NO_VALUE)
        memcpy(bias, al_value_of(b, n->inputs[2])->data,
               (size_t)a->shape.out_c * sizeof(float));
    a->run.weights = weights;
    a->run.bias = bias;
    *ret_bytes = (n_weights + n_bias) * sizeof(float);
    return AL_OK;
}

static enum al_status choose(struct al_builder *b, struct al_draft *d,
                             struct conv_args *a, struct al_error *err)
{
    struct al_chosen chosen = { 0 };
    enum al_status s = al_choose_conv(b->p.choice, &a->shape, b->p.block, &chosen, err);
    struct al_candidate *candidates;

    if (s != AL_OK)
        return s;
    candidates = al_build_alloc(b, chosen.n_candidates, sizeof(*candidates));
    if (!candidates)
        return al_fail(err, AL_NO_MEMORY, "a convolution");
    memcpy(candidates, chosen.candidates, chosen.n_candidates * sizeof(*candidates));
    a->algo = chosen.algo;
    d->step.kernel = chosen.algo->name;
    d->step.precision = chosen.algo->precision;
    d->step.candidates = candidates;
    d->step.n_candidates = chosen.n_candidates;
    return AL_OK;
}

static enum al_status finish(struct al_builder *b, struct al_draft *d,
                             struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    struct conv_args *a = al_build_alloc(b, 1, sizeof(*a));
    struct al_window w;
    enum al_status s = window_of(b, n, &w, err);

    if (s != AL_OK)
        return s;
    if (!a)
        return al_fail(err, AL_NO_MEMORY, "a convolution");
    a->shape = shape_of(b, d, n, &w);
    a->run.shape = &a->shape;
    a->run.act = al_post_of(n).act;
    a->run.act_a = n->post.a;
    a->run.act_b = n->post.b;
    s = choose(b, d, a, err);
    if (s == AL_OK)
        s = pack_weights(b, n, a, &d->step.weight_bytes, err);
    if (s != AL_OK)
        return s;
    d->step.run = run_conv;
    d->step.args = a;
    d->step.macs = macs_of(&a->shape);
    if (a->algo->scratch_bytes)
        d->step.scratch_bytes = a->algo->scratch_bytes(&a->shape, b->p.max_rows);
    return AL_OK;
}

static enum al_status read_input(struct al_builder *b, const struct al_node *n,
                                 const struct al_window *w, uint32_t *ret,
                                 struct al_error *err)
{
    const uint32_t value = n->inputs[0];
    const struct al_value *x = al_value_of(b, value);
    enum al_status s;

    if (x->shape.dims[1] <= PLANAR_CHANNELS_MAX && al_node_int(n, "group", 1) == 1 &&
        al_build_find(b, value, AL_FORM_BLOCKED) == AL_NO_BUFFER)
        return al_build_read(b, value, AL_FORM_PLAIN, ret, err);
    s = al_build_read(b, value, AL_FORM_BLOCKED, ret, err);
    if (s == AL_OK)
        al_build_halo(b, *ret, padding_of(w, x));
    return s;
}

/* A pooling to the largest of each 2x2, all of them whole. */
static bool halves(const struct al_builder *b, const struct al_node *n)
{
    const struct al_shape *x = &al_value_of(b, n->inputs[0])->shape;
    struct al_window w;

    if (n->op != AL_OP_MAX_POOL || n->n_outputs != 1 ||
        al_node_window(n, x, NULL, &w, NULL) != AL_OK)
        return false;
    for (size_t k = 0; k < 2; k++)
        if (w.kernel[k] != 2 || w.stride[k] != 2 || w.dilation[k] != 1 ||
            w.pad_begin[k] || w.pad_end[k] || x->dims[2 + k] != 2 * w.out[k])
            return false;
    return true;
}

/* The value the convolution of the planar buffer `in` writes: its own output or, where
 * only a pooling reads that and there are kernels that pool, the pooling's. */
static uint32_t result_of(const struct al_builder *b, const struct al_node *n,
                          uint32_t in, const struct al_window *w)
{
    struct al_conv_shape s = layer_of(b, n, w);
    uint32_t reader = al_build_sole_reader(b, n->outputs[0]);

    s.planar_input = b->buffers[in].form == AL_FORM_PLAIN;
    if (reader == AL_NO_NODE || n->post.add != AL_NO_VALUE ||
        al_post_of(n).act > AL_CONV_ACT_CLIP ||
        !halves(b, al_graph_node(b->p.graph, reader)) || !al_conv_pools(&s, b->p.block))
        return n->outputs[0];
    return al_graph_node(b->p.graph, reader)->outputs[0];
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    uint32_t in[2], out, result = n->outputs[0];
    size_t n_in = 1;
    struct al_draft *d;
    struct al_window w;
    enum al_status s = window_of(b, n, &w, err);

    if (s == AL_OK)
        s = read_input(b, n, &w, &in[0], err);
    if (s == AL_OK)
        result = result_of(b, n, in[0], &w);
    if (s == AL_OK && n->post.add != AL_NO_VALUE)
        s = al_build_read(b, n->post.add, AL_FORM_BLOCKED, &in[n_in++], err);
    if (s == AL_OK)
        s = al_build_write(b, result, AL_FORM_BLOCKED, &out, err);
    if (s == AL_OK)
        s = al_build_step(b, id, in, n_in, &out, 1, finish, &d, err);
    if (s == AL_OK && result != n->outputs[0])
        d->suffix = "+MaxPool";
    return s;
}

const struct al_family al_family_conv = { fits, lower };
