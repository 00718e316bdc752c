/* tpl_narrow.h — planar input to few output channels: LeNet's first layers, where a block
 * of output lanes would mostly be padding. Lanes are pixels of a line, one chain of FMAs
 * for each channel, and 8x8 pieces of the result are transposed into the blocked layout.
 * Weights are packed as for the planar form, and each element is the same chain.
 *
 * With max_pool a line is made of two lines of results, and pooled before the
 * transposition, of which a quarter is left: together with the step saved a third of such
 * a layer's time. */
#ifndef AL_KERN_TPL_NARROW_H
#define AL_KERN_TPL_NARROW_H

#include "engine/kern/tpl_direct.h"
#include "engine/kern/tpl_transpose.h"

#define NARROW_MAX_C 6
#ifdef __AVX512VL__
#define NARROW_VECS 4 /* x 6 channels of 32 registers */
#else
#define NARROW_VECS 2
#endif

#if AL_BLOCK == 8
/* The larger of lanes 2i and 2i + 1 of a and b one behind the other. */
AL_INLINE vec pair_max(vec a, vec b)
{
    return v_max(__builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14),
                 __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15));
}
#else
AL_INLINE vec pair_max(vec a, vec b)
{
    return v_max(a, b); /* narrow_fits() takes no other block */
}
#endif

/* Where a line is read and written. */
struct narrow {
    const struct al_conv_shape *s;
    const float *w, *bias;
    ptrdiff_t x_channel, x_row; /* floats from channel to channel, from tap row to row */
    ptrdiff_t x_line;           /* from line to line of results */
    struct al_post post;
    struct clamp clamp;
    bool is_clamped; /* else a second pass over the line adds and activates */
};

/* Clamped sums of `vecs` x AL_BLOCK pixels for channels 0 .. n_c - 1. */
AL_INLINE void narrow_sums(const struct narrow *n, int vecs, int n_c, const float *x,
                           vec sums[NARROW_VECS][AL_BLOCK])
{
    const struct al_conv_shape *s = n->s;
    const vec lo = v_set1(n->clamp.lo), hi = v_set1(n->clamp.hi);
    vec acc[NARROW_VECS * NARROW_MAX_C];
    const float *w = n->w;

    AL_UNROLL
    for (int i = 0; i < vecs * n_c; i++)
        acc[i] = v_set1(n->bias[i % n_c]);
    for (int32_t c = 0; c < s->in_c; c++, x += n->x_channel) {
        const float *row = x;

        for (int32_t i = 0; i < s->kernel_h; i++, row += n->x_row) {
            const float *at = row;

            for (int32_t t = 0; t < s->kernel_w;
                 t++, at += s->dilation_w, w += AL_BLOCK) {
                AL_UNROLL
                for (int k = 0; k < vecs * n_c; k++)
                    acc[k] = v_fma(v_load(at + k / n_c * AL_BLOCK), v_set1(w[k % n_c]),
                                   acc[k]);
            }
        }
    }
    AL_UNROLL
    for (int k = 0; k < vecs * n_c; k++)
        sums[k / n_c][k % n_c] = v_min(hi, v_max(lo, acc[k]));
}

/* As above for any number of vectors and channels there are kernels for. */
static void narrow_strip(const struct narrow *n, int vecs, const float *x,
                         vec sums[NARROW_VECS][AL_BLOCK])
{
#define CASE(c)                                      \
    case c:                                          \
        if (vecs == NARROW_VECS)                     \
            narrow_sums(n, NARROW_VECS, c, x, sums); \
        else                                         \
            narrow_sums(n, 1, c, x, sums);           \
        break
    switch (n->s->out_c) {
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
    default:
        break;
    }
#undef CASE
}

/* Writes `px` <= AL_BLOCK pixels from `sums`, one vector a channel and zeroes behind the
 * last one. */
AL_INLINE void narrow_store(const vec sums[AL_BLOCK], int32_t px, float *y)
{
    vec v[AL_BLOCK];

    memcpy(v, sums, sizeof(v));
    v_transpose(v);
    if (px >= AL_BLOCK) {
        AL_UNROLL
        for (int32_t p = 0; p < AL_BLOCK; p++)
            v_store(y + (ptrdiff_t)p * AL_BLOCK, v[p]);
        return;
    }
    for (int32_t p = 0; p < px; p++)
        v_store(y + (ptrdiff_t)p * AL_BLOCK, v[p]);
}

/* Over a line just written: the residual, and activations that are no clamp. */
static void narrow_finish(const struct narrow *n, const float *add, float *y)
{
    const ivec lanes = block_lanes(n->s->out_c, 0);
    const ptrdiff_t end = (ptrdiff_t)n->s->out_w * AL_BLOCK;

    for (ptrdiff_t i = 0; i < end; i += AL_BLOCK) {
        const vec sum = add ? v_load(y + i) + v_load(add + i) : v_load(y + i);
        v_store(y + i, v_keep(lanes, v_act(sum, &n->post)));
    }
}

/* `sums` holds zeroes behind the last channel, and does so afterwards. */
static void narrow_line(const struct narrow *n, const float *x, const float *add,
                        float *y, vec sums[NARROW_VECS][AL_BLOCK])
{
    const int32_t width = n->s->out_w;

    for (int32_t p = 0, vecs; p < width; p += vecs * AL_BLOCK) {
        vecs = width - p > (NARROW_VECS - 1) * AL_BLOCK ? NARROW_VECS : 1;
        narrow_strip(n, vecs, x + p, sums);
        for (int32_t i = 0; i < vecs && p + i * AL_BLOCK < width; i++) {
            const int32_t first = p + i * AL_BLOCK;

            narrow_store(sums[i], width - first, y + (ptrdiff_t)first * AL_BLOCK);
        }
    }
    if (!n->is_clamped)
        narrow_finish(n, add, y);
}

