/* bench.c — time and speed of single layers, warm, one row, one thread: every algorithm
 * this CPU has, in turn, median of many rounds (so that a slow phase of the machine hits
 * all alike). */
#include "tests/kern/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/kern/cpu.h"

struct layer {
    const char *name;
    int32_t c, k, size, kernel, stride, pad, groups;
    bool planar;
};

static const struct layer layers[] = {
    { "blenet1 1-5 5x5 28", 1, 5, 28, 5, 1, 3, 1, true },
    { "blenet2 5-10 5x5 15", 5, 10, 15, 5, 1, 3, 1, false },
    { "blenet3 10-20 5x5 8", 10, 20, 8, 5, 1, 3, 1, false },
    { "lenet1 1-20 5x5 28", 1, 20, 28, 5, 1, 0, 1, true },
    { "lenet2 20-50 5x5 12", 20, 50, 12, 5, 1, 0, 1, false },
    { "cifar 3-16 3x3 32", 3, 16, 32, 3, 1, 1, 1, true },
    { "cifar 16-16 3x3 32", 16, 16, 32, 3, 1, 1, 1, false },
    { "cifar 16-32 3x3 s2 32", 16, 32, 32, 3, 2, 1, 1, false },
    { "cifar 32-32 3x3 16", 32, 32, 16, 3, 1, 1, 1, false },
    { "cifar 64-64 3x3 8", 64, 64, 8, 3, 1, 1, 1, false },
    { "resnet 3-64 7x7 s2 224", 3, 64, 224, 7, 2, 3, 1, true },
    { "resnet 64-64 3x3 56", 64, 64, 56, 3, 1, 1, 1, false },
    { "resnet 128-128 3x3 28", 128, 128, 28, 3, 1, 1, 1, false },
    { "resnet 256-256 3x3 14", 256, 256, 14, 3, 1, 1, 1, false },
    { "resnet 512-512 3x3 7", 512, 512, 7, 3, 1, 1, 1, false },
    { "resnet 128-128 3x3 s2 56", 128, 128, 56, 3, 2, 1, 1, false },
    { "resnet 64-256 1x1 56", 64, 256, 56, 1, 1, 0, 1, false },
    { "resnet 256-64 1x1 56", 256, 64, 56, 1, 1, 0, 1, false },
    { "resnet 1024-256 1x1 14", 1024, 256, 14, 1, 1, 0, 1, false },
    { "resnet 512-2048 1x1 7", 512, 2048, 7, 1, 1, 0, 1, false },
    { "resnet 256-512 1x1 s2 56", 256, 512, 56, 1, 2, 0, 1, false },
    { "resnext 128 3x3 g32 56", 128, 128, 56, 3, 1, 1, 32, false },
    { "alexnet 3-64 11x11 s4 224", 3, 64, 224, 11, 4, 2, 1, true },
    { "alexnet 64-192 5x5 27", 64, 192, 27, 5, 1, 2, 1, false },
    { "alexnet 96-256 5x5 g2 27", 96, 256, 27, 5, 1, 2, 2, false },
    { "squeezenet 16-64 1x1 55", 16, 64, 55, 1, 1, 0, 1, false },
    { "squeezenet 16-64 3x3 55", 16, 64, 55, 3, 1, 1, 1, false },
    { "mobilenet 32 3x3 dw 112", 32, 32, 112, 3, 1, 1, 32, false },
    { "mobilenet 96 3x3 dw s2 112", 96, 96, 112, 3, 2, 1, 96, false },
    { "mobilenet 384 3x3 dw 14", 384, 384, 14, 3, 1, 1, 384, false },
    { "mobilenet 64-384 1x1 14", 64, 384, 14, 1, 1, 0, 1, false },
};

#define ROUNDS   21
#define ROUND_NS 2000000

static struct al_conv_shape shape_of(const struct layer *l)
{
    const int32_t out = (l->size + 2 * l->pad - l->kernel) / l->stride + 1;
    const struct al_halo halo = { l->pad, l->pad, l->pad, l->pad };

