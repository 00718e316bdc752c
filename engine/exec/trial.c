#include "engine/exec/trial.h"

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

/* Small values of both signs: neither denormals nor infinities may disturb the clock. */
static void fill(float *x, size_t n)
{
    uint32_t state = 1;

    for (size_t i = 0; i < n; i++) {
        state = state * 1664525U + 1013904223U;
        x[i] = (float)(int32_t)(state >> 16 & 0xff) / 256.0F - 0.5F;
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

enum al_status al_trial_time(struct al_trial *t, const struct al_conv_algo *a,
                             uint64_t best_ns, uint64_t *ret_ns, struct al_error *err)
{
    const struct al_conv_shape *s = t->shape;
    const float *x = t->x;
    float *y = t->y;
    float *packed = floats(a->packed_floats(s));
    void *scratch = floats(a->scratch_bytes ? a->scratch_bytes(s, 1) / sizeof(float) : 0);
    enum al_status status = AL_OK;

    if (packed && scratch) {
        a->pack(s, t->weights, packed);
        struct al_conv_run run = { .shape = s,
                                   .weights = packed,
                                   .bias = t->bias,
                                   .n_rows = 1,
                                   .x = &x,
                                   .y = &y,
                                   .act = AL_CONV_ACT_RELU,
                                   .scratch = scratch,
                                   .tile_end = a->n_tiles(s, 1) };
        *ret_ns = shortest_run(t, a, &run, best_ns);
    } else {
        status = al_fail(err, AL_NO_MEMORY, "measuring '%s'", a->name);
    }
    free(packed);
    free(scratch);
    return status;
}
