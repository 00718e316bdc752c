#include "engine/exec/trial.h"

#include <math.h>
#include <stdlib.h>

#include "engine/exec/memory.h"
#include "engine/kern/kern.h"

/* Enough time spent on one candidate, and the least runs in any case: the machine may be
 * busy with something else. */
#define BUDGET_NS 3000000U
#define RUNS_MIN  3
#define RUNS_MAX  9
/* A first run this many times slower than the best candidate needs no second. */
#define HOPELESS  4

static float *floats(size_t n)
{
    size_t bytes = n * sizeof(float);

    bytes = (bytes + AL_MEMORY_ALIGN) & ~(AL_MEMORY_ALIGN - 1);
    return aligned_alloc(AL_MEMORY_ALIGN, bytes);
}

/* Small values of both signs: neither denormals nor infinities may disturb the clock. All
 * 24 bits count, or half of a split product would not. */
static void fill(float *x, size_t n)
{
    uint32_t state = 1;

    for (size_t i = 0; i < n; i++) {
        state = state * 1664525U + 1013904223U;
        x[i] = (float)(int32_t)(state >> 8) / 16777216.0F - 0.5F;
    }
}

static size_t input_floats(const struct al_conv_shape *s, int32_t block)
{
    struct al_map map = { s->in_c, s->in_h, s->in_w, s->in_halo };

    return s->planar_input ? (size_t)s->in_c * (size_t)s->in_h * (size_t)s->in_w
                           : al_map_floats(&map, block);
}

enum al_status al_trial_init(struct al_trial *t, struct al_error *err)
{
    const struct al_conv_shape *s = t->shape;
    struct al_map out = { s->out_c, s->out_h, s->out_w, s->out_halo };
    size_t n_x = input_floats(s, t->block);
    size_t n_weights = (size_t)s->out_c * (size_t)(s->in_c / s->groups) *
                       (size_t)s->kernel_h * (size_t)s->kernel_w;
    size_t n_bias = (size_t)s->out_c + (size_t)t->block;

    t->x = floats(n_x);
    t->y = floats(al_map_floats(&out, t->block));
    t->weights = floats(n_weights);
    t->bias = floats(n_bias);
    if (!t->x || !t->y || !t->weights || !t->bias)
        return al_fail(err, AL_NO_MEMORY, "measuring a convolution");
    fill(t->x, n_x);
    fill(t->weights, n_weights);
    fill(t->bias, n_bias);
    return AL_OK;
}

void al_trial_done(struct al_trial *t)
{
    free(t->x);
    free(t->y);
    free(t->weights);
    free(t->bias);
    free(t->want);
}

static uint64_t shortest_run(struct al_trial *t, const struct al_conv_algo *a,
                             const struct al_conv_run *run, uint64_t best_ns)
{
    uint64_t begin = t->now_ns();

    a->run(run); /* touches the memory, warms the caches */
    uint64_t shortest = t->now_ns() - begin;
    if (shortest / HOPELESS > best_ns)
        return shortest;
    for (int i = 0; i < RUNS_MAX; i++) {
        uint64_t before = t->now_ns();
        a->run(run);
        uint64_t after = t->now_ns();

        if (after - before < shortest)
            shortest = after - before;
        if (i + 1 >= RUNS_MIN && (after - begin > BUDGET_NS || shortest / 2 > best_ns))
            break;
    }
    return shortest;
}

/* A run of one algorithm and what it needs. */
struct prepared {
    const float *x;
    float *y, *packed;
    void *scratch;
    struct al_conv_run run;
};

static void prepared_done(struct prepared *p)
{
    free(p->packed);
    free(p->scratch);
}

static enum al_status prepare(const struct al_trial *t, const struct al_conv_algo *a,
                              float *y, struct prepared *p, struct al_error *err)
{
    const struct al_conv_shape *s = t->shape;

    p->x = t->x;
    p->y = y;
    p->packed = floats(a->packed_floats(s));
    p->scratch = floats(a->scratch_bytes ? a->scratch_bytes(s, 1) / sizeof(float) : 0);
    if (!p->packed || !p->scratch) {
        prepared_done(p);
        return al_fail(err, AL_NO_MEMORY, "measuring '%s'", a->name);
    }
    a->pack(s, t->weights, p->packed);
    p->run = (struct al_conv_run){ .shape = s,
                                   .weights = p->packed,
                                   .bias = t->bias,
                                   .n_rows = 1,
                                   .x = &p->x,
                                   .y = &p->y,
                                   .act = AL_CONV_ACT_RELU,
                                   .scratch = p->scratch,
                                   .tile_end = a->n_tiles(s, 1) };
    return AL_OK;
}

enum al_status al_trial_time(struct al_trial *t, const struct al_conv_algo *a,
                             uint64_t best_ns, uint64_t *ret_ns, struct al_error *err)
{
    struct prepared p;
    enum al_status status = prepare(t, a, t->y, &p, err);

    if (status != AL_OK)
        return status;
    *ret_ns = shortest_run(t, a, &p.run, best_ns);
    prepared_done(&p);
    return AL_OK;
}

static size_t output_floats(const struct al_trial *t)
{
    const struct al_conv_shape *s = t->shape;
    const int32_t by = s->max_pool ? 2 : 1;
    struct al_map out = { s->out_c, s->out_h / by, s->out_w / by, s->out_halo };

    return al_map_floats(&out, t->block);
}

static enum al_status expect(struct al_trial *t, const struct al_conv_algo *plain,
                             struct al_error *err)
{
    struct prepared p;
    enum al_status status;

    t->want = floats(output_floats(t));
    if (!t->want)
        return al_fail(err, AL_NO_MEMORY, "measuring a convolution");
    status = prepare(t, plain, t->want, &p, err);
    if (status != AL_OK)
        return status;
    plain->run(&p.run);
    prepared_done(&p);
    return AL_OK;
}

/* Relative to the largest result; by precision. */
static const float tolerance[] = {
    [AL_CONV_EXACT] = 1e-5F,
    [AL_CONV_FAST] = 1e-4F,
    [AL_CONV_BF16] = 5e-2F,
};

enum al_status al_trial_agrees(struct al_trial *t, const struct al_conv_algo *a,
                               const struct al_conv_algo *plain, bool *ret_agrees,
                               struct al_error *err)
{
    enum al_status status = t->want ? AL_OK : expect(t, plain, err);
    float largest = 0;

    if (status != AL_OK)
        return status;
    for (size_t i = 0; i < output_floats(t); i++)
        largest = fmaxf(largest, fabsf(t->want[i]));
    *ret_agrees = true;
    for (size_t i = 0; i < output_floats(t); i++) {
        if (!(fabsf(t->y[i] - t->want[i]) <= tolerance[a->precision] * largest))
            *ret_agrees = false;
    }
    return AL_OK;
}
