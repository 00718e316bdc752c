#include "tests/kern/problem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/kern/bf16.h"
#include "engine/kern/cpu.h"

static size_t in_floats(const struct al_conv_shape *s)
{
    return (size_t)s->in_c * (size_t)s->in_h * (size_t)s->in_w;
}

static size_t out_floats(const struct al_conv_shape *s)
{
    return (size_t)s->out_c * (size_t)s->out_h * (size_t)s->out_w;
}

static bool is_bf16_level(void)
{
    return check_level & AL_CPU_AVX512_BF16 && !check_is_amx();
}

/* On the level of bfloat16 they are such numbers, so that products are exact. On that of
 * AMX they are not, or splitting them would not be tested. */
static float *random_floats(size_t n)
{
    float *p = malloc(n * sizeof(float));

    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        p[i] = check_random();
        if (is_bf16_level())
            p[i] = al_bf16_float(al_bf16(p[i]));
    }
    return p;
}

static double reference_sum(const struct problem *p, const float *x, int32_t k, int32_t i,
                            int32_t j)
{
    const struct al_conv_shape *s = &p->s;
    const int32_t in = s->in_c / s->groups, first = k / (s->out_c / s->groups) * in;
    const float *w = p->weights + (ptrdiff_t)k * in * s->kernel_h * s->kernel_w;
    double sum = (double)p->bias[k];

    for (int32_t c = first; c < first + in; c++) {
        for (int32_t r = 0; r < s->kernel_h; r++) {
            const int32_t y = i * s->stride_h - s->pad_top + r * s->dilation_h;
            for (int32_t q = 0; q < s->kernel_w; q++, w++) {
                const int32_t z = j * s->stride_w - s->pad_left + q * s->dilation_w;
                if (y >= 0 && y < s->in_h && z >= 0 && z < s->in_w)
                    sum += (double)*w *
                           (double)x[((ptrdiff_t)c * s->in_h + y) * s->in_w + z];
            }
        }
    }
    return sum;
}

static void reference(const struct problem *p, int row)
{
    const struct al_conv_shape *s = &p->s;
    size_t at = 0;

    for (int32_t k = 0; k < s->out_c; k++) {
        for (int32_t i = 0; i < s->out_h; i++) {
            for (int32_t j = 0; j < s->out_w; j++, at++) {
                double sum = reference_sum(p, p->x[row], k, i, j);
                if (p->with_add)
                    sum += (double)p->add[row][at];
                p->want[row][at] = reference_act((float)sum, p->act, p->act_a, p->act_b);
            }
        }
    }
}

/* In place: the largest of each 2x2, rows and columns halved. */
static void pool_result(const struct al_conv_shape *s, float *y)
{
    const int32_t h = s->out_h / 2, w = s->out_w / 2;

    for (int32_t i = 0; i < s->out_c * h; i++) {
        for (int32_t j = 0; j < w; j++) {
            const float *from = y + (ptrdiff_t)2 * i * s->out_w + (ptrdiff_t)2 * j;

            y[i * w + j] =
                fmaxf(fmaxf(from[0], from[1]), fmaxf(from[s->out_w], from[s->out_w + 1]));
        }
    }
}

void problem_fill(struct problem *p)
{
    const struct al_conv_shape *s = &p->s;

    p->weights = random_floats((size_t)s->out_c * (size_t)(s->in_c / s->groups) *
                               (size_t)(s->kernel_h * s->kernel_w));
    p->bias = random_floats((size_t)s->out_c);
    for (int r = 0; r < N_ROWS; r++) {
        p->x[r] = random_floats(in_floats(s));
        p->add[r] = random_floats(out_floats(s));
        p->want[r] = random_floats(out_floats(s));
        reference(p, r);
        if (s->max_pool)
            pool_result(s, p->want[r]);
    }
}

void problem_done(struct problem *p)
{
    free(p->weights);
    free(p->bias);
    for (int r = 0; r < N_ROWS; r++) {
        free(p->x[r]);
        free(p->add[r]);
        free(p->want[r]);
    }
}

/* The problem in the form one algorithm wants it. */
struct prepared {
    const struct al_conv_algo *algo;
    const struct problem *p;
    struct guarded weights, bias, scratch, x[N_ROWS], add[N_ROWS];
};

static struct guarded guarded_copy(const float *x, size_t n)
{
    struct guarded g = guarded_new(n);

    memcpy(g.data, x, n * sizeof(float));
    return g;
}

