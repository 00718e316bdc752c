/* step_fc.c — fully connected layers: Gemm and MatMul by a constant matrix. Every vector
 * along the last axis of the operand is one row of the kernel's product, so a picture's
 * single feature vector and a transformer's tokens take the same way. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/exec/family.h"
#include "engine/exec/share.h"
#include "engine/kern/fc_amx.h"

/* bfloat16 halves the bytes of a matrix, which pays where they come from beyond the
 * second-level cache; a smaller matrix is faster as it is. */
#define BF16_LEAST_WEIGHTS ((size_t)1 << 18)
/* Tiles of AMX compute 16 vectors at once; with fewer in every run the matrix is what a
 * layer waits for, and no kernel brings it faster. */
#define AMX_LEAST_VECTORS  16

struct fc_args {
    struct al_fc fc;     /* what is the same in every run */
    size_t n_vectors;    /* of one lane */
    bool has_add;        /* in[1] is added before the activation */
    struct al_post post; /* then */
    const struct al_kern *kern;
    struct al_fc_algo algo;
};

/* The constant matrix is [n_in][n_out], or [n_out][n_in] when transposed. */
struct matrix {
    size_t n_in, n_out;
    bool transposed;
    float alpha, beta;
};

static struct matrix matrix_of(const struct al_builder *b, const struct al_node *n)
{
    const struct al_shape *w = &al_value_of(b, n->inputs[1])->shape;
    bool gemm = n->op == AL_OP_GEMM;
    struct matrix m = { .alpha = gemm ? al_node_float(n, "alpha", 1) : 1,
                        .beta = gemm ? al_node_float(n, "beta", 1) : 1 };

    m.transposed = gemm && al_node_int(n, "transB", 0);
    m.n_in = (size_t)w->dims[m.transposed ? 1 : 0];
    m.n_out = (size_t)w->dims[m.transposed ? 0 : 1];
    return m;
}

/* One number for each output, or one for all. */
static bool is_bias(const struct al_builder *b, uint32_t value, size_t n_out)
{
    const struct al_value *v;

    if (value == AL_NO_VALUE)
        return true;
    v = al_value_of(b, value);
    if (!al_is_float_constant(b, value))
        return false;
    uint64_t count = al_value_count(v);
    return count == 1 ||
           (count == n_out && v->shape.dims[v->shape.rank - 1] == (int64_t)n_out);
}

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    if (n->op != AL_OP_GEMM && n->op != AL_OP_MATMUL)
        return false;

    const struct al_value *x = al_value_of(b, n->inputs[0]);
    const struct al_value *w = al_value_of(b, n->inputs[1]);
    if (x->dtype != AL_F32 || x->data || x->shape.rank < 2 || w->shape.rank != 2 ||
        !al_is_float_constant(b, n->inputs[1]) || !al_value_count(w) ||
        !al_value_count(x))
        return false;
    if (n->op == AL_OP_GEMM && al_node_int(n, "transA", 0))
        return false;
    if (n->post.add != AL_NO_VALUE && al_value_count(al_value_of(b, n->post.add)) !=
                                          al_value_count(al_value_of(b, n->outputs[0])))
        return false;
    return is_bias(b, al_node_input(n, 2), matrix_of(b, n).n_out);
}

/* ---- running ---- */

struct job {
    struct al_fc fc;
    const struct al_fc_algo *algo;
};

static void run_tiles(void *arg, size_t begin, size_t end, void *scratch)
{
    const struct job *job = arg;
    struct al_fc fc = job->fc;

    (void)scratch;
    fc.tile_begin = begin;
    fc.tile_end = end;
    job->algo->run(&fc);
}

static void finish_lane(const struct fc_args *a, const struct al_step *s,
                        const struct al_lane *lane)
{
    if (a->has_add)
        a->kern->add_vector(a->post, a->n_vectors * a->fc.n_out, al_at(&s->out[0], lane),
                            al_at(&s->in[1], lane), al_at(&s->out[0], lane));
}

static void run_fc(const struct al_step *s, struct al_run *r)
{
    const struct fc_args *a = s->args;
    struct job job = { a->fc, &a->algo };
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++) {
        const float *x = al_at(&s->in[0], &r->lanes[i]);
        float *y = al_at(&s->out[0], &r->lanes[i]);

        for (size_t k = 0; k < a->n_vectors; k++, n++) {
            r->x[n] = x + k * a->fc.n_in;
            r->y[n] = y + k * a->fc.n_out;
        }
    }
    job.fc.n_rows = n;
    job.fc.x = r->x;
    job.fc.y = r->y;
    al_share(r, s, al_fc_tiles(a->fc.n_out), run_tiles, &job);
    for (size_t i = 0; i < r->n; i++)
        finish_lane(a, s, &r->lanes[i]);
}

/* ---- building ---- */

/* alpha * W; the caller frees it. */
static float *scaled_matrix(const struct matrix *m, const float *w)
{
    float *scaled = malloc(m->n_in * m->n_out * sizeof(*scaled));

    for (size_t i = 0; scaled && i < m->n_in * m->n_out; i++)
        scaled[i] = m->alpha * w[i];
    return scaled;
}

