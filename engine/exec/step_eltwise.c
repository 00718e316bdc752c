/* step_eltwise.c — elementwise operators on blocked activations: sums and products of
 * maps, scale or shift by channel (a constant, or a map of 1x1 as squeeze-and-excitation
 * makes), activations. Only where an operand is blocked already; else they run plain. */
#include "engine/exec/family.h"
#include "engine/exec/maps.h"

enum eltwise_kind {
    NO_KIND,
    ADD_MAPS,
    MUL_MAPS,
    SCALE_MAP,     /* by a map of 1x1 */
    SCALE_CHANNEL, /* by a constant */
    SHIFT_CHANNEL,
    ACTIVATE
};

struct eltwise_args {
    struct al_eltwise shape;
    const float *scale, *shift;
    const struct al_kern *kern;
};

/* Which operand is the map and what the other does to it. */
struct eltwise {
    enum eltwise_kind kind;
    uint32_t map, other;
};

/* One number for each channel of `map`, or one for all: [C,1,1], [1,C,1,1] or a scalar.
 */
static bool is_per_channel(const struct al_value *v, const struct al_value *map)
{
    uint64_t count = al_value_count(v);
    size_t rank = v->shape.rank;

    if (v->dtype != AL_F32 || rank > 4)
        return false;
    return count == 1 || (rank >= 3 && v->shape.dims[rank - 3] == map->shape.dims[1] &&
                          count == (uint64_t)map->shape.dims[1]);
}

static enum eltwise_kind kind_of_pair(const struct al_builder *b, enum al_op op,
                                      uint32_t map, uint32_t other)
{
    const struct al_value *x = al_value_of(b, map);
    const struct al_value *z = al_value_of(b, other);

    if (!al_value_is_map(x) || x->data)
        return NO_KIND;
    if (!z->data && al_shape_equal(&x->shape, &z->shape) &&
        (al_build_is_blocked(b, map) || al_build_is_blocked(b, other)))
        return op == AL_OP_MUL ? MUL_MAPS : ADD_MAPS;
    if (!al_build_is_blocked(b, map) || !is_per_channel(z, x))
        return NO_KIND;
    if (z->data)
        return op == AL_OP_MUL ? SCALE_CHANNEL : SHIFT_CHANNEL;
    return op == AL_OP_MUL && al_value_is_map(z) && z->shape.dims[1] == x->shape.dims[1]
               ? SCALE_MAP
               : NO_KIND;
}

static struct eltwise eltwise_of(const struct al_builder *b, const struct al_node *n)
{
    struct eltwise none = { NO_KIND, AL_NO_VALUE, AL_NO_VALUE };
    struct al_post post;

    if (n->post.add != AL_NO_VALUE || n->n_outputs != 1 ||
        !al_value_is_map(al_value_of(b, n->outputs[0])))
        return none;
    if (al_activation_of(b, n, &post))
        return al_build_is_blocked(b, n->inputs[0])
                   ? (struct eltwise){ ACTIVATE, n->inputs[0], AL_NO_VALUE }
                   : none;
    if ((n->op != AL_OP_ADD && n->op != AL_OP_SUM && n->op != AL_OP_MUL) ||
        n->n_inputs != 2)
        return none;
    for (size_t i = 0; i < 2; i++) {
        struct eltwise e = { NO_KIND, n->inputs[i], n->inputs[1 - i] };
        e.kind = al_shape_equal(&al_value_of(b, e.map)->shape,
                                &al_value_of(b, n->outputs[0])->shape)
                     ? kind_of_pair(b, n->op, e.map, e.other)
                     : NO_KIND;
        if (e.kind != NO_KIND)
            return e;
    }
    return none;
}

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    return eltwise_of(b, n).kind != NO_KIND;
}

/* ---- running ---- */

#define RUN_ELTWISE(name, call)                                       \
    static void run_##name(const struct al_step *s, struct al_run *r) \
    {                                                                 \
        const struct eltwise_args *a = s->args;                       \
                                                                      \
        for (size_t i = 0; i < r->n; i++) {                           \
            const struct al_lane *lane = &r->lanes[i];                \
            const float *x = al_at(&s->in[0], lane);                  \
            float *y = al_at(&s->out[0], lane);                       \
            call;                                                     \
        }                                                             \
    }