    return (struct al_conv_shape){
        .in_c = l->c,
        .in_h = l->size,
        .in_w = l->size,
        .out_c = l->k,
        .out_h = out,
        .out_w = out,
        .kernel_h = l->kernel,
        .kernel_w = l->kernel,
        .stride_h = l->stride,
        .stride_w = l->stride,
        .dilation_h = 1,
        .dilation_w = 1,
        .pad_top = l->pad,
        .pad_left = l->pad,
        .groups = l->groups,
        .planar_input = l->planar,
        .in_halo = l->planar ? (struct al_halo){ 0 } : halo,
        .out_halo =
            l->kernel > 1 ? (struct al_halo){ 1, 1, 1, 1 } : (struct al_halo){ 0 },
    };
}

/* One algorithm ready to run one layer. */
struct runner {
    const struct al_conv_algo *algo;
    struct al_conv_shape shape;
    struct guarded weights, packed, bias, x, y, scratch;
    int64_t ns[ROUNDS]; /* of one run */
};

static struct runner runner_new(const struct al_conv_algo *a,
                                const struct al_conv_shape *s)
{
    const struct al_map in = { s->in_c, s->in_h, s->in_w, s->in_halo };
    const struct al_map out = { s->out_c, s->out_h, s->out_w, s->out_halo };
    struct runner r = { .algo = a, .shape = *s };

    r.weights = guarded_random((size_t)s->out_c * (size_t)(s->in_c / s->groups) *
                               (size_t)(s->kernel_h * s->kernel_w));
    r.packed = guarded_new(a->packed_floats(s));
    a->pack(s, r.weights.data, r.packed.data);
    r.bias = guarded_random(((size_t)s->out_c + 15) / 16 * 16);
    r.x = guarded_random(al_map_floats(&in, a->block));
    r.y = guarded_random(al_map_floats(&out, a->block));
    r.scratch = guarded_new(a->scratch_bytes(s, 1) / sizeof(float));
    return r;
}

static void runner_done(struct runner *r)
{
    guarded_free(&r->weights);
    guarded_free(&r->packed);
    guarded_free(&r->bias);
    guarded_free(&r->x);
    guarded_free(&r->y);
    guarded_free(&r->scratch);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t time_round(struct runner *r)
{
    const float *x = r->x.data;
    float *y = r->y.data;
    const struct al_conv_run run = { .shape = &r->shape,
                                     .weights = r->packed.data,
                                     .bias = r->bias.data,
                                     .n_rows = 1,
                                     .x = &x,
                                     .y = &y,
                                     .act = AL_CONV_ACT_RELU,
                                     .scratch = r->scratch.data,
                                     .tile_end = r->algo->n_tiles(&r->shape, 1) };
    const int64_t start = now_ns();
    int64_t n = 0, end = start;

    while (end - start < ROUND_NS) {
        r->algo->run(&run);
        n++;
        end = now_ns();
    }
    return (end - start) / n;
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double flops(const struct al_conv_shape *s)
{
    return 2.0 * s->out_c * s->out_h * s->out_w * (s->in_c / s->groups) * s->kernel_h *
           s->kernel_w;
}

#define MAX_RUNNERS 32

static void bench_layer(const struct layer *l, unsigned cpu)
{
    const struct al_conv_shape s = shape_of(l);
    struct runner r[MAX_RUNNERS];
    size_t n_algos, n = 0;
    const struct al_conv_algo *const *algos = al_conv_algos(&n_algos);

    for (size_t i = 0; i < n_algos && n < MAX_RUNNERS; i++) {
        if ((algos[i]->cpu_flags & ~cpu) == 0 && algos[i]->cpu_flags &&
            algos[i]->fits(&s))
            r[n++] = runner_new(algos[i], &s);
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n; i++)
            r[i].ns[round] = time_round(&r[i]);
    }
    printf("%-28s", l->name);
    for (size_t i = 0; i < n; i++) {
        qsort(r[i].ns, ROUNDS, sizeof(r[i].ns[0]), by_value);
        const double ns = (double)r[i].ns[ROUNDS / 2];
        printf("  %s %.1f us %.0f GF/s", r[i].algo->name, ns / 1e3, flops(&s) / ns);
        runner_done(&r[i]);
    }
    printf("\n");
    fflush(stdout);
}

int bench(const char *filter)
{
    const unsigned cpu = al_cpu_detect();

    for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
        if (strstr(layers[i].name, filter))
            bench_layer(&layers[i], cpu);
    }
    return 0;
}
