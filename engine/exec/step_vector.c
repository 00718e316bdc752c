/* step_vector.c — operators on plain values that run along vectors: activations, softmax,
 * sums and products of values of one shape, scaling by a number, layer norm, means of
 * vectors. */
#include "engine/exec/family.h"
#include "engine/graph/param.h"

enum vector_kind {
    NO_KIND,
    ACTIVATE,
    SOFTMAX,
    ADD,
    MUL,
    SCALE,
    LAYER_NORM,
    MEAN
};

/* n_groups times n_rows vectors of n, of which a Reduce makes one. */
struct rows {
    size_t n_groups, n_rows, n;
};

struct vector_args {
    struct al_post post;
    float factor;
    struct al_layer_norm norm;
    size_t n_rows, n; /* n_rows vectors of n elements */
    struct rows mean;
    const struct al_kern *kern;
};

/* Softmax along the last axis: opset 13's meaning, or the older one (flatten from `axis`
 * on) when that is the last axis too. */
static bool is_last_softmax(const struct al_builder *b, const struct al_node *n)
{
    const struct al_value *x = al_value_of(b, n->inputs[0]);
    int64_t rank = (int64_t)x->shape.rank;
    int64_t axis = al_node_int(n, "axis", n->opset >= 13 ? -1 : 1);

    return rank > 0 && (axis == -1 || axis == rank - 1) && x->shape.dims[rank - 1] > 0;
}

/* Normalisation over the last axis by constants, only the result being asked for. */
static bool is_last_norm(const struct al_builder *b, const struct al_node *n)
{
    const struct al_value *x = al_value_of(b, n->inputs[0]);
    int64_t rank = (int64_t)x->shape.rank;
    int64_t axis = al_node_int(n, "axis", -1);

    if (rank == 0 || (axis != -1 && axis != rank - 1) || x->shape.dims[rank - 1] <= 0)
        return false;
    for (size_t i = 1; i < n->n_outputs; i++)
        if (n->outputs[i] != AL_NO_VALUE)
            return false;
    for (size_t i = 1; i < n->n_inputs; i++)
        if (n->inputs[i] != AL_NO_VALUE &&
            (!al_is_float_constant(b, n->inputs[i]) ||
             al_value_count(al_value_of(b, n->inputs[i])) !=
                 (uint64_t)x->shape.dims[rank - 1]))
            return false;
    return true;
}

/* Whether neighbouring axes, not the last, are reduced. */
static bool is_mean_of_rows(const struct al_builder *b, const struct al_node *n,
                            struct rows *ret)
{
    struct al_tensor in[2] = { 0 };
    const struct al_args a = { .node = n, .in = in, .n_in = n->n_inputs };
    struct rows r = { 1, 1, 1 };
    bool axes[AL_MAX_DIMS];

    for (size_t i = 0; i < n->n_inputs; i++)
        in[i] = al_graph_tensor(b->p.graph, n->inputs[i]);
    if (al_param_reduce(&a, axes, NULL) != AL_OK)
        return false;
    for (size_t k = 0; k < in[0].shape.rank; k++) {
        const size_t dim = (size_t)in[0].shape.dims[k];
        if (axes[k] && r.n > 1)
            return false;
        if (axes[k])
            r.n_rows *= dim;
        else if (r.n_rows > 1)
            r.n *= dim;
        else
            r.n_groups *= dim;
    }
    *ret = r;
    return r.n > 1 && r.n_groups;
}

/* The number a Mul or Div by a constant number multiplies with. */
static bool is_scaling(const struct al_builder *b, const struct al_node *n, float *ret)
{
    const struct al_value *v = al_value_of(b, n->inputs[1]);

    if (!al_is_float_constant(b, n->inputs[1]) || al_value_count(v) != 1)
        return false;
    *ret = n->op == AL_OP_DIV ? 1 / *(const float *)v->data : *(const float *)v->data;
    return true;
}

static bool has_shape_of_result(const struct al_builder *b, const struct al_node *n,
                                size_t input)
{
    const struct al_value *x = al_value_of(b, n->inputs[input]);

    return x->dtype == AL_F32 &&
           al_shape_equal(&x->shape, &al_value_of(b, n->outputs[0])->shape);
}

static enum vector_kind kind_of(const struct al_builder *b, const struct al_node *n)
{
    struct al_post post;
    struct rows rows;
    float factor;

    if (n->n_inputs == 0 || n->post.add != AL_NO_VALUE ||
        al_value_of(b, n->inputs[0])->dtype != AL_F32)
        return NO_KIND;
    if (n->op == AL_OP_SOFTMAX)
        return is_last_softmax(b, n) ? SOFTMAX : NO_KIND;
    if (n->op == AL_OP_LAYER_NORM)
        return is_last_norm(b, n) ? LAYER_NORM : NO_KIND;
    if (n->op == AL_OP_REDUCE_MEAN)
        return is_mean_of_rows(b, n, &rows) ? MEAN : NO_KIND;
    if (n->n_inputs != 2 || n->n_outputs != 1 || !has_shape_of_result(b, n, 0))
        return al_activation_of(b, n, &post) ? ACTIVATE : NO_KIND;
    if ((n->op == AL_OP_MUL || n->op == AL_OP_DIV) && is_scaling(b, n, &factor))
        return SCALE;
    if (n->op == AL_OP_ADD && has_shape_of_result(b, n, 1))
        return ADD;
    if (n->op == AL_OP_MUL && has_shape_of_result(b, n, 1))
        return MUL;
    return al_activation_of(b, n, &post) ? ACTIVATE : NO_KIND;
}

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    return kind_of(b, n) != NO_KIND;
}

