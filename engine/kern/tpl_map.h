/* tpl_map.h — walking blocked activations: strides, halo, packing, elementwise. */
#ifndef AL_KERN_TPL_MAP_H
#define AL_KERN_TPL_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "engine/kern/kern.h"
#include "engine/kern/simd.h"
#include "engine/kern/tpl_act.h"

/* Floats from row to row and block to block, and from the buffer's start to pixel (0, 0)
 * of block 0. */
struct plane {
    ptrdiff_t row, block, origin;
};

static inline struct plane plane_of(int32_t h, int32_t w, struct al_halo halo)
{
    const ptrdiff_t row = (ptrdiff_t)(halo.left + w + halo.right) * AL_BLOCK;

    return (struct plane){ .row = row,
                           .block = row * (halo.top + h + halo.bottom),
                           .origin = row * halo.top + (ptrdiff_t)halo.left * AL_BLOCK };
}

static inline struct plane map_plane(const struct al_map *m)
{
    return plane_of(m->h, m->w, m->halo);
}

static inline int32_t n_blocks(int32_t channels)
{
    return (channels + AL_BLOCK - 1) / AL_BLOCK;
}

static inline void zero_vecs(float *y, ptrdiff_t floats)
{
    for (ptrdiff_t i = 0; i < floats; i += AL_BLOCK)
        v_store(y + i, v_zero());
}

/* Zeroes the halo around rows [begin, end) of one block; `y` is the block's start. The
 * rows above the picture belong to row 0, those below to the last. */
static inline void zero_halo_rows(float *y, const struct al_map *m, int32_t begin,
                                  int32_t end)
{
    const struct plane p = map_plane(m);
    const ptrdiff_t left = (ptrdiff_t)m->halo.left * AL_BLOCK;
    const ptrdiff_t right = (ptrdiff_t)m->halo.right * AL_BLOCK;

    if (begin == 0)
        zero_vecs(y, p.row * m->halo.top);
    if (end == m->h)
        zero_vecs(y + p.row * (m->halo.top + m->h), p.row * m->halo.bottom);
    for (int32_t i = begin; i < end && left + right > 0; i++) {
        float *row = y + p.row * (m->halo.top + i);
        zero_vecs(row, left);
        zero_vecs(row + p.row - right, right);
    }
}

static inline void zero_halo(float *y, const struct al_map *m)
{
    zero_halo_rows(y, m, 0, m->h);
}

/* Ones in the lanes of block `b` that are channels of `c`. */
static inline ivec block_lanes(int32_t c, int32_t b)
{
    return v_lanes_below(c - b * AL_BLOCK);
}

static void pack(const struct al_map *m, const float *x, float *y)
{
    const struct plane p = map_plane(m);
    const ptrdiff_t hw = (ptrdiff_t)m->h * m->w;

    for (int32_t b = 0; b < n_blocks(m->c); b++, y += p.block) {
        const int32_t n = m->c - b * AL_BLOCK < AL_BLOCK ? m->c - b * AL_BLOCK : AL_BLOCK;
        zero_halo(y, m);
        for (int32_t i = 0; i < m->h; i++) {
            const float *from = x + (ptrdiff_t)b * AL_BLOCK * hw + (ptrdiff_t)i * m->w;
            float *to = y + p.origin + i * p.row;
            for (int32_t j = 0; j < m->w; j++, to += AL_BLOCK) {
                vec v = v_zero();
                for (int32_t k = 0; k < n; k++)
                    v[k] = from[k * hw + j];
                v_store(to, v);
            }
        }
    }
}

static void unpack(const struct al_map *m, const float *x, float *y)
{
    const struct plane p = map_plane(m);

    for (int32_t c = 0; c < m->c; c++) {
        const float *from = x + p.origin + c / AL_BLOCK * p.block + c % AL_BLOCK;
        for (int32_t i = 0; i < m->h; i++, from += p.row, y += m->w) {
            for (int32_t j = 0; j < m->w; j++)
                y[j] = from[(ptrdiff_t)j * AL_BLOCK];
        }
    }
}

enum eltwise_kind {
    ELTWISE_ADD,
    ELTWISE_MUL,
    ELTWISE_ACT,
    ELTWISE_AFFINE
};

struct eltwise_args {
    const float *x, *z; /* z: second input, or scale and shift of the block */
    const float *scale, *shift;
    float *y;
};

AL_INLINE vec eltwise_one(enum eltwise_kind kind, const struct eltwise_args *a,
                          ptrdiff_t j)
{
    const vec x = v_load(a->x + j);

    switch (kind) {
    case ELTWISE_ADD:
        return x + v_load(a->z + j);
    case ELTWISE_MUL:
        return x * v_load(a->z + j);
    case ELTWISE_AFFINE:
        return v_fma(x, v_load(a->scale), a->shift ? v_load(a->shift) : v_zero());
    case ELTWISE_ACT:
        break;
    }
    return x;
}

