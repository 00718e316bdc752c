/* Reductions and orderings along axes. */
#include <math.h>

#include "engine/exec/eval_impl.h"

/* ---- Reduce* ---- */

/* The reduced axes as a shape of their own, walked with the input's strides. */
struct axis_list {
    size_t n, dims[AL_MAX_DIMS], strides[AL_MAX_DIMS];
};

/* Kept and reduced axes of the node's input. */
static void split_axes(const struct al_eval *e, struct axis_list *kept,
                       struct axis_list *reduced)
{
    const struct al_shape *s = &e->in[0].shape;
    struct al_args a = al_eval_args(e);
    size_t strides[AL_MAX_DIMS];
    bool axes[AL_MAX_DIMS] = { false };

    (void)!al_param_reduce(&a, axes, NULL);
    al_strides(s, strides);
    kept->n = reduced->n = 0;
    for (size_t k = 0; k < s->rank; k++) {
        struct axis_list *l = axes[k] ? reduced : kept;
        l->dims[l->n] = (size_t)s->dims[k];
        l->strides[l->n++] = strides[k];
    }
}

static size_t count_of(const struct axis_list *l)
{
    size_t n = 1;

    for (size_t k = 0; k < l->n; k++)
        n *= l->dims[k];
    return n;
}

/* Input offset of element i of the list's shape. */
static size_t offset_of(const struct axis_list *l, size_t i)
{
    size_t off = 0;

    for (size_t k = l->n; k-- > 0; i /= l->dims[k])
        off += i % l->dims[k] * l->strides[k];
    return off;
}

static double reduce_double(enum al_op op, double acc, double v)
{
    if (op == AL_OP_REDUCE_MAX)
        return v > acc || isnan(v) ? v : acc;
    if (op == AL_OP_REDUCE_MIN)
        return v < acc || isnan(v) ? v : acc;
    return acc + v;
}

static void reduce_floats(const struct al_eval *e)
{
    struct axis_list kept, reduced;
    enum al_op op = e->node->op;

    split_axes(e, &kept, &reduced);
    size_t outer = count_of(&kept), n = count_of(&reduced);
    for (size_t o = 0; o < outer; o++) {
        size_t base = offset_of(&kept, o);
        double acc = al_load_double(&e->in[0], base);
        for (size_t i = 1; i < n; i++)
            acc = reduce_double(op, acc,
                                al_load_double(&e->in[0], base + offset_of(&reduced, i)));
        al_store_double(&e->out[0], o, op == AL_OP_REDUCE_MEAN ? acc / (double)n : acc);
    }
}

static int64_t reduce_int(enum al_op op, int64_t acc, int64_t v)
{
    if (op == AL_OP_REDUCE_MAX)
        return v > acc ? v : acc;
    if (op == AL_OP_REDUCE_MIN)
        return v < acc ? v : acc;
    return (int64_t)((uint64_t)acc + (uint64_t)v);
}

static void reduce_ints(const struct al_eval *e)
{
    struct axis_list kept, reduced;
    enum al_op op = e->node->op;

    split_axes(e, &kept, &reduced);
    size_t outer = count_of(&kept), n = count_of(&reduced);
    for (size_t o = 0; o < outer; o++) {
        size_t base = offset_of(&kept, o);
        int64_t acc = al_load_int(&e->in[0], base);
        for (size_t i = 1; i < n; i++)
            acc = reduce_int(op, acc,
                             al_load_int(&e->in[0], base + offset_of(&reduced, i)));
        al_store_int(&e->out[0], o, op == AL_OP_REDUCE_MEAN ? acc / (int64_t)n : acc);
    }
}

/* ---- ArgMax and TopK ---- */

/* One line of the input along an axis. */
struct line {
    const struct al_tensor *t;
    size_t at, step, n;
    bool ints, largest;
};

/* Whether element i comes before element j, which stands earlier in the line. */
static bool precedes(const struct line *l, size_t i, size_t j)
{
    size_t a = l->at + i * l->step, b = l->at + j * l->step;

    if (l->ints) {
        int64_t p = al_load_int(l->t, a), q = al_load_int(l->t, b);
        return l->largest ? p > q : p < q;
    }
    double p = al_load_double(l->t, a), q = al_load_double(l->t, b);
    return l->largest ? p > q : p < q;
}

