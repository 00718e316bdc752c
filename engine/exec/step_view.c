/* step_view.c — operators that only rename a plain value's dimensions, or take a part
 * that lies together, cost nothing. */
#include "engine/exec/family.h"
#include "engine/graph/param.h"

/* Elements between neighbours along `axis`, when what is cut off along it lies together:
 * all dimensions before are 1. */
static bool cuts_together(const struct al_shape *x, size_t axis, size_t *ret_step)
{
    *ret_step = 1;
    for (size_t k = 0; k < x->rank; k++) {
        if (k < axis && x->dims[k] != 1)
            return false;
        *ret_step *= k > axis ? (size_t)x->dims[k] : 1;
    }
    return true;
}

/* Where the outputs of a Slice or Split start in the input, into `first` for each; false
 * when they do not lie together. */
static bool parts_of(const struct al_builder *b, const struct al_node *n,
                     size_t first[AL_MAX_SPLIT])
{
    struct al_tensor in[5] = { 0 };
    struct al_args a = { .node = n, .in = in, .n_in = n->n_inputs };
    int64_t sizes[AL_MAX_SPLIT];
    struct al_slice cut;
    size_t axis = 0, step, at = 0;

    for (size_t i = 0; i < n->n_inputs; i++)
        in[i] = al_graph_tensor(b->p.graph, n->inputs[i]);
    const struct al_shape *x = &in[0].shape;
    if (in[0].data || !al_value_count(al_value_of(b, n->inputs[0])))
        return false;
    if (n->op == AL_OP_SPLIT) {
        if (al_param_axis(al_node_int(n, "axis", 0), x->rank, &axis, NULL) != AL_OK ||
            al_param_split(&a, n->n_outputs, axis, sizes, NULL) != AL_OK)
            return false;
        for (size_t i = 0; i < n->n_outputs; at += (size_t)sizes[i++])
            first[i] = at;
    } else {
        if (al_param_slice(&a, &cut, NULL) != AL_OK)
            return false;
        while (axis + 1 < x->rank && cut.count[axis] == x->dims[axis] &&
               x->dims[axis] == 1)
            axis++;
        for (size_t k = 0; k < x->rank; k++)
            if (cut.step[k] != 1 || (k != axis && cut.count[k] != x->dims[k]))
                return false;
        first[0] = (size_t)cut.start[axis];
    }
    if (!x->rank || !cuts_together(x, axis, &step))
        return false;
    for (size_t i = 0; i < n->n_outputs; i++)
        first[i] *= step;
    return true;
}

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    size_t first[AL_MAX_SPLIT];

    switch ((int)n->op) {
    case AL_OP_SPLIT:
    case AL_OP_SLICE:
        return parts_of(b, n, first);
    case AL_OP_RESHAPE:
    case AL_OP_FLATTEN:
    case AL_OP_SQUEEZE:
    case AL_OP_UNSQUEEZE:
    case AL_OP_IDENTITY:
        return true;
    case AL_OP_DROPOUT:
        return n->n_outputs == 1 || n->outputs[1] == AL_NO_VALUE;
    default:
        (void)b;
        return false;
    }
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    size_t first[AL_MAX_SPLIT] = { 0 };
    uint32_t in;
    enum al_status s = al_build_read(b, n->inputs[0], AL_FORM_PLAIN, &in, err);

    if (n->op == AL_OP_SPLIT || n->op == AL_OP_SLICE)
        (void)parts_of(b, n, first); /* it fits */
    for (size_t i = 0; s == AL_OK && i < n->n_outputs; i++)
        if (n->outputs[i] != AL_NO_VALUE)
            s = al_build_alias(b, n->outputs[i], in, first[i], err);
    return s;
}

const struct al_family al_family_view = { fits, lower };
