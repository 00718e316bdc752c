/* step_attention.c — attention with several heads. Queries, keys and values are read
 * where they lie, rows of a head apart from one another as the product before left them;
 * results are written as the product behind will read them, [row][head][value], of which
 * the value itself is a transposition (moved.h). Heads are shared among threads. */
#include <math.h>

#include "engine/exec/family.h"
#include "engine/exec/moved.h"
#include "engine/exec/share.h"

/* Matrices of one operand: elements from the buffer's first on. */
struct operand {
    size_t first, head; /* first element; from head to head */
    size_t row;         /* from row to row */
};

struct attention_args {
    struct al_attention one; /* a head, without its matrices */
    struct operand in[3], out;
    size_t n_heads;
    const struct al_kern *kern;
};

static float factor_of(const struct al_builder *b, const struct al_node *n)
{
    const struct al_shape *q = &al_value_of(b, n->inputs[0])->shape;

    return al_node_float(n, "scale", 1 / sqrtf((float)q->dims[3]));
}

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    if (n->op != AL_OP_ATTENTION)
        return false;

    const struct al_value *q = al_value_of(b, n->inputs[0]);
    const struct al_value *v = al_value_of(b, n->inputs[2]);
    const float factor = factor_of(b, n);
    return q->dtype == AL_F32 && q->shape.dims[0] == 1 && al_value_count(q) &&
           al_value_count(v) && factor > 0 && isfinite(factor);
}

/* ---- running ---- */

struct job {
    const struct al_step *step;
    const struct al_run *run;
};

static float *matrix_of(const struct al_place *p, const struct al_lane *lane,
                        const struct operand *o, size_t head)
{
    return (float *)al_at(p, lane) + o->first + head * o->head;
}

static void run_heads(void *arg, size_t begin, size_t end, void *scratch)
{
    const struct job *job = arg;
    const struct al_step *s = job->step;
    const struct attention_args *a = s->args;

    for (size_t i = begin; i < end; i++) {
        const struct al_lane *lane = &job->run->lanes[i / a->n_heads];
        const size_t head = i % a->n_heads;
        struct al_attention one = a->one;

        one.q = matrix_of(&s->in[0], lane, &a->in[0], head);
        one.k = matrix_of(&s->in[1], lane, &a->in[1], head);
        one.v = matrix_of(&s->in[2], lane, &a->in[2], head);
        one.y = matrix_of(&s->out[0], lane, &a->out, head);
        a->kern->attend(&one, scratch);
    }
}

static void run_attention(const struct al_step *s, struct al_run *r)
{
    const struct attention_args *a = s->args;
    struct job job = { s, r };

    al_share(r, s, r->n * a->n_heads, run_heads, &job);
}

/* ---- building ---- */

static enum al_status finish(struct al_builder *b, struct al_draft *d,
                             struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    const int64_t *q = al_value_of(b, n->inputs[0])->shape.dims;
    const int64_t *v = al_value_of(b, n->inputs[2])->shape.dims;
    const struct operand *in = d->own;
    struct attention_args *a = al_build_alloc(b, 1, sizeof(*a));

    if (!a)
        return al_fail(err, AL_NO_MEMORY, "attention");
    a->kern = b->kern;
    a->n_heads = (size_t)q[1];
    for (size_t i = 0; i < 3; i++)
        a->in[i] = in[i];
    a->out = (struct operand){ .head = (size_t)v[3], .row = a->n_heads * (size_t)v[3] };
    a->one = (struct al_attention){ .n_queries = (size_t)q[2],
                                    .n_keys = (size_t)v[2],
                                    .n_features = (size_t)q[3],
                                    .n_values = (size_t)v[3],
                                    .factor = factor_of(b, n),
                                    .q_step = in[0].row,
                                    .k_step = in[1].row,
                                    .v_step = in[2].row,
                                    .y_step = a->out.row };
    d->step.run = run_attention;
    d->step.args = a;
    d->step.kernel = b->kern->name;
    d->step.scratch_bytes = al_attention_floats(&a->one) * sizeof(float);
    d->step.macs = (uint64_t)a->n_heads * a->one.n_queries * a->one.n_keys *
                   (a->one.n_features + a->one.n_values);
    return AL_OK;
}

/* Where `value`, [1][heads][rows][width], lies when a row's elements are neighbours;
 * otherwise it is written so. */
static enum al_status read_heads(struct al_builder *b, uint32_t value, uint32_t *ret,
                                 struct operand *o, struct al_error *err)
{
    const struct al_shape *shape = &al_value_of(b, value)->shape;
    size_t step[AL_MAX_DIMS];
    struct al_moved m;
    enum al_status s = al_moved_where(b, value, &m, err);

    if (s != AL_OK)
        return s;
    if (!al_moved_steps(&m, shape, step) || step[3] > 1) {
        s = al_build_read(b, value, AL_FORM_PLAIN, &m.buffer, err);
        m.first = 0;
        step[2] = (size_t)shape->dims[3];
        step[1] = (size_t)shape->dims[2] * step[2];
    }
    *ret = m.buffer;
    *o = (struct operand){ m.first, step[1], step[2] };
    return s;
}

/* The value is [1][heads][rows][width] of what is written, [rows][heads][width]. */
static enum al_status write_heads(struct al_builder *b, uint32_t value, uint32_t *ret,
                                  struct al_error *err)
{
    const int64_t *d = al_value_of(b, value)->shape.dims;
    const size_t heads = (size_t)d[1], rows = (size_t)d[2], width = (size_t)d[3];
    enum al_status s = al_build_write(b, value, AL_FORM_MOVED, ret, err);

    if (s != AL_OK)
        return s;
    const struct al_moved m = {
        .buffer = *ret,
        .n = 3,
        .loops = { { heads, width }, { rows, heads * width }, { width, 1 } }
    };
    return al_moved_add(b, value, &m, err);
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    struct operand *own = al_build_temporary(b, 3, sizeof(*own));
    uint32_t in[3], out;
    struct al_draft *d;
    enum al_status s = own ? AL_OK : al_fail(err, AL_NO_MEMORY, "attention");

    for (size_t i = 0; s == AL_OK && i < 3; i++)
        s = read_heads(b, n->inputs[i], &in[i], &own[i], err);
    if (s == AL_OK)
        s = write_heads(b, n->outputs[0], &out, err);
    if (s == AL_OK)
        s = al_build_step(b, id, in, 3, &out, 1, finish, &d, err);
    if (s == AL_OK)
        d->own = own;
    return s;
}

const struct al_family al_family_attention = { fits, lower };
