/* tpl_tile.h — the register tile of the direct convolutions: PX neighbouring pixels of
 * one output line times KB output blocks. Each accumulator starts at the bias and takes
 * one step (tpl_step.h) for each input channel, or pair of them, and tap, always in the
 * same order, so a pixel's bits do not depend on the tile it falls into. */
#ifndef AL_KERN_TPL_TILE_H
#define AL_KERN_TPL_TILE_H

#include "engine/kern/tpl_map.h"
#include "engine/kern/tpl_step.h"

/* One kernel call. Distances are in floats. The input is walked channel group by channel
 * group (blocked: the channels of a block; planar: one channel), tap row by tap row, then
 * along the row. */
struct tile {
    const float *x; /* input at the first pixel's first tap, first channel group */
    const float *w;
    const float *bias; /* of the first output block */
    const float *add;  /* at the first pixel, or NULL */
    float *y;
    bool planar;
    int32_t lane;    /* first step's place in its block (planar: 0) */
    int32_t n_steps; /* along the channels from there on */
    int32_t kernel_h, kernel_w;
    ptrdiff_t x_channel;    /* from channel group to channel group */
    ptrdiff_t x_row, x_tap; /* from tap to tap, down and right (dilation included) */
    ptrdiff_t x_pixel;      /* from output pixel to output pixel */
    ptrdiff_t y_block, add_block;
    struct clamp clamp;
};

#define MAX_ACC 28 /* registers for results */

typedef void (*tile_fn)(const struct tile *t);

AL_INLINE void tile_begin(const int px, const int kb, const struct tile *t, vec *acc)
{
    AL_UNROLL
    for (int k = 0; k < kb; k++) {
        const vec bias = v_load(t->bias + k * AL_BLOCK);
        AL_UNROLL
        for (int p = 0; p < px; p++)
            acc[p * kb + k] = bias;
    }
}

/* One tap row: `n_taps` times `n` steps along the input, each for every accumulator.
 * Every fourth pixel has a pointer of its own; the addressing modes do the
 * rest. Returns the weights that follow. */
AL_INLINE const float *tile_row(const int px, const int kb, const struct tile *t,
                                const float *x, int32_t n_taps, int32_t n, const float *w,
                                vec *acc)
{
    const ptrdiff_t pixels[4] = { 0, t->x_pixel, 2 * t->x_pixel, 3 * t->x_pixel };
    const ptrdiff_t step = t->planar ? t->x_tap : 1, skip = t->x_tap - n * step;
    const float *at[(MAX_ACC + 3) / 4];

    AL_UNROLL
    for (int p = 0; p < px; p += 4)
        at[p / 4] = x + p * t->x_pixel;
    for (int32_t s = 0; s < n_taps; s++) {
        for (int32_t i = 0; i < n; i++, w += kb * AL_BLOCK) {
            vec weights[4];
            AL_UNROLL
            for (int k = 0; k < kb; k++)
                weights[k] = v_load(w + k * AL_BLOCK);
            AL_UNROLL
            for (int p = 0; p < px; p++) {
                const vec value = step_value(at[p / 4] + pixels[p % 4]);
                AL_UNROLL
                for (int k = 0; k < kb; k++)
                    acc[p * kb + k] = step_add(value, weights[k], acc[p * kb + k]);
            }
            AL_UNROLL
            for (int p = 0; p < px; p += 4)
                at[p / 4] += step;
        }
        AL_UNROLL
        for (int p = 0; p < px; p += 4)
            at[p / 4] += skip;
    }
    return w;
}

AL_INLINE void tile_end(const int px, const int kb, const struct tile *t, const vec *acc)
{
    const vec lo = v_set1(t->clamp.lo), hi = v_set1(t->clamp.hi);

    AL_UNROLL
    for (int k = 0; k < kb; k++) {
        const float *add = t->add ? t->add + k * t->add_block : NULL;
        AL_UNROLL
        for (int p = 0; p < px; p++) {
            vec v = acc[p * kb + k];
            if (add)
                v = v + v_load(add + p * AL_BLOCK);
            v_store(t->y + k * t->y_block + p * AL_BLOCK, v_min(hi, v_max(lo, v)));
        }
    }
}

/* A 1x1 convolution reads a short piece of every channel block, too short for the
 * processor to see where the next one will be. */
AL_INLINE void prefetch_next(const int px, const struct tile *t, const float *x)
{
    AL_UNROLL
    for (int p = px; p < 2 * px; p++)
        __builtin_prefetch(x + p * t->x_pixel);
}

AL_INLINE void tile_dense(const int px, const int kb, const struct tile *t)
{
    const float *w = t->w, *x = t->x + t->lane;
    int32_t left = t->n_steps, room = STEP_LANES - t->lane, n;
    vec acc[MAX_ACC];

    tile_begin(px, kb, t, acc);
    while (left > 0) {
        n = room < left ? room : left;
        n = t->planar ? 1 : n;
        if (t->kernel_h * t->kernel_w == 1)
            prefetch_next(px, t, x);
        for (int32_t r = 0; r < t->kernel_h; r++)
            w = tile_row(px, kb, t, x + r * t->x_row, t->planar ? 1 : t->kernel_w,
                         t->planar ? t->kernel_w : n, w, acc);
        left -= n;
        x += t->x_channel - (room < STEP_LANES ? t->lane : 0);
        room = STEP_LANES;
    }
    tile_end(px, kb, t, acc);
}

