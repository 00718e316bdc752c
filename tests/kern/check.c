#include "tests/kern/check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/kern/cpu.h"

unsigned check_level;
bool check_is_emulated;

static uint64_t state = 0x9e3779b97f4a7c15U;

/* xorshift64*: good enough for test data. */
static uint32_t next_random(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545f4914f6cdd1dU) >> 32);
}

float check_random(void)
{
    return (float)(next_random() >> 8) / 8388608.0F - 1.0F;
}

int32_t check_random_int(int32_t least, int32_t most)
{
    return least + (int32_t)(next_random() % (uint32_t)(most - least + 1));
}

#define GUARD_FLOATS 64
#define GUARD_VALUE  12345.0F

struct guarded guarded_new(size_t n)
{
    struct guarded g = { .n = n };
    const size_t total = (n + 2 * GUARD_FLOATS + 15) / 16 * 16;
    float *p = aligned_alloc(64, total * sizeof(float));

    assert_non_null(p);
    for (size_t i = 0; i < total; i++)
        p[i] = GUARD_VALUE;
    g.memory = p;
    g.data = p + GUARD_FLOATS;
    return g;
}

struct guarded guarded_random(size_t n)
{
    struct guarded g = guarded_new(n);

    for (size_t i = 0; i < n; i++)
        g.data[i] = check_random();
    return g;
}

void guarded_free(struct guarded *g)
{
    const float guard = GUARD_VALUE;

    for (size_t i = 0; i < GUARD_FLOATS; i++) {
        assert_memory_equal(g->data - 1 - i, &guard, sizeof(guard));
        assert_memory_equal(g->data + g->n + i, &guard, sizeof(guard));
    }
    free(g->memory);
    g->memory = NULL;
}

static size_t blocked_index(const struct al_map *m, int32_t block, int32_t c, int32_t i,
                            int32_t j)
{
    const size_t rows = (size_t)(m->halo.top + m->h + m->halo.bottom);
    const size_t columns = (size_t)(m->halo.left + m->w + m->halo.right);

    return (((size_t)(c / block) * rows + (size_t)(m->halo.top + i)) * columns +
            (size_t)(m->halo.left + j)) *
               (size_t)block +
           (size_t)(c % block);
}

struct guarded block_picture(const struct al_map *m, int32_t block, const float *plain)
{
    struct guarded g = guarded_new(al_map_floats(m, block));

    memset(g.data, 0, g.n * sizeof(float));
    for (int32_t c = 0; c < m->c; c++) {
        for (int32_t i = 0; i < m->h; i++) {
            for (int32_t j = 0; j < m->w; j++)
                g.data[blocked_index(m, block, c, i, j)] = *plain++;
        }
    }
    return g;
}

struct guarded unblock_picture(const struct al_map *m, int32_t block,
                               const float *blocked)
{
    struct guarded g = guarded_new((size_t)m->c * (size_t)m->h * (size_t)m->w);
    float *rest = malloc(al_map_floats(m, block) * sizeof(float));
    float *y = g.data;

    assert_non_null(rest);
    memcpy(rest, blocked, al_map_floats(m, block) * sizeof(float));
    for (int32_t c = 0; c < m->c; c++) {
        for (int32_t i = 0; i < m->h; i++) {
            for (int32_t j = 0; j < m->w; j++, y++) {
                *y = blocked[blocked_index(m, block, c, i, j)];
                rest[blocked_index(m, block, c, i, j)] = 0.0F;
            }
        }
    }
    for (size_t i = 0; i < al_map_floats(m, block); i++)
        assert_true(fabsf(rest[i]) <= 0.0F); /* halo and tail lanes */
    free(rest);
    return g;
}

void check_near(const char *what, const float *a, const float *b, size_t n,
                float tolerance)
{
    for (size_t i = 0; i < n; i++) {
        if (!(fabsf(a[i] - b[i]) <= tolerance * (1.0F + fabsf(b[i]))))
            fail_msg("%s: element %zu of %zu is %.9g, expected %.9g", what, i, n,
                     (double)a[i], (double)b[i]);
    }
}

void check_same_bits(const char *what, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(a + i, b + i, sizeof(float)) != 0)
            fail_msg("%s: element %zu of %zu is %.9g, was %.9g", what, i, n, (double)a[i],
                     (double)b[i]);
    }
}

float reference_act(float x, enum al_conv_act act, float a, float b)
{
    switch (act) {
    case AL_CONV_ACT_NONE:
        break;
    case AL_CONV_ACT_RELU:
        return x > 0.0F ? x : 0.0F;
    case AL_CONV_ACT_CLIP:
        return x < a ? a : x > b ? b : x;
    case AL_CONV_ACT_LEAKY_RELU:
        return x > 0.0F ? x : a * x;
    case AL_CONV_ACT_HARD_SWISH:
        return x * fmaxf(0.0F, fminf(1.0F, x / 6.0F + 0.5F));
    case AL_CONV_ACT_SIGMOID:
        return (float)(1.0 / (1.0 + exp(-(double)x)));
    case AL_CONV_ACT_TANH:
        return (float)tanh((double)x);
    case AL_CONV_ACT_GELU:
        return (float)(0.5 * (double)x * erfc(-(double)x * M_SQRT1_2));
    case AL_CONV_ACT_GELU_TANH:
        return (float)(0.5 * (double)x *
                       (1 + tanh(M_SQRT1_2 * M_2_SQRTPI *
                                 ((double)x + 0.044715 * pow((double)x, 3)))));
    }
    return x;
}

/* Each level is tested alone: the highest it adds, not what lies below. */
static bool is_of_level(unsigned flags)
{
    return strcmp(al_cpu_name(flags), al_cpu_name(check_level)) == 0;
}

size_t check_tables(const struct al_kern *ret[2])
{
    size_t n = 0;

    for (int32_t block = 8; block <= 16; block += 8) {
        const struct al_kern *k = al_kern_get(check_level, block);
        assert_non_null(k);
        if (is_of_level(k->cpu_flags) && !check_is_emulated)
            ret[n++] = k;
    }
    return n;
}

const struct al_conv_algo *check_algo_next(size_t *at)
{
    size_t n;
    const struct al_conv_algo *const *algos =
        check_is_emulated ? check_emulated(&n) : al_conv_algos(&n);

    while (*at < n) {
        const struct al_conv_algo *a = algos[(*at)++];
        if (is_of_level(a->cpu_flags))
            return a;
    }
    return NULL;
}

bool check_is_amx(void)
{
    return check_is_emulated || check_level & AL_CPU_AMX;
}

/* Names differ in the instruction set only: "direct_x3-amx", "direct_x3-amx_emulated". */
const struct al_conv_algo *check_twin(const struct al_conv_algo *a)
{
    const size_t length = strcspn(a->name, "-") + 1;
    size_t n;
    const struct al_conv_algo *const *twins = check_emulated(&n);

    for (size_t i = 0; a->cpu_flags & AL_CPU_AMX && i < n; i++) {
        if (strncmp(twins[i]->name, a->name, length) == 0)
            return twins[i];
    }
    return NULL;
}

#if !HAVE_X86
const struct al_conv_algo *const *check_emulated(size_t *ret_n)
{
    *ret_n = 0;
    return NULL;
}

const struct al_fc_algo *check_emulated_fc(enum al_conv_precision precision)
{
    (void)precision;
    return NULL;
}
#endif
