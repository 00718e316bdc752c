/* tpl_gather.h — channels of blocked maps in another order: shuffles, splits and joins
 * that do not keep to blocks. A block of y takes its lanes from a few blocks of the
 * sources, a permutation of lanes each. */
#ifndef AL_KERN_TPL_GATHER_H
#define AL_KERN_TPL_GATHER_H

#include "engine/kern/tpl_map.h"

/* What one block of a source gives to a block of y: lane k is its lane at[k] where
 * `lanes` has ones. x and y are pixel (0, 0). */
struct gather_part {
    const float *x;
    ptrdiff_t x_row, y_row;
    int32_t h, w;
    ivec lanes, at;
};

AL_INLINE void gather_rows(const struct gather_part *p, bool first, float *y)
{
    for (int32_t i = 0; i < p->h; i++) {
        const float *from = p->x + i * p->x_row;
        float *to = y + i * p->y_row;
        for (ptrdiff_t j = 0; j < (ptrdiff_t)p->w * AL_BLOCK; j += AL_BLOCK) {
            const vec v = v_lookup(v_load(from + j), p->at);
            v_store(to + j,
                    first ? v_keep(p->lanes, v) : v_select(p->lanes, v, v_load(to + j)));
        }
    }
}

/* The lanes of `from` that come from the same source block as lane `k`, as a part; they
 * leave `*left`. */
static void gather_part_of(const struct al_gather *g, const float *const *x,
                           const struct al_channel_from *from, int32_t k, uint32_t *left,
                           struct gather_part *p)
{
    const struct al_map *map = &g->x[from[k].source];
    const struct plane plane = map_plane(map);
    const int32_t block = from[k].channel / AL_BLOCK;

    p->x = x[from[k].source] + block * plane.block + plane.origin;
    p->x_row = plane.row;
    p->lanes = p->at = (ivec){ 0 };
    for (int32_t i = k; i < AL_BLOCK; i++) {
        if (!(*left >> i & 1) || from[i].source != from[k].source ||
            from[i].channel / AL_BLOCK != block)
            continue;
        p->lanes[i] = -1;
        p->at[i] = from[i].channel % AL_BLOCK;
        *left &= ~(1U << i);
    }
}

static void gather_channels(const struct al_gather *g, const float *const *x, float *y)
{
    const struct plane py = map_plane(&g->y);
    struct gather_part p = { .y_row = py.row, .h = g->y.h, .w = g->y.w };

    for (int32_t c = 0; c < g->y.c; c += AL_BLOCK, y += py.block) {
        const int32_t n = g->y.c - c < AL_BLOCK ? g->y.c - c : AL_BLOCK;
        uint32_t left = (1U << n) - 1;

        zero_halo(y, &g->y);
        gather_part_of(g, x, g->from + c, 0, &left, &p);
        gather_rows(&p, true, y + py.origin);
        while (left) {
            gather_part_of(g, x, g->from + c, __builtin_ctz(left), &left, &p);
            gather_rows(&p, false, y + py.origin);
        }
    }
}

static void gather_planes(const struct al_gather *g, const float *const *x, float *y)
{
    for (int32_t c = 0; c < g->y.c; c++) {
        const struct al_channel_from *f = &g->from[c];
        const struct plane p = map_plane(&g->x[f->source]);
        const float *from = x[f->source] + p.origin + f->channel / AL_BLOCK * p.block +
                            f->channel % AL_BLOCK;

        for (int32_t i = 0; i < g->y.h; i++, from += p.row, y += g->y.w)
            for (int32_t j = 0; j < g->y.w; j++)
                y[j] = from[(ptrdiff_t)j * AL_BLOCK];
    }
}

#endif
