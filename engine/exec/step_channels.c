/* step_channels.c — operators that only move whole channels of blocked activations:
 * reshapes and transposes of the dimensions before the last two (a channel shuffle),
 * slices, splits and joins along them. They make channel lists (selection.h), no steps.
 */
#include "engine/exec/family.h"
#include "engine/exec/selection.h"
#include "engine/graph/param.h"

#define MAX_CHANNELS 65536
/* Buffers a list may name before its value is written: more only keep memory alive. */
#define MAX_SOURCES  4

/* ---- what fits ---- */

/* Whether it is known in which blocked buffers the value's channels lie. */
static bool is_listed(const struct al_builder *b, uint32_t value)
{
    return al_build_find(b, value, AL_FORM_BLOCKED) != AL_NO_BUFFER ||
           al_selection_find(b, value);
}

/* Whether the last two dimensions are those of the first input, more than one element. */
static bool has_planes(const struct al_builder *b, const struct al_node *n,
                       uint32_t value)
{
    const struct al_shape *x = &al_value_of(b, n->inputs[0])->shape;
    const struct al_shape *s = &al_value_of(b, value)->shape;

    return s->rank > 2 && x->rank > 2 && al_value_count(al_value_of(b, value)) > 0 &&
           s->dims[s->rank - 2] == x->dims[x->rank - 2] &&
           s->dims[s->rank - 1] == x->dims[x->rank - 1] &&
           x->dims[x->rank - 2] * x->dims[x->rank - 1] > 1;
}

static struct al_args args_of(const struct al_builder *b, const struct al_node *n,
                              struct al_tensor in[5])
{
    for (size_t i = 0; i < n->n_inputs && i < 5; i++)
        in[i] = al_graph_tensor(b->p.graph, n->inputs[i]);
    return (struct al_args){ .node = n, .in = in, .n_in = n->n_inputs };
}

static bool keeps_planes_whole(const struct al_builder *b, const struct al_node *n)
{
    size_t rank = al_value_of(b, n->inputs[0])->shape.rank, n_perm;
    struct al_tensor in[5] = { 0 };
    struct al_args a = args_of(b, n, in);
    struct al_slice cut;
    const int64_t *perm;

    if (n->op == AL_OP_TRANSPOSE)
        return al_node_ints(n, "perm", &perm, &n_perm) &&
               perm[rank - 2] == (int64_t)rank - 2 && perm[rank - 1] == (int64_t)rank - 1;
    if (n->op == AL_OP_SLICE)
        return al_param_slice(&a, &cut, NULL) == AL_OK && cut.step[rank - 2] == 1 &&
               cut.step[rank - 1] == 1;
    return true;
}

/* Whether an operand's channels are written into the result for nothing (step_concat.c).
 */
static bool joins_in_place(const struct al_builder *b, const struct al_node *n)
{
    int64_t first = 0;

    for (size_t i = 0; i < n->n_inputs; i++) {
        int64_t c = al_value_of(b, n->inputs[i])->shape.dims[1];
        uint32_t buffer = al_build_find(b, n->inputs[i], AL_FORM_BLOCKED);

        if (buffer != AL_NO_BUFFER && b->buffers[buffer].root == buffer &&
            first % b->p.block == 0 && (c % b->p.block == 0 || i + 1 == n->n_inputs))
            return true;
        first += c;
    }
    return false;
}

