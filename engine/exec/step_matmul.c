/* step_matmul.c — products of two values that are both computed (attention): each right
 * matrix is packed when it is there, then takes the way of a fully
 * connected layer. */
#include "engine/base/check.h"
#include "engine/exec/family.h"

struct matmul_args {
    size_t n_products; /* of one lane */
    size_t m, k, n;    /* [m][k] times [k][n] */
    const float *bias; /* n floats */
    struct al_post post;
    bool has_add;    /* in[2], before the activation */
    bool transposed; /* the right matrices are [n][k] */
    const struct al_kern *kern;
};

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    if (n->op != AL_OP_MATMUL)
        return false;

    const struct al_value *x = al_value_of(b, n->inputs[0]);
    const struct al_value *w = al_value_of(b, n->inputs[1]);
    size_t rank = x->shape.rank;
    if (x->dtype != AL_F32 || w->dtype != AL_F32 || rank < 2 || w->shape.rank != rank ||
        !al_value_count(x) || !al_value_count(w))
        return false;
    for (size_t i = 0; i + 2 < rank; i++)
        if (x->shape.dims[i] != w->shape.dims[i])
            return false;
    if (al_node_input(n, 2) != AL_NO_VALUE &&
        (!al_is_float_constant(b, n->inputs[2]) ||
         al_value_count(al_value_of(b, n->inputs[2])) !=
             (uint64_t)w->shape.dims[rank - 1]))
        return false;
    return n->post.add == AL_NO_VALUE ||
           al_value_count(al_value_of(b, n->post.add)) ==
               al_value_count(al_value_of(b, n->outputs[0]));
}

/* ---- a right operand that is transposed is packed from what it was before ---- */

static bool swaps_last_two(const struct al_builder *b, const struct al_node *n)
{
    size_t rank = al_value_of(b, n->inputs[0])->shape.rank, n_perm;
    const int64_t *perm;

    if (rank < 2 || !al_node_ints(n, "perm", &perm, &n_perm))
        return false;
    for (size_t k = 0; k + 2 < rank; k++)
        if (perm[k] != (int64_t)k)
            return false;
    return perm[rank - 2] == (int64_t)rank - 1;
}

/* Whether nothing reads the value but products that pack it. */
static bool is_packed_only(const struct al_builder *b, uint32_t value)
{
    size_t uses = al_graph_n_uses(b->p.graph, value);

    for (uint32_t i = 0; i < al_graph_n_nodes(b->p.graph) && uses; i++) {
        const struct al_node *n = al_graph_node(b->p.graph, i);
        if (n->op == AL_OP_MATMUL && n->inputs[1] == value && n->inputs[0] != value &&
            n->post.add != value && fits(b, n))
            uses--;
    }
    return !uses;
}

static bool fits_transposed(const struct al_builder *b, const struct al_node *n)
{
    return n->op == AL_OP_TRANSPOSE && al_value_of(b, n->inputs[0])->dtype == AL_F32 &&
           al_graph_n_uses(b->p.graph, n->outputs[0]) > 0 && swaps_last_two(b, n) &&
           is_packed_only(b, n->outputs[0]);
}

static enum al_status lower_transposed(struct al_builder *b, uint32_t id,
                                       struct al_error *err)
{
    (void)b;
    (void)id;
    (void)err;
    return AL_OK;
}

const struct al_family al_family_transposed = { fits_transposed, lower_transposed };

/* The right operand as it is read, and whether it is transposed then. */
static uint32_t right_of(const struct al_builder *b, const struct al_node *n,
                         bool *ret_transposed)
{
    uint32_t id = al_value_of(b, n->inputs[1])->producer;
    const struct al_node *t = id == AL_NO_NODE ? NULL : al_graph_node(b->p.graph, id);

    *ret_transposed = t && fits_transposed(b, t);
    return *ret_transposed ? t->inputs[0] : n->inputs[1];
}

/* ---- running ---- */