static struct al_fc_algo algo_of(const struct al_builder *b, const struct matrix *m,
                                 size_t n_vectors)
{
    const struct al_fc_algo *bf16 = al_fc_bf16(b->p.cpu_flags);
    const struct al_fc_algo *amx = al_fc_amx(b->p.cpu_flags, b->p.precision);

    if (amx && n_vectors >= AMX_LEAST_VECTORS && m->n_out >= AL_FC_TILE)
        return *amx;
    if (bf16 && b->p.precision == AL_CONV_BF16 && m->n_out >= AL_FC_TILE &&
        m->n_in * m->n_out >= BF16_LEAST_WEIGHTS)
        return *bf16;
    return (struct al_fc_algo){ .name = b->kern->name,
                                .packed_floats = al_fc_packed_floats,
                                .pack = b->kern->fc_pack,
                                .pack_columns = b->kern->fc_pack_columns,
                                .run = b->kern->fc };
}

static enum al_status pack_matrix(struct al_builder *b, const struct al_fc_algo *algo,
                                  const struct matrix *m, const float *w,
                                  const float **ret, struct al_error *err)
{
    float *packed =
        al_build_alloc(b, algo->packed_floats(m->n_in, m->n_out), sizeof(float));
    bool as_it_is = m->alpha >= 1 && m->alpha <= 1;
    float *scaled = as_it_is ? NULL : scaled_matrix(m, w);

    if (packed && (scaled || as_it_is))
        (m->transposed ? algo->pack : algo->pack_columns)(m->n_in, m->n_out,
                                                          scaled ? scaled : w, packed);
    free(scaled);
    if (!packed || !(scaled || as_it_is))
        return al_fail(err, AL_NO_MEMORY, "a matrix of %zux%zu", m->n_in, m->n_out);
    *ret = packed;
    return AL_OK;
}

static enum al_status copy_bias(struct al_builder *b, const struct matrix *m,
                                uint32_t value, const float **ret, struct al_error *err)
{
    float *bias = al_build_alloc(b, m->n_out, sizeof(*bias));
    const struct al_value *v = value == AL_NO_VALUE ? NULL : al_value_of(b, value);
    const float *from = v ? v->data : NULL;

    if (!bias)
        return al_fail(err, AL_NO_MEMORY, "a bias of %zu", m->n_out);
    for (size_t o = 0; from && o < m->n_out; o++)
        bias[o] = m->beta * from[al_value_count(v) == 1 ? 0 : o];
    *ret = bias;
    return AL_OK;
}

static enum al_status finish(struct al_builder *b, struct al_draft *d,
                             struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    struct matrix m = matrix_of(b, n);
    struct fc_args *a = al_build_alloc(b, 1, sizeof(*a));
    enum al_status s;

    if (!a)
        return al_fail(err, AL_NO_MEMORY, "a fully connected layer");
    a->kern = b->kern;
    a->n_vectors = al_value_count(al_value_of(b, n->inputs[0])) / m.n_in;
    a->algo = algo_of(b, &m, a->n_vectors);
    a->has_add = d->step.n_in > 1;
    a->post = al_post_of(n);
    a->fc.n_in = m.n_in;
    a->fc.n_out = m.n_out;
    if (!a->has_add)
        a->fc.post = a->post;
    s = pack_matrix(b, &a->algo, &m, al_value_of(b, n->inputs[1])->data, &a->fc.weights,
                    err);
    al_graph_release(b->p.graph, n->inputs[1]);
    if (s == AL_OK)
        s = copy_bias(b, &m, al_node_input(n, 2), &a->fc.bias, err);
    if (s != AL_OK)
        return s;
    d->step.run = run_fc;
    d->step.args = a;
    d->step.kernel = a->algo.name;
    if (a->algo.run != b->kern->fc)
        d->step.precision = b->p.precision;
    d->step.macs = (uint64_t)a->n_vectors * m.n_in * m.n_out;
    d->step.n_pointers = a->n_vectors;
    d->step.weight_bytes =
        (a->algo.packed_floats(m.n_in, m.n_out) + m.n_out) * sizeof(float);
    return AL_OK;
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    uint32_t in[2], out;
    size_t n_in = 1;
    struct al_draft *d;
    enum al_status s = al_build_read(b, n->inputs[0], AL_FORM_PLAIN, &in[0], err);

    if (s == AL_OK && n->post.add != AL_NO_VALUE)
        s = al_build_read(b, n->post.add, AL_FORM_PLAIN, &in[n_in++], err);
    if (s == AL_OK)
        s = al_build_write(b, n->outputs[0], AL_FORM_PLAIN, &out, err);
    if (s == AL_OK)
        s = al_build_step(b, id, in, n_in, &out, 1, finish, &d, err);
    return s;
}

const struct al_family al_family_fc = { fits, lower };
