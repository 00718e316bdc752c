/* step_pool.c — pooling on blocked activations. */
#include "engine/exec/family.h"
#include "engine/exec/maps.h"

struct pool_args {
    struct al_pool pool;
    void (*run)(const struct al_pool *p, const float *x, float *y);
};

/* A mean over height and width that keeps them as 1. */
static bool is_spatial_mean(const struct al_builder *b, const struct al_node *n)
{
    const int64_t *y = al_value_of(b, n->outputs[0])->shape.dims;
    const int64_t *x = al_value_of(b, n->inputs[0])->shape.dims;

    return n->op == AL_OP_REDUCE_MEAN && y[1] == x[1] && y[2] == 1 && y[3] == 1 &&
           (x[2] > 1 || x[3] > 1);
}

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    if (n->n_inputs == 0 || n->n_outputs == 0 || n->outputs[0] == AL_NO_VALUE ||
        !al_value_is_map(al_value_of(b, n->inputs[0])) ||
        !al_value_is_map(al_value_of(b, n->outputs[0])) ||
        al_value_of(b, n->inputs[0])->data)
        return false;
    if (n->op == AL_OP_MAX_POOL)
        return n->n_outputs == 1 || n->outputs[1] == AL_NO_VALUE;
    return n->op == AL_OP_AVERAGE_POOL || n->op == AL_OP_GLOBAL_AVERAGE_POOL ||
           n->op == AL_OP_GLOBAL_MAX_POOL || is_spatial_mean(b, n);
}

static void run_pool(const struct al_step *s, struct al_run *r)
{
    const struct pool_args *a = s->args;

    for (size_t i = 0; i < r->n; i++)
        a->run(&a->pool, al_at(&s->in[0], &r->lanes[i]), al_at(&s->out[0], &r->lanes[i]));
}

static enum al_status set_window(const struct al_builder *b, const struct al_node *n,
                                 struct al_pool *p, struct al_error *err)
{
    struct al_window w;
    const int64_t *kernel;
    size_t n_kernel;

    if (!al_node_ints(n, "kernel_shape", &kernel, &n_kernel) || n_kernel != 2)
        return al_fail(err, AL_INVALID, "kernel_shape must have 2 numbers");
    enum al_status s =
        al_node_window(n, &al_value_of(b, n->inputs[0])->shape, kernel, &w, err);
    if (s != AL_OK)
        return s;
    p->kernel_h = (int32_t)w.kernel[0];
    p->kernel_w = (int32_t)w.kernel[1];
    p->stride_h = (int32_t)w.stride[0];
    p->stride_w = (int32_t)w.stride[1];
    p->dilation_h = (int32_t)w.dilation[0];
    p->dilation_w = (int32_t)w.dilation[1];
    p->pad_top = (int32_t)w.pad_begin[0];
    p->pad_left = (int32_t)w.pad_begin[1];
    p->pad_bottom = (int32_t)(w.pad_end[0] - w.excess[0]);
    p->pad_right = (int32_t)(w.pad_end[1] - w.excess[1]);
    p->count_include_pad = al_node_int(n, "count_include_pad", 0) != 0;
    return AL_OK;
}

static enum al_status finish(struct al_builder *b, struct al_draft *d,
                             struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    bool windowed = n->op == AL_OP_MAX_POOL || n->op == AL_OP_AVERAGE_POOL;
    struct pool_args *a = al_build_alloc(b, 1, sizeof(*a));

    if (!a)
        return al_fail(err, AL_NO_MEMORY, "a pooling layer");
    a->pool.in = al_buffer_map(b, d->in[0]);
    a->pool.out = al_buffer_map(b, d->out[0]);
    if (n->op == AL_OP_MAX_POOL)
        a->run = b->kern->max_pool;
    else if (n->op == AL_OP_AVERAGE_POOL)
        a->run = b->kern->average_pool;
    else if (n->op == AL_OP_GLOBAL_MAX_POOL)
        a->run = b->kern->global_max_pool;
    else
        a->run = b->kern->global_average_pool;
    d->step.run = run_pool;
    d->step.args = a;
    d->step.kernel = b->kern->name;
    return windowed ? set_window(b, n, &a->pool, err) : AL_OK;
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const uint32_t result = al_graph_node(b->p.graph, id)->outputs[0];

    if (al_build_find(b, result, AL_FORM_BLOCKED) != AL_NO_BUFFER)
        return AL_OK; /* the convolution before pools by itself */
    return al_maps_lower(b, id, false, finish, err);
}

const struct al_family al_family_pool = { fits, lower };