AL_INLINE void eltwise(enum eltwise_kind kind, const struct al_eltwise *e,
                       struct eltwise_args whole)
{
    const struct al_map out = { e->c, e->h, e->w, e->y_halo };
    const struct plane px = plane_of(e->h, e->w, e->x_halo);
    const struct plane pz = plane_of(e->h, e->w, e->z_halo);
    const struct plane py = map_plane(&out);

    for (int32_t b = 0; b < n_blocks(e->c); b++) {
        const ivec lanes = block_lanes(e->c, b);
        for (int32_t i = 0; i < e->h; i++) {
            const struct eltwise_args a = {
                .x = whole.x + b * px.block + px.origin + i * px.row,
                .z = whole.z ? whole.z + b * pz.block + pz.origin + i * pz.row : NULL,
                .scale = whole.scale ? whole.scale + (ptrdiff_t)b * AL_BLOCK : NULL,
                .shift = whole.shift ? whole.shift + (ptrdiff_t)b * AL_BLOCK : NULL,
                .y = whole.y + b * py.block + py.origin + i * py.row,
            };
            for (ptrdiff_t j = 0; j < (ptrdiff_t)e->w * AL_BLOCK; j += AL_BLOCK)
                v_store(a.y + j,
                        v_keep(lanes, v_act(eltwise_one(kind, &a, j), &e->post)));
        }
        zero_halo(whole.y + b * py.block, &out);
    }
}

static void add(const struct al_eltwise *e, const float *x, const float *z, float *y)
{
    eltwise(ELTWISE_ADD, e, (struct eltwise_args){ .x = x, .z = z, .y = y });
}

static void mul(const struct al_eltwise *e, const float *x, const float *z, float *y)
{
    eltwise(ELTWISE_MUL, e, (struct eltwise_args){ .x = x, .z = z, .y = y });
}

static void activate(const struct al_eltwise *e, const float *x, float *y)
{
    eltwise(ELTWISE_ACT, e, (struct eltwise_args){ .x = x, .y = y });
}

static void affine(const struct al_eltwise *e, const float *scale, const float *shift,
                   const float *x, float *y)
{
    eltwise(ELTWISE_AFFINE, e,
            (struct eltwise_args){ .x = x, .scale = scale, .shift = shift, .y = y });
}

/* The lanes of one block of y that come from x, one by one: concatenation at offsets that
 * are not multiples of the block. */
static void copy_lane(const struct al_channels *k, int32_t channel, const float *x,
                      float *y)
{
    const struct plane px = map_plane(&k->x), py = map_plane(&k->y);
    const int32_t xc = k->x_first + channel, yc = k->y_first + channel;
    const float *from = x + xc / AL_BLOCK * px.block + px.origin + xc % AL_BLOCK;
    float *to = y + yc / AL_BLOCK * py.block + py.origin + yc % AL_BLOCK;

    for (int32_t i = 0; i < k->y.h; i++, from += px.row, to += py.row) {
        for (ptrdiff_t j = 0; j < (ptrdiff_t)k->y.w * AL_BLOCK; j += AL_BLOCK)
            to[j] = from[j];
    }
}

static void copy_block(const struct al_channels *k, int32_t channel, const float *x,
                       float *y)
{
    const struct plane px = map_plane(&k->x), py = map_plane(&k->y);
    const float *from = x + (k->x_first + channel) / AL_BLOCK * px.block + px.origin;
    float *to = y + (k->y_first + channel) / AL_BLOCK * py.block + py.origin;

    for (int32_t i = 0; i < k->y.h; i++, from += px.row, to += py.row)
        memcpy(to, from, (size_t)k->y.w * AL_BLOCK * sizeof(float));
}

/* Zeroes the lanes after the last channel in y's last block. */
static void zero_tail_lanes(const struct al_map *m, float *y)
{
    const struct plane p = map_plane(m);
    const ivec lanes = block_lanes(m->c, n_blocks(m->c) - 1);

    y += (n_blocks(m->c) - 1) * p.block + p.origin;
    for (int32_t i = 0; i < m->h && m->c % AL_BLOCK; i++, y += p.row) {
        for (ptrdiff_t j = 0; j < (ptrdiff_t)m->w * AL_BLOCK; j += AL_BLOCK)
            v_store(y + j, v_keep(lanes, v_load(y + j)));
    }
}

static void copy_channels(const struct al_channels *k, const float *x, float *y)
{
    const ptrdiff_t y_block = map_plane(&k->y).block;
    int32_t c = 0;

    while (c < k->n) {
        const int32_t yc = k->y_first + c;
        if (yc % AL_BLOCK == 0)
            zero_halo(y + yc / AL_BLOCK * y_block, &k->y);
        if (yc % AL_BLOCK == 0 && (k->x_first + c) % AL_BLOCK == 0 &&
            k->n - c >= AL_BLOCK) {
            copy_block(k, c, x, y);
            c += AL_BLOCK;
        } else {
            copy_lane(k, c, x, y);
            c++;
        }
    }
    if (k->y_first + k->n == k->y.c)
        zero_tail_lanes(&k->y, y);
}

#endif
