/* tpl_tile.h — the register tile of the direct convolutions: PX neighbouring pixels of
 * one output line times KB output blocks. Each accumulator starts at the bias and takes
 * one FMA for each input channel and tap, always in the same order, so a pixel's bits do
 * not depend on the tile it falls into. */
#ifndef AL_KERN_TPL_TILE_H
#define AL_KERN_TPL_TILE_H

#include "engine/kern/tpl_map.h"

/* One kernel call. Strides are in floats. */
struct tile {
    const float *x; /* input at the first pixel's first tap, channel 0 */
    const float *w;
    const float *bias; /* of the first output block */
    const float *add;  /* at the first pixel, or NULL */
    float *y;
    int32_t c_begin, c_end, kernel_h, kernel_w;
    ptrdiff_t x_channel;    /* from channel block to channel block (planar: channel) */
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

/* One input channel at one tap: `step` floats between the pixels of x. */
AL_INLINE void tile_fma(const int px, const int kb, const ptrdiff_t step, const float *x,
                        const float *w, vec *acc)
{
    vec weights[4];

    AL_UNROLL
    for (int k = 0; k < kb; k++)
        weights[k] = v_load(w + k * AL_BLOCK);
    AL_UNROLL
    for (int p = 0; p < px; p++) {
        const vec pixel = v_set1(x[p * step]);
        AL_UNROLL
        for (int k = 0; k < kb; k++)
            acc[p * kb + k] = v_fma(pixel, weights[k], acc[p * kb + k]);
    }
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

/* Blocked input: channels of a block lie side by side. `step` = pixels' distance in
 * floats when it is known here, else 0. */
AL_INLINE void tile_blocked(const int px, const int kb, const int step,
                            const struct tile *t)
{
    const ptrdiff_t pixel = step ? step : t->x_pixel;
    const float *w = t->w;
    vec acc[MAX_ACC];

    tile_begin(px, kb, t, acc);
    for (int32_t c = t->c_begin, n; c < t->c_end; c += n) {
        const int32_t lane = c % AL_BLOCK;
        const float *xc = t->x + c / AL_BLOCK * t->x_channel + lane;
        n = t->c_end - c < AL_BLOCK - lane ? t->c_end - c : AL_BLOCK - lane;
        for (int32_t r = 0; r < t->kernel_h; r++, xc += t->x_row) {
            const float *xt = xc;
            for (int32_t s = 0; s < t->kernel_w; s++, xt += t->x_tap) {
                for (int32_t i = 0; i < n; i++, w += kb * AL_BLOCK)
                    tile_fma(px, kb, pixel, xt + i, w, acc);
            }
        }
    }
    tile_end(px, kb, t, acc);
}

/* Planar input: taps of a row lie side by side. */
AL_INLINE void tile_planar(const int px, const int kb, const int step,
                           const struct tile *t)
{
    const ptrdiff_t pixel = step ? step : t->x_pixel;
    const float *w = t->w;
    vec acc[MAX_ACC];

    tile_begin(px, kb, t, acc);
    for (int32_t c = t->c_begin; c < t->c_end; c++) {
        const float *xr = t->x + c * t->x_channel;
        for (int32_t r = 0; r < t->kernel_h; r++, xr += t->x_row) {
            const float *xt = xr;
            for (int32_t s = 0; s < t->kernel_w; s++, xt += t->x_tap, w += kb * AL_BLOCK)
                tile_fma(px, kb, pixel, xt, w, acc);
        }
    }
    tile_end(px, kb, t, acc);
}

/* Depthwise: a block of channels meets its own weights, lane by lane. */
AL_INLINE void tile_depthwise(const int px, const int kb, const int step,
                              const struct tile *t)
{
    const ptrdiff_t pixel = step ? step : t->x_pixel;
    const float *w = t->w;
    vec acc[MAX_ACC];

    tile_begin(px, kb, t, acc);
    for (int32_t r = 0; r < t->kernel_h; r++) {
        const float *xt = t->x + r * t->x_row;
        for (int32_t s = 0; s < t->kernel_w; s++, xt += t->x_tap, w += AL_BLOCK) {
            const vec weights = v_load(w);
            AL_UNROLL
            for (int p = 0; p < px; p++)
                acc[p] = v_fma(v_load(xt + p * pixel), weights, acc[p]);
        }
    }
    tile_end(px, kb, t, acc);
}

/* Every kernel: TILES(F, ...) calls F(pixels, blocks, ...) for each register tile that
 * fits the instruction set; TILES_ANY for the few whose pixel distance is a
 * variable, TILES_ONE for depthwise, which has no second block to share a load with. */
#define TILES_TO_4(F, kb, ...) \
    F(1, kb, __VA_ARGS__)      \
    F(2, kb, __VA_ARGS__) F(3, kb, __VA_ARGS__) F(4, kb, __VA_ARGS__)
#define TILES_5_6(F, kb, ...) F(5, kb, __VA_ARGS__) F(6, kb, __VA_ARGS__)
#define TILES_7_9(F, kb, ...) \
    F(7, kb, __VA_ARGS__) F(8, kb, __VA_ARGS__) F(9, kb, __VA_ARGS__)
#define TILES_10_14(F, kb, ...)                                          \
    F(10, kb, __VA_ARGS__)                                               \
    F(11, kb, __VA_ARGS__) F(12, kb, __VA_ARGS__) F(13, kb, __VA_ARGS__) \
        F(14, kb, __VA_ARGS__)
#define TILES_15_28(F, kb, ...)                                                      \
    F(15, kb, __VA_ARGS__)                                                           \
    F(16, kb, __VA_ARGS__) F(17, kb, __VA_ARGS__) F(18, kb, __VA_ARGS__)             \
        F(19, kb, __VA_ARGS__) F(20, kb, __VA_ARGS__) F(21, kb, __VA_ARGS__)         \
            F(22, kb, __VA_ARGS__) F(23, kb, __VA_ARGS__) F(24, kb, __VA_ARGS__)     \
                F(25, kb, __VA_ARGS__) F(26, kb, __VA_ARGS__) F(27, kb, __VA_ARGS__) \
                    F(28, kb, __VA_ARGS__)

#if defined(__AVX512VL__) /* 32 registers */
#define PX_1 28
#define PX_2 14
#define PX_3 9
#define PX_4 6
#define TILES(F, ...)                                                              \
    TILES_TO_4(F, 1, __VA_ARGS__)                                                  \
    TILES_5_6(F, 1, __VA_ARGS__) TILES_7_9(F, 1, __VA_ARGS__)                      \
        TILES_10_14(F, 1, __VA_ARGS__) TILES_15_28(F, 1, __VA_ARGS__)              \
            TILES_TO_4(F, 2, __VA_ARGS__) TILES_5_6(F, 2, __VA_ARGS__)             \
                TILES_7_9(F, 2, __VA_ARGS__) TILES_10_14(F, 2, __VA_ARGS__)        \
                    TILES_TO_4(F, 3, __VA_ARGS__) TILES_5_6(F, 3, __VA_ARGS__)     \
                        TILES_7_9(F, 3, __VA_ARGS__) TILES_TO_4(F, 4, __VA_ARGS__) \
                            TILES_5_6(F, 4, __VA_ARGS__)
#define TILES_ANY(F, ...) TILES_TO_4(F, 1, __VA_ARGS__) TILES_TO_4(F, 2, __VA_ARGS__)
#define TILES_ONE(F, ...)                                     \
    TILES_TO_4(F, 1, __VA_ARGS__)                             \
    TILES_5_6(F, 1, __VA_ARGS__) TILES_7_9(F, 1, __VA_ARGS__) \
        TILES_10_14(F, 1, __VA_ARGS__)
#define PX_ONE 14
#define PX_ANY 4
#define KB_ANY 2
#elif defined(__AVX2__) /* 16 registers */
#define PX_1 12
#define PX_2 6
#define PX_3 4
#define PX_4 0
#define TILES(F, ...)                                                               \
    TILES_TO_4(F, 1, __VA_ARGS__)                                                   \
    TILES_5_6(F, 1, __VA_ARGS__) TILES_7_9(F, 1, __VA_ARGS__) F(10, 1, __VA_ARGS__) \
        F(11, 1, __VA_ARGS__) F(12, 1, __VA_ARGS__) TILES_TO_4(F, 2, __VA_ARGS__)   \
            TILES_5_6(F, 2, __VA_ARGS__) TILES_TO_4(F, 3, __VA_ARGS__)
#define TILES_ANY(F, ...) TILES_TO_4(F, 1, __VA_ARGS__) TILES_TO_4(F, 2, __VA_ARGS__)
#define TILES_ONE(F, ...)         \
    TILES_TO_4(F, 1, __VA_ARGS__) \
    TILES_5_6(F, 1, __VA_ARGS__) TILES_7_9(F, 1, __VA_ARGS__)
#define PX_ONE 9
#define PX_ANY 4
#define KB_ANY 2
#else
#define PX_1              (AL_BLOCK == 8 ? 4 : 2)
#define PX_2              0
#define PX_3              0
#define PX_4              0
#define TILES(F, ...)     TILES_TO_4(F, 1, __VA_ARGS__)
#define TILES_ANY(F, ...) TILES_TO_4(F, 1, __VA_ARGS__)
#define TILES_ONE(F, ...) TILES_TO_4(F, 1, __VA_ARGS__)
#define PX_ONE            PX_1
#define PX_ANY            PX_1
#define KB_ANY            1
#endif

#define TILE_DEFINE(px, kb, form, step, tag)                         \
    static void tile_##form##tag##_##px##_##kb(const struct tile *t) \
    {                                                                \
        tile_##form(px, kb, step, t);                                \
    }
#define TILE_ENTRY(px, kb, form, step, tag) [kb][px] = tile_##form##tag##_##px##_##kb,

/* A table [blocks][pixels] of the kernels of one form and pixel distance. */
#define TILE_TABLE(list, form, step, tag)                                                \
    list(TILE_DEFINE, form, step, tag) static const tile_fn tiles_##form##tag[5][29] = { \
        list(TILE_ENTRY, form, step, tag)                                                \
    };

#endif