/* ---- running ---- */

#define RUN_VECTOR(name, call)                                        \
    static void run_##name(const struct al_step *s, struct al_run *r) \
    {                                                                 \
        const struct vector_args *a = s->args;                        \
        const size_t all = a->n_rows * a->n;                          \
                                                                      \
        for (size_t i = 0; i < r->n; i++) {                           \
            const struct al_lane *lane = &r->lanes[i];                \
            const float *x = al_at(&s->in[0], lane);                  \
            float *y = al_at(&s->out[0], lane);                       \
            call;                                                     \
        }                                                             \
    }

/* The same for each of the vectors. */
#define RUN_ROWS(name, call) \
    RUN_VECTOR(name, for (size_t k = 0; k < all; k += a->n, x += a->n, y += a->n) call)

RUN_VECTOR(activate, a->kern->activate_vector(a->post, all, x, y))
RUN_VECTOR(add, a->kern->add_vector(a->post, all, x, al_at(&s->in[1], lane), y))
RUN_VECTOR(mul, a->kern->mul_vector(a->post, all, x, al_at(&s->in[1], lane), y))
RUN_VECTOR(scale, a->kern->scale_vector(all, a->factor, x, y))
RUN_ROWS(softmax, a->kern->softmax(a->n, x, y))
RUN_ROWS(layer_norm, a->kern->layer_norm(&a->norm, x, y))

static void run_mean(const struct al_step *s, struct al_run *r)
{
    const struct vector_args *a = s->args;
    const struct rows *m = &a->mean;

    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; k < m->n_groups; k++)
            a->kern->mean_rows(m->n_rows, m->n,
                               (float *)al_at(&s->in[0], &r->lanes[i]) +
                                   k * m->n_rows * m->n,
                               (float *)al_at(&s->out[0], &r->lanes[i]) + k * m->n);
}

/* ---- building ---- */

/* The layer norm's constants; no bias is one of zeroes. */
static enum al_status set_norm(struct al_builder *b, const struct al_node *n,
                               struct vector_args *a, struct al_error *err)
{
    uint32_t bias = al_node_input(n, 2);

    a->norm.n = a->n;
    a->norm.epsilon = al_node_float(n, "epsilon", 1e-5F);
    a->norm.scale = al_build_constant(b, n->inputs[1]);
    a->norm.bias = bias == AL_NO_VALUE ? al_build_alloc(b, a->n, sizeof(float))
                                       : al_build_constant(b, bias);
    return a->norm.scale && a->norm.bias ? AL_OK
                                         : al_fail(err, AL_NO_MEMORY, "a layer norm");
}

static enum al_status finish(struct al_builder *b, struct al_draft *d,
                             struct al_error *err)
{
    static const al_step_fn runs[] = {
        [ACTIVATE] = run_activate, [SOFTMAX] = run_softmax, [ADD] = run_add,
        [MUL] = run_mul,           [SCALE] = run_scale,     [LAYER_NORM] = run_layer_norm,
        [MEAN] = run_mean,
    };
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    const struct al_value *x = al_value_of(b, n->inputs[0]);
    struct vector_args *a = al_build_alloc(b, 1, sizeof(*a));
    const enum vector_kind kind = kind_of(b, n);

    if (!a)
        return al_fail(err, AL_NO_MEMORY, "a vector operator");
    a->kern = b->kern;
    a->n = x->shape.rank ? (size_t)x->shape.dims[x->shape.rank - 1] : 1;
    a->n_rows = a->n ? al_value_count(x) / a->n : 0;
    a->post = al_post_of(n);
    if (kind == ACTIVATE)
        (void)al_activation_of(b, n, &a->post);
    if (kind == SCALE)
        (void)is_scaling(b, n, &a->factor);
    if (kind == MEAN)
        (void)is_mean_of_rows(b, n, &a->mean);
    d->step.run = runs[kind];
    d->step.args = a;
    d->step.kernel = b->kern->name;
    return kind == LAYER_NORM ? set_norm(b, n, a, err) : AL_OK;
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    const enum vector_kind kind = kind_of(b, n);
    const size_t n_in = kind == ADD || kind == MUL ? 2 : 1;
    uint32_t in[2], out;
    struct al_draft *d;
    enum al_status s = AL_OK;

    for (size_t i = 0; s == AL_OK && i < n_in; i++)
        s = al_build_read(b, n->inputs[i], AL_FORM_PLAIN, &in[i], err);
    if (s == AL_OK)
        s = al_build_write(b, n->outputs[0], AL_FORM_PLAIN, &out, err);
    if (s == AL_OK)
        s = al_build_step(b, id, in, n_in, &out, 1, finish, &d, err);
    if (s == AL_OK)
        d->in_place = kind != MEAN;
    return s;
}

const struct al_family al_family_vector = { fits, lower };
