/* step_concat.c — concatenation of blocked activations along the channels. Operands whose
 * channels start and end on block boundaries are written into the result's memory by
 * whoever computes them and cost nothing; the others are copied. */
#include "engine/exec/family.h"
#include "engine/exec/place.h"

struct concat_args {
    struct al_channels channels;
    const struct al_kern *kern;
};

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    bool blocked = false;

    if (n->op != AL_OP_CONCAT || !al_value_is_map(al_value_of(b, n->outputs[0])))
        return false;
    int64_t axis = al_node_int(n, "axis", 0);
    if (axis != 1 && axis != -3)
        return false;
    for (size_t i = 0; i < n->n_inputs; i++) {
        if (!al_value_is_map(al_value_of(b, n->inputs[i])) ||
            al_value_of(b, n->inputs[i])->data)
            return false;
        blocked |= al_build_is_blocked(b, n->inputs[i]);
    }
    return blocked;
}

static int32_t channels_of(const struct al_builder *b, uint32_t buffer)
{
    return (int32_t)al_value_of(b, b->buffers[buffer].value)->shape.dims[1];
}

/* How many of the operands in[0..n) tile one whole root, that may move into the result at
 * channel `first`; 0 when in[0] must be copied. `*ret_root` is that root. */
static size_t movable(const struct al_builder *b, const uint32_t *in, size_t n,
                      uint32_t out, int32_t first, uint32_t *ret_root)
{
    int32_t block = b->p.block;
    uint32_t root = al_place_root(b, in[0]);
    int32_t covered = 0;
    size_t k = 0;

    if (first % block || root == out || b->buffers[root].pinned ||
        b->buffers[root].form != AL_FORM_BLOCKED)
        return 0;
    while (k < n && covered < channels_of(b, root) && al_place_root(b, in[k]) == root &&
           (int32_t)al_place_block(b, in[k]) * block == covered)
        covered += channels_of(b, in[k++]);
    bool ends = first + covered == channels_of(b, out);
    if (covered != channels_of(b, root) || (covered % block && !ends))
        return 0;
    *ret_root = root;
    return k;
}

static void run_copy(const struct al_step *s, struct al_run *r)
{
    const struct concat_args *a = s->args;

    for (size_t i = 0; i < r->n; i++)
        a->kern->copy_channels(&a->channels, al_at(&s->in[0], &r->lanes[i]),
                               al_at(&s->out[0], &r->lanes[i]));
}

static enum al_status finish(struct al_builder *b, struct al_draft *d,
                             struct al_error *err)
{
    struct concat_args *a = al_build_alloc(b, 1, sizeof(*a));

    if (!a)
        return al_fail(err, AL_NO_MEMORY, "a concatenation");
    a->kern = b->kern;
    a->channels.x = al_buffer_map(b, d->in[0]);
    a->channels.y = al_buffer_map(b, d->out[0]);
    a->channels.y_first = *(const int32_t *)d->own;
    a->channels.n = a->channels.x.c;
    d->step.run = run_copy;
    d->step.args = a;
    d->step.kernel = b->kern->name;
    return AL_OK;
}

/* Drafts the copy of operand `in` to channel `first` of `out`. */
static enum al_status copy_to(struct al_builder *b, uint32_t id, uint32_t in,
                              uint32_t out, int32_t first, struct al_error *err)
{
    int32_t *own = al_build_temporary(b, 1, sizeof(*own));
    struct al_draft *d;

    if (!own)
        return al_fail(err, AL_NO_MEMORY, "a concatenation");
    *own = first;
    enum al_status s = al_build_step(b, id, &in, 1, &out, 1, finish, &d, err);
    if (s == AL_OK)
        d->own = own;
    return s;
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    uint32_t *in = al_build_temporary(b, n->n_inputs, sizeof(*in));
    uint32_t out, root;
    int32_t first = 0;
    enum al_status s = in ? AL_OK : al_fail(err, AL_NO_MEMORY, "a concatenation");

    for (size_t i = 0; s == AL_OK && i < n->n_inputs; i++)
        s = al_build_read(b, n->inputs[i], AL_FORM_BLOCKED, &in[i], err);
    if (s == AL_OK)
        s = al_build_write(b, n->outputs[0], AL_FORM_BLOCKED, &out, err);
    for (size_t i = 0, k; s == AL_OK && i < n->n_inputs; i += k) {
        k = movable(b, &in[i], n->n_inputs - i, out, first, &root);
        if (k)
            al_place_inside(b, root, out, (uint32_t)(first / b->p.block));
        else
            s = copy_to(b, id, in[i], out, first, err);
        k = k ? k : 1;
        for (size_t j = i; j < i + k; j++)
            first += channels_of(b, in[j]);
    }
    return s;
}

const struct al_family al_family_concat = { fits, lower };