/* Depthwise: a block of channels meets its own weights, lane by lane. */
AL_INLINE void tile_depthwise(const int px, const int kb, const struct tile *t)
{
    const float *w = t->w;
    vec acc[MAX_ACC];

    tile_begin(px, kb, t, acc);
    for (int32_t r = 0; r < t->kernel_h; r++) {
        const float *xt = t->x + r * t->x_row;
        for (int32_t s = 0; s < t->kernel_w; s++, xt += t->x_tap, w += AL_BLOCK) {
            const vec weights = v_load(w);
            AL_UNROLL
            for (int p = 0; p < px; p++)
                acc[p] = v_fma(v_load(xt + p * t->x_pixel), weights, acc[p]);
        }
    }
    tile_end(px, kb, t, acc);
}

/* Depthwise with three taps a row, side by side: each input vector is loaded once for the
 * up to three pixels that read it. The order of FMAs is tile_depthwise's. */
AL_INLINE void tile_depthwise_3(const int px, const int stride, const struct tile *t)
{
    vec acc[MAX_ACC], weights[3];

    tile_begin(px, 1, t, acc);
    for (int32_t r = 0; r < t->kernel_h; r++) {
        const float *x = t->x + r * t->x_row;
        AL_UNROLL
        for (int s = 0; s < 3; s++)
            weights[s] = v_load(t->w + (r * 3 + s) * AL_BLOCK);
        AL_UNROLL
        for (int i = 0; i < (px - 1) * stride + 3; i++) {
            const vec value = v_load(x + i * AL_BLOCK);
            AL_UNROLL
            for (int s = 2; s >= 0; s--) {
                if (i >= s && (i - s) % stride == 0 && (i - s) / stride < px)
                    acc[(i - s) / stride] =
                        v_fma(value, weights[s], acc[(i - s) / stride]);
            }
        }
    }
    tile_end(px, 1, t, acc);
}

AL_INLINE void tile_depthwise_3s1(const int px, const int kb, const struct tile *t)
{
    (void)kb;
    tile_depthwise_3(px, 1, t);
}

AL_INLINE void tile_depthwise_3s2(const int px, const int kb, const struct tile *t)
{
    (void)kb;
    tile_depthwise_3(px, 2, t);
}

/* Groups of n channels, n a divisor of the block: output lane l reads input lanes l / n *
 * n + j, j < n. LANES_n(v, j) puts them side by side. */
#if AL_BLOCK == 16
#define LANES_4(v, j)                                                              \
    __builtin_shufflevector(v, v, (j), (j), (j), (j), 4 + (j), 4 + (j), 4 + (j),   \
                            4 + (j), 8 + (j), 8 + (j), 8 + (j), 8 + (j), 12 + (j), \
                            12 + (j), 12 + (j), 12 + (j))
#define LANES_8(v, j)                                                              \
    __builtin_shufflevector(v, v, (j), (j), (j), (j), (j), (j), (j), (j), 8 + (j), \
                            8 + (j), 8 + (j), 8 + (j), 8 + (j), 8 + (j), 8 + (j),  \
                            8 + (j))
#else
#define LANES_4(v, j) \
    __builtin_shufflevector(v, v, (j), (j), (j), (j), 4 + (j), 4 + (j), 4 + (j), 4 + (j))
#endif

#define GROUP_STEP(lanes, j)                                                       \
    do {                                                                           \
        const vec weights = v_load(w + (j)*AL_BLOCK);                              \
        AL_UNROLL                                                                  \
        for (int p = 0; p < px; p++)                                               \
            acc[p] = v_fma(lanes(v_load(x + p * t->x_pixel), j), weights, acc[p]); \
    } while (0)

AL_INLINE void tile_grouped_4(const int px, const int kb, const struct tile *t)
{
    const float *w = t->w;
    vec acc[MAX_ACC];

    tile_begin(px, kb, t, acc);
    for (int32_t i = 0; i < t->kernel_h * t->kernel_w; i++, w += 4 * AL_BLOCK) {
        const float *x = t->x + i / t->kernel_w * t->x_row + i % t->kernel_w * t->x_tap;
        GROUP_STEP(LANES_4, 0);
        GROUP_STEP(LANES_4, 1);
        GROUP_STEP(LANES_4, 2);
        GROUP_STEP(LANES_4, 3);
    }
    tile_end(px, kb, t, acc);
}