static struct prepared prepare(const struct al_conv_algo *a, const struct problem *p)
{
    const struct al_conv_shape *s = &p->s;
    const struct al_map in = { s->in_c, s->in_h, s->in_w, s->in_halo };
    const struct al_map add = { s->out_c, s->out_h, s->out_w, s->add_halo };
    const size_t bytes = a->scratch_bytes ? a->scratch_bytes(s, N_ROWS) : 0;
    struct prepared q = { .algo = a, .p = p };

    q.weights = guarded_new(a->packed_floats(s));
    a->pack(s, p->weights, q.weights.data);
    q.bias = guarded_new((size_t)((s->out_c + a->block - 1) / a->block * a->block));
    memset(q.bias.data, 0, q.bias.n * sizeof(float));
    memcpy(q.bias.data, p->bias, (size_t)s->out_c * sizeof(float));
    q.scratch = guarded_new(bytes / sizeof(float));
    for (int r = 0; r < N_ROWS; r++) {
        q.x[r] = s->planar_input ? guarded_copy(p->x[r], in_floats(s))
                                 : block_picture(&in, a->block, p->x[r]);
        q.add[r] = block_picture(&add, a->block, p->add[r]);
    }
    return q;
}

static void prepared_done(struct prepared *q)
{
    guarded_free(&q->weights);
    guarded_free(&q->bias);
    guarded_free(&q->scratch);
    for (int r = 0; r < N_ROWS; r++) {
        guarded_free(&q->x[r]);
        guarded_free(&q->add[r]);
    }
}

static struct al_map out_map(const struct problem *p)
{
    const int32_t by = p->s.max_pool ? 2 : 1;

    return (struct al_map){ p->s.out_c, p->s.out_h / by, p->s.out_w / by, p->s.out_halo };
}

/* Runs the rows listed in `rows` into y; tiles in descending order when `backwards`. */
static void run(struct prepared *q, size_t n_rows, const int *rows, bool backwards,
                struct guarded *y)
{
    const struct al_map m = out_map(q->p);
    const float *x[N_ROWS], *add[N_ROWS];
    float *out[N_ROWS];
    struct al_conv_run r = {
        .shape = &q->p->s,
        .weights = q->weights.data,
        .bias = q->bias.data,
        .n_rows = n_rows,
        .x = x,
        .add = q->p->with_add ? add : NULL,
        .y = out,
        .act = q->p->act,
        .act_a = q->p->act_a,
        .act_b = q->p->act_b,
        .scratch = q->scratch.data,
        .tile_end = q->algo->n_tiles(&q->p->s, n_rows),
    };

    for (size_t i = 0; i < n_rows; i++) {
        y[i] = guarded_random(al_map_floats(&m, q->algo->block));
        x[i] = q->x[rows[i]].data;
        add[i] = q->add[rows[i]].data;
        out[i] = y[i].data;
    }
    if (!backwards) {
        q->algo->run(&r);
        return;
    }
    for (size_t t = r.tile_end; t-- > 0;) {
        r.tile_begin = t;
        r.tile_end = t + 1;
        q->algo->run(&r);
    }
}

static float tolerance(const struct problem *p, const struct al_conv_algo *a)
{
    const int32_t n = p->s.in_c / p->s.groups * p->s.kernel_h * p->s.kernel_w;

    if (a->precision == AL_CONV_BF16 && strncmp(a->name, "winograd", 8) == 0)
        return 0.04F * sqrtf((float)n); /* transformed data are rounded */
    if (a->precision == AL_CONV_BF16 && check_is_amx())
        return 5e-3F * (1.0F + sqrtf((float)n)); /* so are these */
    return (a->precision != AL_CONV_FAST ? 1e-6F : 1e-5F) * (2.0F + 0.05F * (float)n);
}

