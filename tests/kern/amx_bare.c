/* Convolutions and fully connected layers of AMX by its own instructions against their
 * emulation, bit for bit, on a processor without operating system (amx_bare.S;
 * scripts/check-amx emulates one). Reports on the first serial port. The emulation's
 * results are the truth of checkkern's other tests. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/kern/geometry.h"
#include "engine/kern/isa_amx.h"

const struct al_conv_algo *const *check_emulated(size_t *ret_n);
const struct al_fc_algo *check_emulated_fc(enum al_conv_precision precision);
void amx_bare_main(void);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *p, int value, size_t n);

/* ---- what a C library would give ---- */

void *memcpy(void *to, const void *from, size_t n)
{
    void *p = to;

    __asm__ volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(n) : : "memory");
    return to;
}

void *memset(void *p, int value, size_t n)
{
    void *q = p;

    __asm__ volatile("rep stosb" : "+D"(q), "+c"(n) : "a"(value) : "memory");
    return p;
}

#define CONSOLE 0xe9 /* of Bochs and others */

static void out(uint16_t port, char c)
{
    __asm__ volatile("outb %0, %1" : : "a"(c), "Nd"(port));
}

static void print(const char *text)
{
    while (*text)
        out(CONSOLE, *text++);
}

static void print_int(int64_t n)
{
    char digits[20];
    int i = 0;

    do {
        digits[i++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    while (i > 0)
        out(CONSOLE, digits[--i]);
}

/* Memory above the program, given back all at once. */
#define HEAP_BEGIN ((char *)(32UL << 20))
static char *heap;

static void *room(size_t bytes)
{
    void *p = heap;

    heap += (bytes + 127) & ~(size_t)63;
    return p;
}

static uint64_t state = 0x9e3779b97f4a7c15U;

static uint32_t random_bits(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545f4914f6cdd1dU) >> 32);
}

/* ---- cases ---- */

struct shape {
    int32_t c, k, h, w, kernel, stride, pad, dilation, groups;
    bool planar, with_add,
        wild; /* wild: numbers of any size, subnormal ones among them */
};

static const struct shape shapes[] = {
    { 16, 16, 8, 8, 3, 1, 1, 1, 1, false, false, false },
    { 32, 32, 6, 9, 3, 1, 1, 1, 1, false, true, false },
    { 64, 48, 7, 7, 1, 1, 0, 1, 1, false, false, false },
    { 40, 33, 9, 11, 1, 2, 0, 1, 1, false, true, false },
    { 17, 70, 5, 5, 3, 2, 1, 1, 1, false, false, false },
    { 48, 20, 6, 6, 5, 1, 2, 1, 1, false, false, false },
    { 33, 16, 4, 37, 2, 1, 1, 1, 1, false, true, false },
    { 32, 40, 9, 9, 3, 1, 2, 2, 1, false, false, false },
    { 64, 32, 6, 6, 3, 1, 1, 1, 2, false, false, false },
    { 48, 40, 5, 5, 3, 1, 1, 1, 3, false, false, false },
    { 1, 10, 9, 9, 5, 1, 2, 1, 1, true, false, false },
    { 3, 32, 19, 19, 7, 2, 3, 1, 1, true, false, false },
    { 4, 17, 23, 23, 11, 4, 2, 1, 1, true, true, false },
    { 32, 16, 6, 6, 3, 1, 1, 1, 1, false, false, true },
    { 64, 64, 8, 8, 1, 1, 0, 1, 1, false, false, true },
};

static struct al_conv_shape shape_of(const struct shape *c)
{
    const int32_t reach = (c->kernel - 1) * c->dilation + 1;
    const struct al_halo halo = { c->pad, c->pad, c->pad, c->pad };