static bool is_join(const struct al_builder *b, const struct al_node *n)
{
    size_t rank = al_value_of(b, n->outputs[0])->shape.rank, axis = 0;

    if (n->op != AL_OP_CONCAT || rank < 3 ||
        al_param_axis(al_node_int(n, "axis", 1), rank, &axis, NULL) != AL_OK ||
        axis + 2 >= rank)
        return false;
    for (size_t i = 0; i < n->n_inputs; i++)
        if (!is_listed(b, n->inputs[i]))
            return false;
    return rank != 4 || axis != 1 || !joins_in_place(b, n);
}

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    switch ((int)n->op) {
    case AL_OP_CONCAT:
        if (!is_join(b, n))
            return false;
        break;
    case AL_OP_RESHAPE:
    case AL_OP_SQUEEZE:
    case AL_OP_UNSQUEEZE:
    case AL_OP_TRANSPOSE:
    case AL_OP_SLICE:
    case AL_OP_SPLIT:
        if (!is_listed(b, n->inputs[0]) || !keeps_planes_whole(b, n))
            return false;
        break;
    default:
        return false;
    }
    for (size_t i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != AL_NO_VALUE && !has_planes(b, n, n->outputs[i]))
            return false;
    uint64_t planes = al_value_count(al_value_of(b, n->outputs[0]));
    const struct al_shape *s = &al_value_of(b, n->outputs[0])->shape;
    return planes / (uint64_t)(s->dims[s->rank - 2] * s->dims[s->rank - 1]) <=
           MAX_CHANNELS;
}

/* ---- lists ---- */

static size_t n_sources(const struct al_selection *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n && n <= MAX_SOURCES; i++) {
        size_t k = 0;
        while (k < i && s->at[k].buffer != s->at[i].buffer)
            k++;
        n += k == i;
    }
    return n;
}

/* The channels of `value`; `*ret_n` of them. */
static enum al_status list_of(struct al_builder *b, uint32_t value,
                              const struct al_channel **ret, size_t *ret_n,
                              struct al_error *err)
{
    const struct al_selection *s = al_selection_find(b, value);
    uint32_t buffer = al_build_find(b, value, AL_FORM_BLOCKED);

    if (buffer == AL_NO_BUFFER &&
        (n_sources(s) <= MAX_SOURCES || !al_value_is_map(al_value_of(b, value)))) {
        *ret = s->at;
        *ret_n = s->n;
        return AL_OK;
    }
    enum al_status status = al_build_read(b, value, AL_FORM_BLOCKED, &buffer, err);
    if (status != AL_OK)
        return status;
    size_t n = (size_t)al_value_of(b, value)->shape.dims[1];
    struct al_channel *at = al_build_temporary(b, n, sizeof(*at));
    if (!at)
        return al_fail(err, AL_NO_MEMORY, "a list of %zu channels", n);
    for (size_t i = 0; i < n; i++)
        at[i] = (struct al_channel){ buffer, (int32_t)i };
    *ret = at;
    *ret_n = n;
    return AL_OK;
}

/* How output channels, counted by `dims`, step through the input's: first + sum of place
 * times step. */
struct route {
    size_t rank;
    int64_t first, dims[AL_MAX_DIMS], step[AL_MAX_DIMS];
};

/* Adds the leading dimensions of `y` to the route, with the strides of those of `x`. */
static struct route route_of(const struct al_shape *x, const struct al_shape *y)
{
    struct route r = { .rank = y->rank - 2 };
    int64_t stride = 1;

    for (size_t k = x->rank - 2; k-- > 0; stride *= x->dims[k])
        r.step[k] = stride;
    for (size_t k = 0; k < r.rank; k++)
        r.dims[k] = y->dims[k];
    return r;
}

/* The output's list: `from` as the route goes. */
static enum al_status follow(struct al_builder *b, uint32_t node, uint32_t output,
                             const struct route *r, const struct al_channel *from,
                             struct al_error *err)
{
    size_t n = 1;

    for (size_t k = 0; k < r->rank; k++)
        n *= (size_t)r->dims[k];
    struct al_channel *at = al_build_temporary(b, n, sizeof(*at));
    if (!at)
        return al_fail(err, AL_NO_MEMORY, "a list of %zu channels", n);
    for (size_t i = 0; i < n; i++) {
        int64_t place = r->first;
        size_t rest = i;
        for (size_t k = r->rank; k-- > 0; rest /= (size_t)r->dims[k])
            place += (int64_t)(rest % (size_t)r->dims[k]) * r->step[k];
        at[i] = from[place];
    }
    return al_selection_add(b, output, node, at, n, err);
}

/* ---- the operators ---- */

