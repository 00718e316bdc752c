/* Elementwise operators of two and more inputs, with broadcasting. */
#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "engine/exec/eval_impl.h"

struct binary {
    struct al_tensor a, b, y;
};

/* y = result(p, q) along one run; the common cases have loops a compiler vectorises. */
#define DEFINE_BINARY_OF(T, R, name, result)                              \
    static void name##_run_##T(const struct al_run *run, const void *arg) \
    {                                                                     \
        typedef T real;                                                   \
        const struct binary *o = arg;                                     \
        const real *a = (const real *)o->a.data + run->off[0];            \
        const real *b = (const real *)o->b.data + run->off[1];            \
        R *y = (R *)o->y.data + run->at;                                  \
        if (run->step[0] == 1 && run->step[1] == 1)                       \
            for (size_t i = 0; i < run->n; i++) {                         \
                real p = a[i], q = b[i];                                  \
                y[i] = (R)(result);                                       \
            }                                                             \
        else if (run->step[0] == 1 && run->step[1] == 0)                  \
            for (size_t i = 0; i < run->n; i++) {                         \
                real p = a[i], q = b[0];                                  \
                y[i] = (R)(result);                                       \
            }                                                             \
        else                                                              \
            for (size_t i = 0; i < run->n; i++) {                         \
                real p = a[i * run->step[0]], q = b[i * run->step[1]];    \
                y[i] = (R)(result);                                       \
            }                                                             \
    }                                                                     \
    static void name##_##T(const struct al_eval *e)                       \
    {                                                                     \
        all_inputs(e, name##_run_##T);                                    \
    }

/* Integers are loaded and stored one by one; p and q are int64_t. */
#define DEFINE_BINARY_INTS(name, result)                                    \
    static void name##_run_ints(const struct al_run *run, const void *arg)  \
    {                                                                       \
        const struct binary *o = arg;                                       \
        for (size_t i = 0; i < run->n; i++) {                               \
            int64_t p = al_load_int(&o->a, run->off[0] + i * run->step[0]); \
            int64_t q = al_load_int(&o->b, run->off[1] + i * run->step[1]); \
            al_store_int(&o->y, run->at + i, (int64_t)(result));            \
        }                                                                   \
    }                                                                       \
    static void name##_ints(const struct al_eval *e)                        \
    {                                                                       \
        all_inputs(e, name##_run_ints);                                     \
    }

#define DEFINE_ARITHMETIC(name, result)          \
    DEFINE_BINARY_OF(float, float, name, result) \
    DEFINE_BINARY_OF(double, double, name, result)
#define DEFINE_COMPARISON(name, result)             \
    DEFINE_BINARY_OF(float, uint8_t, name, result)  \
    DEFINE_BINARY_OF(double, uint8_t, name, result) \
    DEFINE_BINARY_INTS(name, result)

static void pair(const struct al_tensor *a, const struct al_tensor *b,
                 const struct al_tensor *y, al_run_fn fn)
{
    struct binary o = { *a, *b, *y };
    struct al_walk w;

    al_walk_init(&w, &y->shape, (const struct al_shape *const[]){ &a->shape, &b->shape },
                 2);
    al_walk_run(&w, fn, &o);
}

struct copy {
    const char *from;
    char *to;
    size_t size;
};

static void copy_run(const struct al_run *run, const void *arg)
{
    const struct copy *c = arg;

    for (size_t i = 0; i < run->n; i++)
        memcpy(c->to + (run->at + i) * c->size,
               c->from + (run->off[0] + i * run->step[0]) * c->size, c->size);
}

/* Two inputs at once, then each further one with the result so far; a lone input is
 * copied. */
static void all_inputs(const struct al_eval *e, al_run_fn fn)
{
    struct copy c = { e->in[0].data, e->out[0].data, al_dtype_size(e->in[0].dtype) };
    struct al_walk w;

    if (e->n_in > 1)
        pair(&e->in[0], &e->in[1], &e->out[0], fn);
    for (size_t i = 2; i < e->n_in; i++)
        pair(&e->out[0], &e->in[i], &e->out[0], fn);
    if (e->n_in > 1)
        return;
    al_walk_init(&w, &e->out[0].shape,
                 (const struct al_shape *const[]){ &e->in[0].shape }, 1);
    al_walk_run(&w, copy_run, &c);
}

DEFINE_ARITHMETIC(add, p + q)
DEFINE_ARITHMETIC(sub, p - q)
DEFINE_ARITHMETIC(mul, p *q)
DEFINE_ARITHMETIC(div, p / q)
DEFINE_ARITHMETIC(min, q < p || isnan(q) ? q : p)
DEFINE_ARITHMETIC(max, q > p || isnan(q) ? q : p)
DEFINE_ARITHMETIC(pow, pow(p, q))
DEFINE_ARITHMETIC(prelu, p > 0 ? p : p * q)

/* Wrapping arithmetic; what has no answer is 0. */
DEFINE_BINARY_INTS(add, (uint64_t)p + (uint64_t)q)
DEFINE_BINARY_INTS(sub, (uint64_t)p - (uint64_t)q)
DEFINE_BINARY_INTS(mul, (uint64_t)p *(uint64_t)q)
DEFINE_BINARY_INTS(div, q == 0 ? 0 : q == -1 ? (int64_t)(0 - (uint64_t)p) : p / q)
DEFINE_BINARY_INTS(min, q < p ? q : p)
DEFINE_BINARY_INTS(max, q > p ? q : p)
DEFINE_BINARY_INTS(prelu, p > 0 ? p : (int64_t)((uint64_t)p * (uint64_t)q))

/* Numbers are equal when neither is less, and both are numbers. */
DEFINE_COMPARISON(equal, p <= q && p >= q)
DEFINE_COMPARISON(less, p < q)
DEFINE_COMPARISON(greater, p > q)

/* Base and exponent of different types, or integers: through double. */
static void pow_run_mixed(const struct al_run *run, const void *arg)
{
    const struct binary *o = arg;

    for (size_t i = 0; i < run->n; i++) {
        double p = al_load_double(&o->a, run->off[0] + i * run->step[0]);
        double q = al_load_double(&o->b, run->off[1] + i * run->step[1]);
        al_store_double(&o->y, run->at + i, pow(p, q));
    }
}

static void pow_any(const struct al_eval *e)
{
    bool same = e->in[0].dtype == e->in[1].dtype;

    if (same && e->in[0].dtype == AL_F32)
        pow_float(e);
    else if (same && e->in[0].dtype == AL_F64)
        pow_double(e);
    else
        pair(&e->in[0], &e->in[1], &e->out[0], pow_run_mixed);
}

/* A sum divided by the number of inputs. */
static void mean(const struct al_eval *e)
{
    size_t n = al_tensor_count(&e->out[0]);

    (e->in[0].dtype == AL_F32 ? add_float : add_double)(e);
    for (size_t i = 0; i < n; i++)
        al_store_double(&e->out[0], i, al_load_double(&e->out[0], i) / (double)e->n_in);
}

/* ---- Where ---- */

struct where {
    const uint8_t *condition;
    const char *yes, *no;
    char *y;
    size_t size;
};

static void where_run(const struct al_run *run, const void *arg)
{
    const struct where *w = arg;

    for (size_t i = 0; i < run->n; i++) {
        const char *yes = w->yes + (run->off[1] + i * run->step[1]) * w->size;
        const char *no = w->no + (run->off[2] + i * run->step[2]) * w->size;
        memcpy(w->y + (run->at + i) * w->size,
               w->condition[run->off[0] + i * run->step[0]] ? yes : no, w->size);
    }
}

static void where(const struct al_eval *e)
{
    struct where o = { e->in[0].data, e->in[1].data, e->in[2].data, e->out[0].data,
                       al_dtype_size(e->out[0].dtype) };
    struct al_walk w;

    al_walk_init(&w, &e->out[0].shape,
                 (const struct al_shape *const[]){ &e->in[0].shape, &e->in[1].shape,
                                                   &e->in[2].shape },
                 3);
    al_walk_run(&w, where_run, &o);
}

static void expand(const struct al_eval *e)
{
    struct copy c = { e->in[0].data, e->out[0].data, al_dtype_size(e->in[0].dtype) };
    struct al_walk w;

    al_walk_init(&w, &e->out[0].shape,
                 (const struct al_shape *const[]){ &e->in[0].shape }, 1);
    al_walk_run(&w, copy_run, &c);
}

#define ROW(name)                                                      \
    (struct al_eval_row)                                               \
    {                                                                  \
        .f32 = name##_float, .f64 = name##_double, .ints = name##_ints \
    }

void al_eval_rows_binary(struct al_eval_row *rows)
{
    rows[AL_OP_ADD] = ROW(add);
    rows[AL_OP_SUM] = ROW(add);
    rows[AL_OP_SUB] = ROW(sub);
    rows[AL_OP_MUL] = ROW(mul);
    rows[AL_OP_DIV] = ROW(div);
    rows[AL_OP_MIN] = ROW(min);
    rows[AL_OP_MAX] = ROW(max);
    rows[AL_OP_PRELU] = ROW(prelu);
    rows[AL_OP_EQUAL] = ROW(equal);
    rows[AL_OP_LESS] = ROW(less);
    rows[AL_OP_GREATER] = ROW(greater);
    rows[AL_OP_POW] =
        (struct al_eval_row){ .f32 = pow_any, .f64 = pow_any, .ints = pow_any };
    rows[AL_OP_MEAN] = (struct al_eval_row){ .f32 = mean, .f64 = mean };
    rows[AL_OP_WHERE].any = where;
    rows[AL_OP_EXPAND].any = expand;
}
