/* step_vector.c — activations and softmax of plain values. */
#include "engine/exec/activation.h"
#include "engine/exec/family.h"

struct vector_args {
    struct al_post post;
    size_t n_rows, n; /* n_rows vectors of n elements */
    const struct al_kern *kern;
};

/* Softmax along the last axis: opset 13's meaning, or the older one (flatten from `axis`
 * on) when that is the last axis too. */
static bool is_last_softmax(const struct al_builder *b, const struct al_node *n)
{
    const struct al_value *x = al_value_of(b, n->inputs[0]);
    int64_t rank = (int64_t)x->shape.rank;
    int64_t axis = al_node_int(n, "axis", n->opset >= 13 ? -1 : 1);

    return n->op == AL_OP_SOFTMAX && x->dtype == AL_F32 && rank > 0 &&
           (axis == -1 || axis == rank - 1) && x->shape.dims[rank - 1] > 0;
}

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    struct al_post post;

    return n->n_inputs > 0 && (al_activation_of(b, n, &post) || is_last_softmax(b, n));
}

static void run_activate(const struct al_step *s, struct al_run *r)
{
    const struct vector_args *a = s->args;

    for (size_t i = 0; i < r->n; i++)
        a->kern->activate_vector(a->post, a->n_rows * a->n,
                                 al_at(&s->in[0], &r->lanes[i]),
                                 al_at(&s->out[0], &r->lanes[i]));
}

static void run_softmax(const struct al_step *s, struct al_run *r)
{
    const struct vector_args *a = s->args;

    for (size_t i = 0; i < r->n; i++) {
        const float *x = al_at(&s->in[0], &r->lanes[i]);
        float *y = al_at(&s->out[0], &r->lanes[i]);

        for (size_t k = 0; k < a->n_rows; k++)
            a->kern->softmax(a->n, x + k * a->n, y + k * a->n);
    }
}

static enum al_status finish(struct al_builder *b, struct al_draft *d,
                             struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    const struct al_value *x = al_value_of(b, n->inputs[0]);
    struct vector_args *a = al_build_alloc(b, 1, sizeof(*a));

    if (!a)
        return al_fail(err, AL_NO_MEMORY, "an activation");
    a->kern = b->kern;
    a->n = x->shape.rank ? (size_t)x->shape.dims[x->shape.rank - 1] : 1;
    a->n_rows = a->n ? al_value_count(x) / a->n : 0;
    d->step.run = al_activation_of(b, n, &a->post) ? run_activate : run_softmax;
    d->step.args = a;
    d->step.kernel = b->kern->name;
    return AL_OK;
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    uint32_t in, out;
    struct al_draft *d;
    enum al_status s = al_build_read(b, n->inputs[0], AL_FORM_PLAIN, &in, err);

    if (s == AL_OK)
        s = al_build_write(b, n->outputs[0], AL_FORM_PLAIN, &out, err);
    if (s == AL_OK)
        s = al_build_step(b, id, &in, 1, &out, 1, finish, &d, err);
    if (s == AL_OK)
        d->in_place = true;
    return s;
}

const struct al_family al_family_vector = { fits, lower };