RUN_ELTWISE(add, a->kern->add(&a->shape, x, al_at(&s->in[1], lane), y))
RUN_ELTWISE(mul, a->kern->mul(&a->shape, x, al_at(&s->in[1], lane), y))
RUN_ELTWISE(scale_map, a->kern->affine(&a->shape, al_at(&s->in[1], lane), NULL, x, y))
RUN_ELTWISE(affine, a->kern->affine(&a->shape, a->scale, a->shift, x, y))
RUN_ELTWISE(activate, a->kern->activate(&a->shape, x, y))

/* ---- building ---- */

/* `value`'s number for each channel, zero past the last. */
static const float *by_channel(struct al_builder *b, const struct al_draft *d,
                               const struct al_value *v)
{
    const float *from = v->data;
    float *to = al_build_alloc(b, al_maps_channels(b, d->out[0]), sizeof(*to));

    for (int32_t c = 0; to && c < al_buffer_map(b, d->out[0]).c; c++)
        to[c] = from[al_value_count(v) == 1 ? 0 : c];
    return to;
}

static const float *ones(struct al_builder *b, const struct al_draft *d)
{
    float *to = al_build_alloc(b, al_maps_channels(b, d->out[0]), sizeof(*to));

    for (int32_t c = 0; to && c < al_buffer_map(b, d->out[0]).c; c++)
        to[c] = 1;
    return to;
}

static enum al_status set_channels(struct al_builder *b, const struct al_draft *d,
                                   const struct eltwise *e, struct eltwise_args *a,
                                   struct al_error *err)
{
    const struct al_value *v = al_value_of(b, e->other);

    if (e->kind == SCALE_CHANNEL) {
        a->scale = by_channel(b, d, v);
    } else {
        a->scale = ones(b, d);
        a->shift = by_channel(b, d, v);
    }
    if (!a->scale || (e->kind == SHIFT_CHANNEL && !a->shift))
        return al_fail(err, AL_NO_MEMORY, "a scale by channel");
    return AL_OK;
}

static enum al_status finish(struct al_builder *b, struct al_draft *d,
                             struct al_error *err)
{
    static const al_step_fn runs[] = {
        [ADD_MAPS] = run_add,         [MUL_MAPS] = run_mul,
        [SCALE_MAP] = run_scale_map,  [SCALE_CHANNEL] = run_affine,
        [SHIFT_CHANNEL] = run_affine, [ACTIVATE] = run_activate,
    };
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    const struct eltwise *e = d->own;
    struct eltwise_args *a = al_build_alloc(b, 1, sizeof(*a));

    if (!a)
        return al_fail(err, AL_NO_MEMORY, "an elementwise operator");
    a->kern = b->kern;
    a->shape = al_maps_eltwise(b, d);
    (void)al_activation_of(b, n, &a->shape.post);
    if (e->kind == SCALE_MAP && al_maps_has_halo(b, d->in[1]))
        return al_fail(err, AL_UNSUPPORTED, "a scale map that is padded elsewhere");
    d->step.run = runs[e->kind];
    d->step.args = a;
    d->step.kernel = b->kern->name;
    return e->kind == SCALE_CHANNEL || e->kind == SHIFT_CHANNEL
               ? set_channels(b, d, e, a, err)
               : AL_OK;
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    struct eltwise *e = al_build_temporary(b, 1, sizeof(*e));
    uint32_t in[2], out;
    size_t n_in = 1;
    struct al_draft *d;

    if (!e)
        return al_fail(err, AL_NO_MEMORY, "an elementwise operator");
    *e = eltwise_of(b, n);
    enum al_status s = al_build_read(b, e->map, AL_FORM_BLOCKED, &in[0], err);
    if (s == AL_OK &&
        (e->kind == ADD_MAPS || e->kind == MUL_MAPS || e->kind == SCALE_MAP))
        s = al_build_read(b, e->other, AL_FORM_BLOCKED, &in[n_in++], err);
    if (s == AL_OK)
        s = al_build_write(b, n->outputs[0], AL_FORM_BLOCKED, &out, err);
    if (s == AL_OK)
        s = al_build_step(b, id, in, n_in, &out, 1, finish, &d, err);
    if (s != AL_OK)
        return s;
    d->in_place = true;
    d->own = e;
    return AL_OK;
}

const struct al_family al_family_eltwise = { fits, lower };
