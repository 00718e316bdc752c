/* step_moved.c — transposes of plain values, and what else only moves elements of those:
 * none makes a step, but says where its results lie (moved.h). */
#include "engine/exec/family.h"
#include "engine/exec/moved.h"
#include "engine/graph/param.h"

static bool is_renaming(const struct al_node *n)
{
    return n->op == AL_OP_RESHAPE || n->op == AL_OP_FLATTEN || n->op == AL_OP_SQUEEZE ||
           n->op == AL_OP_UNSQUEEZE || n->op == AL_OP_IDENTITY;
}

/* The one place along its axis that a Gather takes. */
static bool place_of(const struct al_args *a, size_t *ret_axis, int64_t *ret_at)
{
    const struct al_tensor *x = &a->in[0], *index = &a->in[1];

    if (!index->data || (index->dtype != AL_I64 && index->dtype != AL_I32) ||
        al_tensor_count(index) != 1 ||
        al_param_axis(al_node_int(a->node, "axis", 0), x->shape.rank, ret_axis, NULL) !=
            AL_OK)
        return false;
    const int64_t dim = x->shape.dims[*ret_axis], i = al_tensor_int(index, 0);
    *ret_at = i < 0 ? i + dim : i;
    return *ret_at >= 0 && *ret_at < dim;
}

/* What output `i` of a Split, Slice or Gather takes of its input. */
static bool cut_of(const struct al_args *a, size_t i, struct al_slice *cut)
{
    const struct al_shape *x = &a->in[0].shape;
    int64_t sizes[AL_MAX_SPLIT];
    size_t axis;

    if (a->node->op == AL_OP_SLICE)
        return al_param_slice(a, cut, NULL) == AL_OK;
    for (size_t k = 0; k < x->rank; k++) {
        cut->start[k] = 0;
        cut->step[k] = 1;
        cut->count[k] = x->dims[k];
    }
    if (a->node->op == AL_OP_GATHER) {
        int64_t at;
        if (!place_of(a, &axis, &at))
            return false;
        cut->start[axis] = at;
        cut->count[axis] = 1;
        return true;
    }
    if (al_param_axis(al_node_int(a->node, "axis", 0), x->rank, &axis, NULL) != AL_OK ||
        al_param_split(a, a->node->n_outputs, axis, sizes, NULL) != AL_OK)
        return false;
    for (size_t k = 0; k < i; k++)
        cut->start[axis] += sizes[k];
    cut->count[axis] = sizes[i];
    return true;
}

static bool transpose(const struct al_node *n, const struct al_shape *x,
                      const size_t *steps, struct al_moved *m)
{
    const int64_t *perm;
    size_t n_perm;
    const bool given = al_node_ints(n, "perm", &perm, &n_perm);

    for (size_t k = 0; k < x->rank; k++) {
        const size_t from = given ? (size_t)perm[k] : x->rank - 1 - k;
        m->loops[k] = (struct al_loop){ (size_t)x->dims[from], steps[from] };
    }
    return true;
}

static bool take(const struct al_slice *cut, const struct al_shape *x,
                 const size_t *steps, struct al_moved *m)
{
    for (size_t k = 0; k < x->rank; k++) {
        if (cut->step[k] < 1 || cut->count[k] < 1)
            return false;
        m->first += (size_t)cut->start[k] * steps[k];
        m->loops[k] =
            (struct al_loop){ (size_t)cut->count[k], (size_t)cut->step[k] * steps[k] };
    }
    return true;
}

/* Makes of `m`, where the input's elements lie, where those of output `i` do. */
static bool move(const struct al_builder *b, const struct al_node *n, size_t i,
                 struct al_moved *m)
{
    struct al_tensor in[5] = { 0 };
    const struct al_args a = { .node = n, .in = in, .n_in = n->n_inputs };
    size_t steps[AL_MAX_DIMS];
    struct al_slice cut;

    for (size_t k = 0; k < n->n_inputs && k < 5; k++)
        in[k] = al_graph_tensor(b->p.graph, n->inputs[k]);
    const struct al_shape *x = &in[0].shape;
    if (is_renaming(n))
        return true;
    if (!x->rank || !al_moved_steps(m, x, steps))
        return false;
    m->n = x->rank;
    if (n->op == AL_OP_TRANSPOSE)
        return transpose(n, x, steps, m);
    return cut_of(&a, i, &cut) && take(&cut, x, steps, m);
}

/* Renaming plain values is the views'. */
static bool fits(const struct al_builder *b, const struct al_node *n)
{
    const bool cuts =
        n->op == AL_OP_SPLIT || n->op == AL_OP_SLICE || n->op == AL_OP_GATHER;

    if (!is_renaming(n) && !cuts && n->op != AL_OP_TRANSPOSE)
        return false;
    const struct al_value *x = al_value_of(b, n->inputs[0]);
    if (x->dtype != AL_F32 || x->data || !al_value_count(x) ||
        (is_renaming(n) && !al_moved_find(b, n->inputs[0])))
        return false;
    for (size_t i = 0; i < n->n_outputs; i++) {
        struct al_moved m = { .n = 1, .loops = { { al_value_count(x), 1 } } };
        if (!move(b, n, i, &m))
            return false;
    }
    return true;
}

/* Where the input's elements lie: in its own order when they did so by loops that do not
 * keep to its dimensions, as the operator needs them. */
static enum al_status read_input(struct al_builder *b, const struct al_node *n,
                                 struct al_moved *ret, struct al_error *err)
{
    const uint32_t value = n->inputs[0];
    size_t steps[AL_MAX_DIMS];
    uint32_t buffer;
    enum al_status s = al_moved_where(b, value, ret, err);

    if (s != AL_OK || is_renaming(n) ||
        al_moved_steps(ret, &al_value_of(b, value)->shape, steps))
        return s;
    s = al_build_read(b, value, AL_FORM_PLAIN, &buffer, err);
    return s == AL_OK ? al_moved_where(b, value, ret, err) : s;
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    struct al_moved x;
    enum al_status s = read_input(b, n, &x, err);

    for (size_t i = 0; s == AL_OK && i < n->n_outputs; i++) {
        struct al_moved m = x;
        if (n->outputs[i] == AL_NO_VALUE || !move(b, n, i, &m))
            continue;
        s = al_moved_add(b, n->outputs[i], &m, err);
    }
    return s;
}

const struct al_family al_family_moved = { fits, lower };
