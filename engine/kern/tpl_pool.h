/* tpl_pool.h — pooling and local response normalisation on blocked activations. */
#ifndef AL_KERN_TPL_POOL_H
#define AL_KERN_TPL_POOL_H

#include "engine/kern/tpl_map.h"

/* The taps [first, end) of one window axis that lie inside the picture, how many lie
 * inside the padded picture, and where tap 0 lies. */
struct taps {
    int32_t start, first, end, padded;
};

/* How many of `kernel` taps from `start` on lie before `limit`. */
static inline int32_t taps_before(int32_t start, int32_t kernel, int32_t dilation,
                                  int32_t limit)
{
    if (start + (kernel - 1) * dilation < limit)
        return kernel;
    return start < limit ? (limit - start + dilation - 1) / dilation : 0;
}

static inline struct taps taps_inside(int32_t start, int32_t kernel, int32_t dilation,
                                      int32_t size, int32_t pad_end)
{
    return (
        struct taps){ .start = start,
                      .first = start >= 0 ? 0 : taps_before(start, kernel, dilation, 0),
                      .end = taps_before(start, kernel, dilation, size),
                      .padded = taps_before(start, kernel, dilation, size + pad_end) };
}

/* `x` is pixel (0, 0) of the block. */
AL_INLINE vec window_max(const struct al_pool *p, const float *x, ptrdiff_t row,
                         struct taps v, struct taps h)
{
    vec acc = v_set1(-INFINITY);

    for (int32_t r = v.first; r < v.end; r++) {
        const float *at = x + (ptrdiff_t)(v.start + r * p->dilation_h) * row;
        for (int32_t s = h.first; s < h.end; s++)
            acc = v_max(acc,
                        v_load(at + (ptrdiff_t)(h.start + s * p->dilation_w) * AL_BLOCK));
    }
    return acc;
}

AL_INLINE vec window_mean(const struct al_pool *p, const float *x, ptrdiff_t row,
                          struct taps v, struct taps h)
{
    const int32_t inside = (v.end - v.first) * (h.end - h.first);
    const int32_t count = p->count_include_pad ? v.padded * h.padded : inside;
    vec acc = v_zero();

    for (int32_t r = v.first; r < v.end; r++) {
        const float *at = x + (ptrdiff_t)(v.start + r * p->dilation_h) * row;
        for (int32_t s = h.first; s < h.end; s++)
            acc = acc + v_load(at + (ptrdiff_t)(h.start + s * p->dilation_w) * AL_BLOCK);
    }
    return inside > 0 ? acc / v_set1((float)count) : v_zero();
}

/* A window of size x size neighbours that lies inside the picture; `x` is its first tap.
 * The taps' order is that of window_max and window_mean, so the bits are too. */
AL_INLINE vec window_inside(const float *x, ptrdiff_t row, int32_t size, bool mean)
{
    vec acc = mean ? v_zero() : v_set1(-INFINITY);

    AL_UNROLL
    for (int32_t r = 0; r < size; r++) {
        AL_UNROLL
        for (int32_t s = 0; s < size; s++) {
            const vec v = v_load(x + r * row + (ptrdiff_t)s * AL_BLOCK);
            acc = mean ? acc + v : v_max(acc, v);
        }
    }
    return mean ? acc / v_set1((float)(size * size)) : acc;
}

AL_INLINE void windows_inside(int32_t n, const float *x, ptrdiff_t row, ptrdiff_t step,
                              int32_t size, bool mean, ivec lanes, float *y)
{
    for (int32_t j = 0; j < n; j++)
        v_store(y + (ptrdiff_t)j * AL_BLOCK,
                v_keep(lanes, window_inside(x + j * step, row, size, mean)));
}

/* How many windows at the start of a row do not lie inside the picture, and where those
 * that do end. */
static inline int32_t first_inside(const struct al_pool *p)
{
    return (p->pad_left + p->stride_w - 1) / p->stride_w;
}

static inline int32_t end_inside(const struct al_pool *p)
{
    const int32_t room = p->in.w + p->pad_left - p->kernel_w;
    const int32_t end = room < 0 ? 0 : room / p->stride_w + 1;

    return end < p->out.w ? end : p->out.w;
}

/* Whether windows inside the picture have an unrolled kernel: 2x2 and 3x3 neighbours. */
static inline bool is_common_window(const struct al_pool *p)
{
    return p->kernel_h == p->kernel_w && (p->kernel_h == 2 || p->kernel_h == 3) &&
           p->dilation_h == 1 && p->dilation_w == 1;
}

AL_INLINE void pool_columns(const struct al_pool *p, bool mean, struct taps v,
                            int32_t begin, int32_t end, ivec lanes, const float *x,
                            float *y)
{
    const ptrdiff_t row = map_plane(&p->in).row;

    for (int32_t j = begin; j < end; j++) {
        const struct taps h = taps_inside(j * p->stride_w - p->pad_left, p->kernel_w,
                                          p->dilation_w, p->in.w, p->pad_right);
        const vec r = mean ? window_mean(p, x, row, v, h) : window_max(p, x, row, v, h);
        v_store(y + (ptrdiff_t)j * AL_BLOCK, v_keep(lanes, r));
    }
}