#if AL_BLOCK == 16
AL_INLINE void tile_grouped_8(const int px, const int kb, const struct tile *t)
{
    const float *w = t->w;
    vec acc[MAX_ACC];

    tile_begin(px, kb, t, acc);
    for (int32_t i = 0; i < t->kernel_h * t->kernel_w; i++, w += 8 * AL_BLOCK) {
        const float *x = t->x + i / t->kernel_w * t->x_row + i % t->kernel_w * t->x_tap;
        GROUP_STEP(LANES_8, 0);
        GROUP_STEP(LANES_8, 1);
        GROUP_STEP(LANES_8, 2);
        GROUP_STEP(LANES_8, 3);
        GROUP_STEP(LANES_8, 4);
        GROUP_STEP(LANES_8, 5);
        GROUP_STEP(LANES_8, 6);
        GROUP_STEP(LANES_8, 7);
    }
    tile_end(px, kb, t, acc);
}
#endif

/* Every kernel: TILES(F, form) calls F(pixels, blocks, form) for each register tile that
 * fits the instruction set; TILES_ONE for depthwise, which has no second block to share a
 * load with. PX_n: the most pixels with n blocks. */
#define TILES_1_4(F, kb, form) F(1, kb, form) F(2, kb, form) F(3, kb, form) F(4, kb, form)
#define TILES_5_9(F, kb, form) \
    F(5, kb, form) F(6, kb, form) F(7, kb, form) F(8, kb, form) F(9, kb, form)
#define TILES_10_14(F, kb, form) \
    F(10, kb, form) F(11, kb, form) F(12, kb, form) F(13, kb, form) F(14, kb, form)
#define TILES_1_14(F, kb, form) \
    TILES_1_4(F, kb, form) TILES_5_9(F, kb, form) TILES_10_14(F, kb, form)
#define TILES_15_20(F, kb, form) \
    F(15, kb, form)              \
    F(16, kb, form) F(17, kb, form) F(18, kb, form) F(19, kb, form) F(20, kb, form)

#if defined(__AVX512VL__) /* 32 registers */
#define PX_1 20
#define PX_2 14
#define PX_3 9
#define PX_4 6
#define TILES(F, form)      \
    TILES_1_14(F, 1, form)  \
    TILES_15_20(F, 1, form) \
    TILES_1_14(F, 2, form)  \
    TILES_1_4(F, 3, form)   \
    TILES_5_9(F, 3, form) TILES_1_4(F, 4, form) F(5, 4, form) F(6, 4, form)
#define PX_ONE             14
#define TILES_ONE(F, form) TILES_1_14(F, 1, form)
#elif defined(__AVX2__) /* 16 registers */
#define PX_1 12
#define PX_2 6
#define PX_3 4
#define PX_4 0
#define TILES(F, form)    \
    TILES_1_4(F, 1, form) \
    TILES_5_9(F, 1, form) \
    F(10, 1, form)        \
    F(11, 1, form)        \
    F(12, 1, form) TILES_1_4(F, 2, form) F(5, 2, form) F(6, 2, form) TILES_1_4(F, 3, form)
#define PX_ONE             9
#define TILES_ONE(F, form) TILES_1_4(F, 1, form) TILES_5_9(F, 1, form)
#else
#define PX_1               (AL_BLOCK == 8 ? 4 : 2)
#define PX_2               0
#define PX_3               0
#define PX_4               0
#define TILES(F, form)     TILES_1_4(F, 1, form)
#define PX_ONE             PX_1
#define TILES_ONE(F, form) TILES_1_4(F, 1, form)
#endif
#define MAX_PX 20

#define TILE_DEFINE(px, kb, form)                               \
    static void tile_##form##_##px##_##kb(const struct tile *t) \
    {                                                           \
        tile_##form(px, kb, t);                                 \
    }
#define TILE_ENTRY(px, kb, form) [kb][px] = tile_##form##_##px##_##kb,

/* The kernels of one form by blocks and pixels. */
TILES(TILE_DEFINE, dense)
static const tile_fn tiles_dense[5][MAX_PX + 1] = { TILES(TILE_ENTRY, dense) };
TILES_ONE(TILE_DEFINE, depthwise)
TILES_ONE(TILE_DEFINE, depthwise_3s1)
TILES_ONE(TILE_DEFINE, depthwise_3s2)
static const tile_fn tiles_depthwise[2][MAX_PX + 1] = { TILES_ONE(TILE_ENTRY,
                                                                  depthwise) };
static const tile_fn tiles_depthwise_3s1[2][MAX_PX + 1] = { TILES_ONE(TILE_ENTRY,
                                                                      depthwise_3s1) };
static const tile_fn tiles_depthwise_3s2[2][MAX_PX + 1] = { TILES_ONE(TILE_ENTRY,
                                                                      depthwise_3s2) };

TILES_ONE(TILE_DEFINE, grouped_4)
static const tile_fn tiles_grouped_4[2][MAX_PX + 1] = { TILES_ONE(TILE_ENTRY,
                                                                  grouped_4) };
#if AL_BLOCK == 16
TILES_ONE(TILE_DEFINE, grouped_8)
static const tile_fn tiles_grouped_8[2][MAX_PX + 1] = { TILES_ONE(TILE_ENTRY,
                                                                  grouped_8) };
#endif

#endif