    return (struct al_conv_shape){ .in_c = c->c,
                                   .in_h = c->h,
                                   .in_w = c->w,
                                   .out_c = c->k,
                                   .out_h = (c->h + 2 * c->pad - reach) / c->stride + 1,
                                   .out_w = (c->w + 2 * c->pad - reach) / c->stride + 1,
                                   .kernel_h = c->kernel,
                                   .kernel_w = c->kernel,
                                   .stride_h = c->stride,
                                   .stride_w = c->stride,
                                   .dilation_h = c->dilation,
                                   .dilation_w = c->dilation,
                                   .pad_top = c->pad,
                                   .pad_left = c->pad,
                                   .groups = c->groups,
                                   .planar_input = c->planar,
                                   .in_halo = c->planar ? (struct al_halo){ 0 } : halo,
                                   .out_halo = { 1, 2, 0, 1 },
                                   .add_halo = { 0, 1, 1, 0 } };
}

/* Uniform in [-1, 1), or any finite number below 2^40. */
static float random_float(bool wild)
{
    uint32_t bits = random_bits();
    float f = (float)(bits >> 8) / 8388608.0F - 1.0F;

    if (!wild)
        return f;
    bits = (bits & 0x807fffffU) | bits % 167 << 23;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* Buffers of blocked pictures; lanes past the channels need not be zero here. */
static float *random_floats(size_t n, bool wild)
{
    float *p = room(n * sizeof(float));

    for (size_t i = 0; i < n; i++)
        p[i] = random_float(wild);
    return p;
}

static size_t floats_of(int32_t c, int32_t h, int32_t w, struct al_halo halo)
{
    return (size_t)((c + 15) / 16 * 16) * (size_t)(halo.top + h + halo.bottom) *
           (size_t)(halo.left + w + halo.right);
}

static void run(const struct al_conv_algo *a, const struct al_conv_run *r,
                const float *weights, float *y)
{
    struct al_conv_run run = *r;
    float *packed = room(a->packed_floats(r->shape) * sizeof(float));

    a->pack(r->shape, weights, packed);
    run.weights = packed;
    run.y = &y;
    run.scratch = room(a->scratch_bytes(r->shape, 1));
    run.tile_end = SIZE_MAX;
    a->run(&run);
}

/* No number is as good as another. */
static bool is_same(const float *a, const float *b, size_t n)
{
    const uint32_t *x = (const void *)a, *y = (const void *)b;

    for (size_t i = 0; i < n; i++) {
        const bool both_nan =
            (x[i] & 0x7fffffffU) > 0x7f800000U && (y[i] & 0x7fffffffU) > 0x7f800000U;
        if (x[i] != y[i] && !both_nan)
            return false;
    }
    return true;
}

static bool check(const struct al_conv_algo *real, const struct al_conv_algo *emulated,
                  const struct shape *c)
{
    const struct al_conv_shape s = shape_of(c);
    const size_t n_y = floats_of(s.out_c, s.out_h, s.out_w, s.out_halo);
    const float *weights, *x, *add;
    float *want, *y;
    struct al_conv_run r = { .shape = &s, .n_rows = 1, .x = &x };

    heap = HEAP_BEGIN;
    weights = random_floats(
        (size_t)(s.out_c * (s.in_c / s.groups) * c->kernel * c->kernel), c->wild);
    x = random_floats(floats_of(s.in_c, s.in_h, s.in_w, s.in_halo), c->wild);
    add = random_floats(floats_of(s.out_c, s.out_h, s.out_w, s.add_halo), c->wild);
    r.bias = random_floats((size_t)(s.out_c + 15), c->wild);
    r.add = c->with_add ? &add : NULL;
    r.act = c->with_add ? AL_CONV_ACT_RELU : AL_CONV_ACT_NONE;
    want = random_floats(n_y, false);
    y = random_floats(n_y, false);
    run(emulated, &r, weights, want);
    run(real, &r, weights, y);
    return is_same(y, want, n_y);
}

static bool report(const struct al_conv_algo *a, const struct shape *c, bool ok)
{
    print(ok ? "ok " : "DIFFERS ");
    print(a->name);
    print(" ");
    print_int(c->kernel);
    print("x");
    print_int(c->kernel);
    print(" of ");
    print_int(c->c);
    print(" to ");
    print_int(c->k);
    print(c->wild ? " channels, any numbers\n" : " channels\n");
    return ok;
}

/* ---- fully connected layers ---- */

#define MOST_ROWS 20

struct fc_shape {
    size_t n_in, n_out, n_rows;
};

static const struct fc_shape fc_shapes[] = {
    { 1, 1, 1 }, { 37, 70, 20 }, { 64, 16, 16 }, { 551, 84, 5 }, { 1030, 33, 17 }
};

static void run_fc(const struct al_fc_algo *a, const struct al_fc *f,
                   const float *weights, float *y)
{
    struct al_fc fc = *f;
    float *packed = room(a->packed_floats(f->n_in, f->n_out) * sizeof(float));
    float *rows[MOST_ROWS];

    a->pack(f->n_in, f->n_out, weights, packed);
    for (size_t i = 0; i < f->n_rows; i++)
        rows[i] = y + i * f->n_out;
    fc.weights = packed;
    fc.y = rows;
    fc.tile_end = (f->n_out + AL_FC_TILE - 1) / AL_FC_TILE;
    a->run(&fc);
}

static bool check_fc(const struct al_fc_algo *real, const struct al_fc_algo *emulated,
                     const struct fc_shape *c)
{
    struct al_fc f = { .n_in = c->n_in, .n_out = c->n_out, .n_rows = c->n_rows };
    const float *weights, *x[MOST_ROWS];
    float *want, *y;

    heap = HEAP_BEGIN;
    weights = random_floats(c->n_in * c->n_out, false);
    f.bias = random_floats(c->n_out, false);
    for (size_t i = 0; i < c->n_rows; i++)
        x[i] = random_floats(c->n_in, false);
    f.x = x;
    want = random_floats(c->n_rows * c->n_out, false);
    y = random_floats(c->n_rows * c->n_out, false);
    run_fc(emulated, &f, weights, want);
    run_fc(real, &f, weights, y);
    return is_same(y, want, c->n_rows * c->n_out);
}

static bool report_fc(const struct al_fc_algo *a, const struct fc_shape *c, bool ok)
{
    print(ok ? "ok " : "DIFFERS ");
    print(a->name);
    print(" ");
    print_int((int64_t)c->n_in);
    print(" to ");
    print_int((int64_t)c->n_out);
    print(", ");
    print_int((int64_t)c->n_rows);
    print(" rows\n");
    return ok;
}

static size_t check_fcs(void)
{
    static const struct al_fc_algo *const real[] = {
#define X(products, isa) &al_fc_##products##_##isa,
        AL_AMX_FCS(X, amx)
#undef X
    };
    size_t bad = 0;

    for (size_t i = 0; i < sizeof(real) / sizeof(real[0]); i++) {
        for (size_t k = 0; k < sizeof(fc_shapes) / sizeof(fc_shapes[0]); k++)
            bad +=
                !report_fc(real[i], &fc_shapes[k],
                           check_fc(real[i], check_emulated_fc((enum al_conv_precision)i),
                                    &fc_shapes[k]));
    }
    return bad;
}

/* Bochs ends when these letters come to this port. */
static void power_off(void)
{
    for (const char *p = "Shutdown"; *p; p++)
        out(0x8900, *p);
}

void amx_bare_main(void)
{
    static const struct al_conv_algo *const real[] = {
#define X(family, isa) &al_conv_##family##_##isa,
        AL_AMX_FAMILIES(X, amx)
#undef X
    };
    size_t n, bad = 0;
    const struct al_conv_algo *const *emulated = check_emulated(&n);

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++) {
            const struct al_conv_shape s = shape_of(&shapes[k]);
            if (real[i]->fits(&s))
                bad +=
                    !report(real[i], &shapes[k], check(real[i], emulated[i], &shapes[k]));
        }
    }
    bad += check_fcs();
    print("end: ");
    print_int((int64_t)bad);
    print(" differ\n");
    power_off();
}