static void multiply(const struct matmul_args *a, struct al_run *r, const float *x,
                     const float *w, float *y)
{
    float *packed = (float *)(void *)r->scratch;

    (a->transposed ? a->kern->fc_pack : a->kern->fc_pack_columns)(a->k, a->n, w, packed);
    for (size_t i = 0; i < a->m; i++) {
        r->x[i] = x + i * a->k;
        r->y[i] = y + i * a->n;
    }
    const struct al_fc fc = { .n_in = a->k,
                              .n_out = a->n,
                              .weights = packed,
                              .bias = a->bias,
                              .n_rows = a->m,
                              .x = r->x,
                              .y = r->y,
                              .post = a->has_add ? (struct al_post){ 0 } : a->post,
                              .tile_end = al_fc_tiles(a->n) };
    a->kern->fc(&fc);
}

static void run_matmul(const struct al_step *s, struct al_run *r)
{
    const struct matmul_args *a = s->args;

    for (size_t i = 0; i < r->n; i++) {
        const struct al_lane *lane = &r->lanes[i];
        const float *x = al_at(&s->in[0], lane);
        const float *w = al_at(&s->in[1], lane);
        float *y = al_at(&s->out[0], lane);

        for (size_t p = 0; p < a->n_products; p++)
            multiply(a, r, x + p * a->m * a->k, w + p * a->k * a->n, y + p * a->m * a->n);
        if (a->has_add)
            a->kern->add_vector(a->post, a->n_products * a->m * a->n, y,
                                al_at(&s->in[2], lane), y);
    }
}

/* ---- building ---- */

static enum al_status set_memory(struct al_builder *b, struct al_draft *d,
                                 struct matmul_args *a, struct al_error *err)
{
    if (!al_mul(al_fc_packed_floats(a->k, a->n), sizeof(float), &d->step.scratch_bytes))
        return al_fail(err, AL_TOO_LARGE, "a matrix of %zux%zu", a->k, a->n);
    uint32_t bias = al_node_input(al_graph_node(b->p.graph, d->node), 2);
    a->bias = bias == AL_NO_VALUE ? al_build_alloc(b, a->n, sizeof(float))
                                  : al_build_constant(b, bias);
    return a->bias ? AL_OK : al_fail(err, AL_NO_MEMORY, "a product");
}

static enum al_status finish(struct al_builder *b, struct al_draft *d,
                             struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    const struct al_shape *x = &al_value_of(b, n->inputs[0])->shape;
    const struct al_shape *w = &al_value_of(b, n->inputs[1])->shape;
    struct matmul_args *a = al_build_alloc(b, 1, sizeof(*a));

    if (!a)
        return al_fail(err, AL_NO_MEMORY, "a product");
    a->m = (size_t)x->dims[x->rank - 2];
    a->k = (size_t)x->dims[x->rank - 1];
    a->n = (size_t)w->dims[w->rank - 1];
    a->n_products = al_value_count(al_value_of(b, n->inputs[0])) / (a->m * a->k);
    a->kern = b->kern;
    a->has_add = n->post.add != AL_NO_VALUE;
    (void)right_of(b, n, &a->transposed);
    a->post = al_post_of(n);
    d->step.run = run_matmul;
    d->step.args = a;
    d->step.kernel = b->kern->name;
    d->step.macs = (uint64_t)a->n_products * a->m * a->k * a->n;
    d->step.n_pointers = a->m;
    return set_memory(b, d, a, err);
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    uint32_t in[3], out;
    bool transposed;
    const uint32_t operands[2] = { n->inputs[0], right_of(b, n, &transposed) };
    size_t n_in = 0;
    struct al_draft *d;
    enum al_status s = AL_OK;

    for (size_t i = 0; s == AL_OK && i < 2; i++)
        s = al_build_read(b, operands[i], AL_FORM_PLAIN, &in[n_in++], err);
    if (s == AL_OK && n->post.add != AL_NO_VALUE)
        s = al_build_read(b, n->post.add, AL_FORM_PLAIN, &in[n_in++], err);
    if (s == AL_OK)
        s = al_build_write(b, n->outputs[0], AL_FORM_PLAIN, &out, err);
    if (s == AL_OK)
        s = al_build_step(b, id, in, n_in, &out, 1, finish, &d, err);
    return s;
}

const struct al_family al_family_matmul = { fits, lower };