/* One output row of one block; `x` is pixel (0, 0) of the block, `y` of the row. */
AL_INLINE void pool_row(const struct al_pool *p, bool mean, int32_t i, ivec lanes,
                        const float *x, float *y)
{
    const struct taps v = taps_inside(i * p->stride_h - p->pad_top, p->kernel_h,
                                      p->dilation_h, p->in.h, p->pad_bottom);
    const int32_t first = first_inside(p), end = end_inside(p);

    if (!is_common_window(p) || v.end - v.first < p->kernel_h || first >= end) {
        pool_columns(p, mean, v, 0, p->out.w, lanes, x, y);
        return;
    }
    const ptrdiff_t row = map_plane(&p->in).row, step = p->stride_w * AL_BLOCK;
    const float *at = x + v.start * row + first * step - p->pad_left * AL_BLOCK;
    float *to = y + (ptrdiff_t)first * AL_BLOCK;

    pool_columns(p, mean, v, 0, first, lanes, x, y);
    if (p->kernel_h == 2)
        windows_inside(end - first, at, row, step, 2, mean, lanes, to);
    else
        windows_inside(end - first, at, row, step, 3, mean, lanes, to);
    pool_columns(p, mean, v, end, p->out.w, lanes, x, y);
}

AL_INLINE void pool(const struct al_pool *p, bool mean, const float *x, float *y)
{
    const struct plane in = map_plane(&p->in), out = map_plane(&p->out);

    for (int32_t b = 0; b < n_blocks(p->in.c); b++) {
        for (int32_t i = 0; i < p->out.h; i++)
            pool_row(p, mean, i, block_lanes(p->in.c, b), x + b * in.block + in.origin,
                     y + b * out.block + out.origin + i * out.row);
        zero_halo(y + b * out.block, &p->out);
    }
}

static void max_pool(const struct al_pool *p, const float *x, float *y)
{
    pool(p, false, x, y);
}

static void average_pool(const struct al_pool *p, const float *x, float *y)
{
    pool(p, true, x, y);
}

/* Four partial results a row, so that additions overlap. */
AL_INLINE vec global_one(const float *x, const struct al_map *m, bool mean)
{
    const ptrdiff_t row = map_plane(m).row;
    const vec start = mean ? v_zero() : v_set1(-INFINITY);
    vec acc[4] = { start, start, start, start };

    for (int32_t i = 0; i < m->h; i++, x += row) {
        for (int32_t j = 0; j < m->w; j++) {
            const vec v = v_load(x + (ptrdiff_t)j * AL_BLOCK);
            acc[j % 4] = mean ? acc[j % 4] + v : v_max(acc[j % 4], v);
        }
    }
    if (mean)
        return ((acc[0] + acc[1]) + (acc[2] + acc[3])) / v_set1((float)(m->h * m->w));
    return v_max(v_max(acc[0], acc[1]), v_max(acc[2], acc[3]));
}

AL_INLINE void global_pool(const struct al_pool *p, bool mean, const float *x, float *y)
{
    const struct plane in = map_plane(&p->in), out = map_plane(&p->out);

    for (int32_t b = 0; b < n_blocks(p->in.c); b++) {
        const vec r = global_one(x + b * in.block + in.origin, &p->in, mean);
        v_store(y + b * out.block + out.origin, v_keep(block_lanes(p->in.c, b), r));
        zero_halo(y + b * out.block, &p->out);
    }
}

static void global_max_pool(const struct al_pool *p, const float *x, float *y)
{
    global_pool(p, false, x, y);
}

static void global_average_pool(const struct al_pool *p, const float *x, float *y)
{
    global_pool(p, true, x, y);
}

/* Squares of block b of one pixel's channels, zero outside [0, c). */
AL_INLINE vec lrn_squares(const float *x, ptrdiff_t block, int32_t b, int32_t c)
{
    if (b < 0 || b >= n_blocks(c))
        return v_zero();
    return v_load(x + b * block) * v_load(x + b * block);
}

/* The channels around are read back from a small buffer at shifted offsets; hence
 * size / 2 <= block. */
AL_INLINE vec lrn_pixel(const struct al_lrn *l, const float *x, ptrdiff_t block,
                        int32_t b)
{
    float squares[3 * AL_BLOCK];
    const int32_t before = (l->size - 1) / 2;
    vec sum = v_zero();

    for (int32_t i = 0; i < 3; i++)
        v_store(squares + (ptrdiff_t)i * AL_BLOCK,
                lrn_squares(x, block, b + i - 1, l->c));
    for (int32_t i = 0; i < l->size; i++)
        sum = sum + v_load(squares + AL_BLOCK - before + i);
    sum = v_fma(sum, v_set1(l->alpha / (float)l->size), v_set1(l->bias));
    return v_load(x + b * block) * v_exp(v_log(sum) * v_set1(-l->beta));
}

static void lrn(const struct al_lrn *l, const float *x, float *y)
{
    const struct al_map out = { l->c, l->h, l->w, l->y_halo };
    const struct plane px = plane_of(l->h, l->w, l->x_halo), py = map_plane(&out);

    for (int32_t b = 0; b < n_blocks(l->c); b++) {
        const ivec lanes = block_lanes(l->c, b);
        for (int32_t i = 0; i < l->h; i++) {
            const float *from = x + px.origin + i * px.row;
            float *to = y + b * py.block + py.origin + i * py.row;
            for (ptrdiff_t j = 0; j < (ptrdiff_t)l->w * AL_BLOCK; j += AL_BLOCK)
                v_store(to + j, v_keep(lanes, lrn_pixel(l, from + j, px.block, b)));
        }
        zero_halo(y + b * py.block, &out);
    }
}

#endif