static bool halos_equal(const struct al_halo *a, const struct al_halo *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* The result of row 0 when it overwrites what is added. */
static void check_in_place(struct prepared *q, const struct guarded *want)
{
    const float *x = q->x[0].data, *add = q->add[0].data;
    float *y = q->add[0].data;
    const struct al_conv_run r = { .shape = &q->p->s,
                                   .weights = q->weights.data,
                                   .bias = q->bias.data,
                                   .n_rows = 1,
                                   .x = &x,
                                   .add = &add,
                                   .y = &y,
                                   .act = q->p->act,
                                   .act_a = q->p->act_a,
                                   .act_b = q->p->act_b,
                                   .scratch = q->scratch.data,
                                   .tile_end = q->algo->n_tiles(&q->p->s, 1) };

    q->algo->run(&r);
    check_same_bits(q->algo->name, y, want->data, want->n);
}

float problem_error(const struct al_conv_algo *a, const struct problem *p)
{
    struct prepared q = prepare(a, p);
    const struct al_map m = out_map(p);
    const size_t n = out_floats(&p->s);
    float most = 0, largest = 0;
    struct guarded y;
    const int row = 0;

    run(&q, 1, &row, false, &y);
    struct guarded plain = unblock_picture(&m, a->block, y.data);
    for (size_t i = 0; i < n; i++) {
        most = fmaxf(most, fabsf(plain.data[i] - p->want[row][i]));
        largest = fmaxf(largest, fabsf(p->want[row][i]));
    }
    guarded_free(&plain);
    guarded_free(&y);
    prepared_done(&q);
    return most / largest;
}

/* The emulation of AMX computes the same bits. */
static void check_emulation(const struct al_conv_algo *twin, const struct problem *p,
                            const struct guarded *want)
{
    struct prepared q = prepare(twin, p);
    struct guarded y;
    const int row = 0;

    run(&q, 1, &row, false, &y);
    check_same_bits(twin->name, y.data, want->data, want->n);
    guarded_free(&y);
    prepared_done(&q);
}

static void check_algo(const struct al_conv_algo *a, const struct problem *p)
{
    struct prepared q = prepare(a, p);
    const struct al_map m = out_map(p);
    struct guarded alone[N_ROWS], together[N_ROWS];

    for (int r = 0; r < N_ROWS; r++) {
        run(&q, 1, &r, false, &alone[r]);
        struct guarded plain = unblock_picture(&m, a->block, alone[r].data);
        check_near(a->name, plain.data, p->want[r], plain.n, tolerance(p, a));
        guarded_free(&plain);
    }
    run(&q, 3, (const int[]){ 2, 0, 1 }, true, together);
    for (int i = 0; i < N_ROWS; i++) {
        const int r = (i + 2) % 3;
        check_same_bits(a->name, together[i].data, alone[r].data, alone[r].n);
        guarded_free(&together[i]);
    }
    if (p->with_add && halos_equal(&p->s.add_halo, &p->s.out_halo))
        check_in_place(&q, &alone[0]);
    if (check_twin(a))
        check_emulation(check_twin(a), p, &alone[0]);
    for (int r = 0; r < N_ROWS; r++)
        guarded_free(&alone[r]);
    prepared_done(&q);
}

void check_problem(struct problem *p)
{
    size_t at = 0, n_fit = 0;

    problem_fill(p);
    for (const struct al_conv_algo *a; (a = check_algo_next(&at));) {
        if (!a->fits(&p->s))
            continue;
        check_algo(a, p);
        n_fit++;
    }
    assert_true(n_fit >= 1 || is_bf16_level() || check_is_amx());
    problem_done(p);
}

static struct al_halo random_halo(void)
{
    if (check_random_int(0, 2) == 0)
        return (struct al_halo){ 0 };
    return (struct al_halo){ check_random_int(0, 3), check_random_int(0, 3),
                             check_random_int(0, 3), check_random_int(0, 3) };
}

void close_shape(struct al_conv_shape *s, int32_t pad_bottom, int32_t pad_right)
{
    const int32_t reach_h = (s->kernel_h - 1) * s->dilation_h + 1;
    const int32_t reach_w = (s->kernel_w - 1) * s->dilation_w + 1;

    s->out_h = (s->in_h + s->pad_top + pad_bottom - reach_h) / s->stride_h + 1;
    s->out_w = (s->in_w + s->pad_left + pad_right - reach_w) / s->stride_w + 1;
    s->in_halo = s->planar_input
                     ? (struct al_halo){ 0 }
                     : (struct al_halo){ s->pad_top, s->pad_left, pad_bottom, pad_right };
    s->out_halo = random_halo();
    s->add_halo = random_halo();
}

struct al_conv_shape square(int32_t c, int32_t k, int32_t size, int32_t kernel,
                            int32_t stride, int32_t pad, int32_t groups)
{
    struct al_conv_shape s = {
        .in_c = c,
        .in_h = size,
        .in_w = size,
        .out_c = k,
        .kernel_h = kernel,
        .kernel_w = kernel,
        .stride_h = stride,
        .stride_w = stride,
        .dilation_h = 1,
        .dilation_w = 1,
        .pad_top = pad,
        .pad_left = pad,
        .groups = groups,
    };

    close_shape(&s, pad, pad);
    return s;
}