struct lines {
    size_t outer, n, inner;
    struct line line;
};

static struct lines lines_of(const struct al_eval *e, int64_t axis)
{
    const struct al_shape *s = &e->in[0].shape;
    size_t at = 0;

    (void)!al_param_axis(axis, s->rank, &at, NULL);
    struct lines l = { al_dims_product(s, 0, at),
                       (size_t)s->dims[at],
                       al_dims_product(s, at + 1, s->rank),
                       { .t = &e->in[0], .largest = true } };
    l.line.n = l.n;
    l.line.step = l.inner;
    l.line.ints = e->in[0].dtype != AL_F32 && e->in[0].dtype != AL_F64;
    return l;
}

static void arg_max(const struct al_eval *e)
{
    struct lines l = lines_of(e, al_node_int(e->node, "axis", 0));
    bool last = al_node_int(e->node, "select_last_index", 0) != 0;
    int64_t *y = e->out[0].data;

    for (size_t o = 0; o < l.outer; o++)
        for (size_t i = 0; i < l.inner; i++) {
            size_t best = 0;
            l.line.at = o * l.n * l.inner + i;
            for (size_t k = 1; k < l.n; k++)
                if (precedes(&l.line, k, best) || (last && !precedes(&l.line, best, k)))
                    best = k;
            *y++ = (int64_t)best;
        }
}

static void copy_number(const struct al_tensor *from, size_t i,
                        const struct al_tensor *to, size_t j, bool ints)
{
    if (ints)
        al_store_int(to, j, al_load_int(from, i));
    else
        al_store_double(to, j, al_load_double(from, i));
}

/* Keeps the best k so far in order; equals stay in the order they came in. */
static void top_k_line(const struct line *l, const struct al_eval *e, size_t out,
                       size_t k)
{
    int64_t *index = (int64_t *)e->out[1].data + out;
    size_t kept = 0;

    for (size_t i = 0; i < l->n && k; i++) {
        if (kept == k && !precedes(l, i, (size_t)index[(k - 1) * l->step]))
            continue;
        size_t at = kept < k ? kept++ : k - 1;
        for (; at && precedes(l, i, (size_t)index[(at - 1) * l->step]); at--)
            index[at * l->step] = index[(at - 1) * l->step];
        index[at * l->step] = (int64_t)i;
    }
    for (size_t j = 0; j < k; j++)
        copy_number(l->t, l->at + (size_t)index[j * l->step] * l->step, &e->out[0],
                    out + j * l->step, l->ints);
}

static void top_k(const struct al_eval *e)
{
    int64_t axis = al_node_int(e->node, "axis", -1);
    struct lines l = lines_of(e, axis);
    size_t at = (size_t)(axis < 0 ? axis + (int64_t)e->in[0].shape.rank : axis);
    size_t k = (size_t)e->out[0].shape.dims[at];

    l.line.largest = al_node_int(e->node, "largest", 1) != 0;
    for (size_t o = 0; o < l.outer; o++)
        for (size_t i = 0; i < l.inner; i++) {
            l.line.at = o * l.n * l.inner + i;
            top_k_line(&l.line, e, o * k * l.inner + i, k);
        }
}

void al_eval_rows_reduce(struct al_eval_row *rows)
{
    struct al_eval_row reduce = { .f32 = reduce_floats,
                                  .f64 = reduce_floats,
                                  .ints = reduce_ints };

    rows[AL_OP_REDUCE_MEAN] = reduce;
    rows[AL_OP_REDUCE_SUM] = reduce;
    rows[AL_OP_REDUCE_MAX] = reduce;
    rows[AL_OP_REDUCE_MIN] = reduce;
    rows[AL_OP_ARG_MAX] =
        (struct al_eval_row){ .f32 = arg_max, .f64 = arg_max, .ints = arg_max };
    rows[AL_OP_TOP_K] = (struct al_eval_row){ .f32 = top_k, .f64 = top_k, .ints = top_k };
}