/* Two lines of results pooled into one. */
static void narrow_pooled_line(const struct narrow *n, const float *x, float *y,
                               vec sums[2][NARROW_VECS][AL_BLOCK])
{
    const int32_t width = n->s->out_w / 2;

    for (int32_t p = 0; p < width; p += NARROW_VECS / 2 * AL_BLOCK) {
        narrow_strip(n, NARROW_VECS, x + (ptrdiff_t)2 * p, sums[0]);
        narrow_strip(n, NARROW_VECS, x + n->x_line + (ptrdiff_t)2 * p, sums[1]);
        for (int32_t i = 0; i < NARROW_VECS && p + i / 2 * AL_BLOCK < width; i += 2) {
            const int32_t first = p + i / 2 * AL_BLOCK;
            vec pooled[AL_BLOCK];

            AL_UNROLL
            for (int32_t c = 0; c < AL_BLOCK; c++)
                pooled[c] = v_max(pair_max(sums[0][i][c], sums[0][i + 1][c]),
                                  pair_max(sums[1][i][c], sums[1][i + 1][c]));
            narrow_store(pooled, width - first, y + (ptrdiff_t)first * AL_BLOCK);
        }
    }
}

/* The shape as seen by lines that are written: a pooled one reads what two lines of
 * results read. */
static struct al_conv_shape narrow_view(const struct al_conv_shape *s)
{
    struct al_conv_shape v = *s;

    if (s->max_pool) {
        v.kernel_h += s->stride_h;
        v.stride_h *= 2;
        v.out_h /= 2;
    }
    return v;
}

static void narrow_chunk(const struct direct *d, const struct al_conv_run *r,
                         const struct al_conv_tile *c)
{
    const struct al_conv_shape *s = r->shape;
    const struct al_map out = { s->out_c, d->s->out_h,
                                s->max_pool ? s->out_w / 2 : s->out_w, s->out_halo };
    const struct plane py = map_plane(&out);
    const struct plane pa = plane_of(s->out_h, s->out_w, s->add_halo);
    const ptrdiff_t row = al_conv_reach_w(s);
    const float *x = r->scratch;
    struct narrow n = {
        .s = s,
        .w = r->weights,
        .bias = r->bias,
        .x_channel = row * rows_of(d, c->line_end - c->line_begin),
        .x_row = row * s->dilation_h,
        .x_line = row * s->stride_h,
        .post = { r->act, r->act_a, r->act_b },
    };
    vec sums[2][NARROW_VECS][AL_BLOCK] = { 0 };

    n.is_clamped = post_is_clamp(&n.post, &n.clamp) && !r->add;
    if (!n.is_clamped)
        n.clamp = (struct clamp){ -INFINITY, INFINITY };
    planar_copy(d, c, r->x[c->row], r->scratch);
    for (int32_t i = c->line_begin; i < c->line_end; i++, x += row * d->s->stride_h) {
        float *y = r->y[c->row] + py.origin + i * py.row;

        if (s->max_pool)
            narrow_pooled_line(&n, x, y, sums);
        else
            narrow_line(&n, x, r->add ? r->add[c->row] + pa.origin + i * pa.row : NULL, y,
                        sums[0]);
    }
    zero_halo_rows(r->y[c->row], &out, c->line_begin,
                   c->line_end == d->lines.n ? out.h : c->line_end);
}

static void narrow_run(const struct al_conv_run *r)
{
    const struct al_conv_shape view = narrow_view(r->shape);
    const struct direct d = direct_of(&view, PLANAR);
    const size_t end = tile_end_of(r, n_tiles_of(&d, r->n_rows));

    for (size_t i = r->tile_begin; i < end; i++) {
        const struct al_conv_tile c =
            al_conv_tile(&d.cut, r->n_rows, d.n_groups, d.lines.n, i);
        narrow_chunk(&d, r, &c);
    }
}

static bool narrow_fits(const struct al_conv_shape *s)
{
    return AL_BLOCK == 8 && s->planar_input && s->groups == 1 && s->stride_w == 1 &&
           s->out_c <= NARROW_MAX_C &&
           (!s->max_pool ||
            (s->dilation_h == 1 && s->out_h % 2 == 0 && s->out_w % 2 == 0));
}

static void narrow_pack(const struct al_conv_shape *s, const float *weights,
                        float *packed)
{
    planar_pack(s, weights, packed);
}

static size_t narrow_packed_floats(const struct al_conv_shape *s)
{
    return planar_packed_floats(s);
}

/* The last strip reads whole vectors: up to one strip behind the last row. */
static size_t narrow_scratch_bytes(const struct al_conv_shape *s, size_t n_rows)
{
    const struct al_conv_shape view = narrow_view(s);

    return planar_scratch_bytes(&view, n_rows) + NARROW_VECS * AL_BLOCK * sizeof(float);
}

static size_t narrow_tiles(const struct al_conv_shape *s, size_t n_rows)
{
    const struct al_conv_shape view = narrow_view(s);

    return planar_tiles(&view, n_rows);
}

#endif
