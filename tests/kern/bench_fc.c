/* bench_fc.c — fully connected layers against the library they replace: for each shape
 * `fc` of both channel blocks and cblas_sgemv, row by row, take turns in one process, one
 * thread. Warm: one matrix over and over. Cold: as many copies of it, in turn, as exceed
 * the caches, as a network meets its layers. OpenBLAS is opened at run time; without it
 * nothing is measured. Prints JSON. */
#include "tests/kern/check.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "engine/kern/cpu.h"

#define ROUNDS      21
#define ROUND_NS    3000000
#define CACHE_BYTES ((size_t)96 << 20) /* more than the last-level cache */
#define MAX_COPIES  4096
#define HUGE_PAGE   ((size_t)2 << 20)
#define MAX_ROWS    8

/* Of cblas.h. */
enum {
    ROW_MAJOR = 101,
    NO_TRANS = 111
};
typedef void (*sgemv_fn)(int order, int trans, int m, int n, float alpha, const float *a,
                         int lda, const float *x, int incx, float beta, float *y,
                         int incy);

struct shape {
    size_t n_in, n_out;
};

static const struct shape shapes[] = { { 84, 10 },     { 128, 10 },    { 640, 10 },
                                       { 400, 120 },   { 120, 84 },    { 720, 84 },
                                       { 1024, 256 },  { 2048, 1000 }, { 4096, 1000 },
                                       { 4096, 4096 }, { 9216, 4096 } };

/* One way to compute the layer. */
struct runner {
    const struct al_kern *kern; /* NULL: the library */
    float *weights;             /* n_copies of them */
    size_t copy_floats, n_copies, next;
    double us[ROUNDS]; /* a row */
};

struct layer {
    struct shape shape;
    size_t n_rows;
    float *x[MAX_ROWS], *y[MAX_ROWS], *bias;
    sgemv_fn sgemv;
};

/* Memory as a loaded model has it: big matrices on huge pages, for either side. */
static float *new_floats(size_t n)
{
    const size_t bytes = (n * sizeof(float) + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    float *p = aligned_alloc(HUGE_PAGE, bytes);

    if (!p)
        abort();
    (void)madvise(p, bytes, MADV_HUGEPAGE);
    for (size_t i = 0; i < n; i++)
        p[i] = check_random();
    return p;
}

static void run_ours(const struct layer *l, const struct runner *r, const float *weights)
{
    const struct al_fc f = { .n_in = l->shape.n_in,
                             .n_out = l->shape.n_out,
                             .weights = weights,
                             .bias = l->bias,
                             .n_rows = l->n_rows,
                             .x = (const float *const *)l->x,
                             .y = l->y,
                             .tile_end = al_fc_tiles(l->shape.n_out) };

    r->kern->fc(&f);
}

/* With beta = 1 the library adds to the bias, which is copied first. */
static void run_library(const struct layer *l, const float *weights)
{
    const int m = (int)l->shape.n_out, n = (int)l->shape.n_in;

    for (size_t i = 0; i < l->n_rows; i++) {
        memcpy(l->y[i], l->bias, l->shape.n_out * sizeof(float));
        l->sgemv(ROW_MAJOR, NO_TRANS, m, n, 1, weights, n, l->x[i], 1, 1, l->y[i], 1);
    }
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Runs between looks at the clock, so that the look costs small layers nothing. */
static size_t runs_a_look(const struct layer *l)
{
    return 1 + 200000 / (l->n_rows * l->shape.n_in * l->shape.n_out);
}

static double time_round(const struct layer *l, struct runner *r)
{
    const int64_t start = now_ns();
    const size_t runs = runs_a_look(l);
    int64_t end = start;
    size_t n = 0;

    while (end - start < ROUND_NS) {
        for (size_t i = 0; i < runs; i++, n++) {
            const float *w = r->weights + r->next * r->copy_floats;

            r->next = (r->next + 1) % r->n_copies;
            if (r->kern)
                run_ours(l, r, w);
            else
                run_library(l, w);
        }
        end = now_ns();
    }
    return (double)(end - start) / 1e3 / (double)(n * l->n_rows);
}

static struct runner runner_new(const struct al_kern *kern, const struct shape *s,
                                bool cold)
{
    struct runner r = { .kern = kern, .n_copies = 1 };
    const size_t plain = s->n_in * s->n_out;

    r.copy_floats = kern ? al_fc_packed_floats(s->n_in, s->n_out) : plain;
    if (cold)
        r.n_copies = 1 + CACHE_BYTES / sizeof(float) / r.copy_floats;
    if (r.n_copies > MAX_COPIES)
        r.n_copies = MAX_COPIES;
    r.weights = new_floats(r.n_copies * r.copy_floats);
    return r;
}

static void print_times(const char *name, const struct runner *r)
{
    printf(", \"%s\": [", name);
    for (size_t i = 0; i < ROUNDS; i++)
        printf("%s%.4f", i ? ", " : "", r->us[i]);
    printf("]");
}

static void bench_shape(struct layer *l, bool cold)
{
    static const char *const names[] = { "sgemv", "block8", "block16" };
    struct runner r[3];

    for (int i = 0; i < 3; i++)
        r[i] =
            runner_new(i ? al_kern_get(al_cpu_detect(), 8 * i) : NULL, &l->shape, cold);
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < 3; i++)
            r[i].us[round] = time_round(l, &r[i]);
    printf("{\"n_in\": %zu, \"n_out\": %zu, \"rows\": %zu, \"cold\": %s", l->shape.n_in,
           l->shape.n_out, l->n_rows, cold ? "true" : "false");
    for (int i = 0; i < 3; i++) {
        print_times(names[i], &r[i]);
        free(r[i].weights);
    }
    printf("}");
    fflush(stdout);
}

static void bench_rows(const struct shape *s, size_t n_rows, sgemv_fn sgemv)
{
    struct layer l = { .shape = *s, .n_rows = n_rows, .sgemv = sgemv };

    l.bias = new_floats(s->n_out);
    for (size_t i = 0; i < n_rows; i++) {
        l.x[i] = new_floats(s->n_in);
        l.y[i] = new_floats(s->n_out);
    }
    bench_shape(&l, false);
    printf(",\n");
    bench_shape(&l, true);
    for (size_t i = 0; i < n_rows; i++) {
        free(l.x[i]);
        free(l.y[i]);
    }
    free(l.bias);
}

/* The library's sgemv on one thread, or NULL. */
static sgemv_fn open_library(void)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW);
    void (*set_threads)(int);
    sgemv_fn sgemv;

    if (!library)
        return NULL;
    *(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
    *(void **)&sgemv = dlsym(library, "cblas_sgemv");
    if (!set_threads || !sgemv)
        return NULL;
    set_threads(1);
    return sgemv;
}

int bench_fc(const char *filter)
{
    const sgemv_fn sgemv = open_library();
    bool first = true;

    if (!sgemv) {
        fputs("libopenblas.so.0 is not installed: nothing to compare with\n", stderr);
        return 77;
    }
    printf("[");
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char name[64];

        snprintf(name, sizeof(name), "%zux%zu", shapes[i].n_in, shapes[i].n_out);
        for (size_t rows = 1; rows <= MAX_ROWS && strstr(name, filter);
             rows *= MAX_ROWS) {
            printf("%s", first ? "" : ",\n");
            first = false;
            bench_rows(&shapes[i], rows, sgemv);
        }
    }
    printf("]\n");
    return 0;
}