static enum al_status transpose(struct al_builder *b, uint32_t id,
                                const struct al_channel *from, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    const struct al_shape *x = &al_value_of(b, n->inputs[0])->shape;
    const struct al_shape *y = &al_value_of(b, n->outputs[0])->shape;
    struct route r = route_of(x, y), turned = r;
    const int64_t *perm = NULL;
    size_t rank;

    (void)al_node_ints(n, "perm", &perm, &rank);
    for (size_t k = 0; k < r.rank; k++)
        turned.step[k] = r.step[perm[k]];
    return follow(b, id, n->outputs[0], &turned, from, err);
}

static enum al_status slice(struct al_builder *b, uint32_t id,
                            const struct al_channel *from, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    struct al_tensor in[5] = { 0 };
    struct al_args a = args_of(b, n, in);
    struct route r = route_of(&in[0].shape, &al_value_of(b, n->outputs[0])->shape);
    struct al_slice cut;
    enum al_status s = al_param_slice(&a, &cut, err);

    if (s != AL_OK)
        return s;
    for (size_t k = 0; k < r.rank; k++) {
        r.first += cut.start[k] * r.step[k];
        r.step[k] *= cut.step[k];
    }
    return follow(b, id, n->outputs[0], &r, from, err);
}

static enum al_status split(struct al_builder *b, uint32_t id,
                            const struct al_channel *from, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    const struct al_shape *x = &al_value_of(b, n->inputs[0])->shape;
    struct al_tensor in[5] = { 0 };
    struct al_args a = args_of(b, n, in);
    int64_t sizes[AL_MAX_SPLIT], first = 0;
    size_t axis = 0;
    enum al_status s = al_param_axis(al_node_int(n, "axis", 0), x->rank, &axis, err);

    if (s == AL_OK)
        s = al_param_split(&a, n->n_outputs, axis, sizes, err);
    for (size_t i = 0; s == AL_OK && i < n->n_outputs; first += sizes[i++]) {
        struct al_shape y = *x;

        y.dims[axis] = sizes[i];
        struct route r = route_of(x, &y);
        r.first = first * r.step[axis];
        if (n->outputs[i] != AL_NO_VALUE)
            s = follow(b, id, n->outputs[i], &r, from, err);
    }
    return s;
}

/* Channels before the axis go round; those from it on are copied as they are. */
static enum al_status join(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    const struct al_shape *y = &al_value_of(b, n->outputs[0])->shape;
    size_t axis = 0, all = 1, outer = 1, at_end = 0;
    enum al_status s = al_param_axis(al_node_int(n, "axis", 1), y->rank, &axis, err);

    for (size_t k = 0; k + 2 < y->rank; k++) {
        all *= (size_t)y->dims[k];
        outer *= k < axis ? (size_t)y->dims[k] : 1;
    }
    struct al_channel *at = al_build_temporary(b, all, sizeof(*at));
    if (!at)
        return al_fail(err, AL_NO_MEMORY, "a list of %zu channels", all);
    for (size_t i = 0; s == AL_OK && i < n->n_inputs; i++) {
        const struct al_channel *from;
        size_t n_from;
        s = list_of(b, n->inputs[i], &from, &n_from, err);
        for (size_t k = 0; s == AL_OK && k < n_from; k++)
            at[k / (n_from / outer) * (all / outer) + at_end + k % (n_from / outer)] =
                from[k];
        at_end += s == AL_OK ? n_from / outer : 0;
    }
    return s == AL_OK ? al_selection_add(b, n->outputs[0], id, at, all, err) : s;
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    const struct al_channel *from;
    size_t n_from;

    if (n->op == AL_OP_CONCAT)
        return join(b, id, err);
    enum al_status s = list_of(b, n->inputs[0], &from, &n_from, err);
    if (s != AL_OK)
        return s;
    if (n->op == AL_OP_TRANSPOSE)
        return transpose(b, id, from, err);
    if (n->op == AL_OP_SLICE)
        return slice(b, id, from, err);
    if (n->op == AL_OP_SPLIT)
        return split(b, id, from, err);
    return al_selection_add(b, n->outputs[0], id, from, n_from, err);
}

const struct al_family al_family_channels = { fits, lower };
