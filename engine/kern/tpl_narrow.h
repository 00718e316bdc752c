/* tpl_narrow.h — planar input to few output channels: LeNet's first layers, where a block
 * of output lanes would mostly be padding. Lanes are pixels of a line, one chain of FMAs
 * for each channel, and 8x8 pieces of the result are transposed into the blocked layout.
 * Weights are packed as for the planar form, and each element is the same chain. */
#ifndef AL_KERN_TPL_NARROW_H
#define AL_KERN_TPL_NARROW_H

#include "engine/kern/tpl_direct.h"

#define NARROW_MAX_C 6
#ifdef __AVX512VL__
#define NARROW_VECS 4 /* x 6 channels of 32 registers */
#else
#define NARROW_VECS 2
#endif

#if AL_BLOCK == 8
/* Lane i of v[j] becomes lane j of v[i]. */
AL_INLINE void transpose_8x8(vec v[8])
{
    vec t[8];

    AL_UNROLL
    for (int i = 0; i < 8; i += 2) {
        t[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        t[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    AL_UNROLL
    for (int k = 0; k < 4; k++) {
        const int i = k / 2 * 4 + k % 2;
        v[i] = __builtin_shufflevector(t[i], t[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        v[i + 2] = __builtin_shufflevector(t[i], t[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    AL_UNROLL
    for (int i = 0; i < 4; i++) {
        t[i] = __builtin_shufflevector(v[i], v[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        t[i + 4] = __builtin_shufflevector(v[i], v[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    memcpy(v, t, sizeof(t));
}
#endif

/* Where a line is read and written. */
struct narrow {
    const struct al_conv_shape *s;
    const float *w, *bias;
    ptrdiff_t x_channel, x_row; /* floats from channel to channel, from tap row to row */
    struct al_post post;
};

/* Sums of `vecs` x AL_BLOCK pixels for channels 0 .. n_c - 1. */
AL_INLINE void narrow_sums(const struct narrow *n, int vecs, int n_c, const float *x,
                           vec sums[NARROW_VECS][AL_BLOCK])
{
    const struct al_conv_shape *s = n->s;
    vec acc[NARROW_VECS * NARROW_MAX_C];
    const float *w = n->w;

    AL_UNROLL
    for (int i = 0; i < vecs * n_c; i++)
        acc[i] = v_set1(n->bias[i % n_c]);
    for (int32_t i = 0; i < s->in_c * s->kernel_h; i++) {
        const float *at = x + i / s->kernel_h * n->x_channel + i % s->kernel_h * n->x_row;
        for (int32_t t = 0; t < s->kernel_w; t++, at += s->dilation_w, w += AL_BLOCK) {
            AL_UNROLL
            for (int k = 0; k < vecs * n_c; k++)
                acc[k] =
                    v_fma(v_load(at + k / n_c * AL_BLOCK), v_set1(w[k % n_c]), acc[k]);
        }
    }
    AL_UNROLL
    for (int k = 0; k < vecs * n_c; k++)
        sums[k / n_c][k % n_c] = acc[k];
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
AL_INLINE void narrow_store(const struct narrow *n, const vec sums[AL_BLOCK], int32_t px,
                            const float *add, float *y)
{
    const ivec lanes = block_lanes(n->s->out_c, 0);
    vec v[AL_BLOCK];

    AL_UNROLL
    for (int32_t c = 0; c < AL_BLOCK; c++)
        v[c] = sums[c];
    for (int32_t c = 0; !add && c < n->s->out_c; c++)
        v[c] = v_act(v[c], &n->post);
#if AL_BLOCK == 8
    transpose_8x8(v);
#endif
    for (int32_t p = 0; add && p < px; p++)
        v[p] =
            v_keep(lanes, v_act(v[p] + v_load(add + (ptrdiff_t)p * AL_BLOCK), &n->post));
    AL_UNROLL
    for (int32_t p = 0; p < AL_BLOCK; p++) {
        if (p < px)
            v_store(y + (ptrdiff_t)p * AL_BLOCK, v[p]);
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
            const ptrdiff_t first = p + i * AL_BLOCK;
            const int32_t left = width - p - i * AL_BLOCK;

            narrow_store(n, sums[i], left < AL_BLOCK ? left : AL_BLOCK,
                         add ? add + first * AL_BLOCK : NULL, y + first * AL_BLOCK);
        }
    }
}

static void narrow_chunk(const struct direct *d, const struct al_conv_run *r,
                         const struct al_conv_tile *c)
{
    const struct al_conv_shape *s = d->s;
    const struct al_map out = { s->out_c, s->out_h, s->out_w, s->out_halo };
    const struct plane py = map_plane(&out);
    const struct plane pa = plane_of(s->out_h, s->out_w, s->add_halo);
    const ptrdiff_t row = al_conv_reach_w(s);
    const float *x = r->scratch;
    const struct narrow n = {
        .s = s,
        .w = r->weights,
        .bias = r->bias,
        .x_channel = row * rows_of(d, c->line_end - c->line_begin),
        .x_row = row * s->dilation_h,
        .post = { r->act, r->act_a, r->act_b },
    };
    vec sums[NARROW_VECS][AL_BLOCK] = { 0 };

    planar_copy(d, c, r->x[c->row], r->scratch);
    for (int32_t i = c->line_begin; i < c->line_end; i++, x += row * s->stride_h)
        narrow_line(&n, x, r->add ? r->add[c->row] + pa.origin + i * pa.row : NULL,
                    r->y[c->row] + py.origin + i * py.row, sums);
    zero_halo_rows(r->y[c->row], &out, c->line_begin,
                   c->line_end == d->lines.n ? out.h : c->line_end);
}

static void narrow_run(const struct al_conv_run *r)
{
    const struct direct d = direct_of(r->shape, PLANAR);
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
           s->out_c <= NARROW_MAX_C;
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
    return planar_scratch_bytes(s, n_rows) + NARROW_VECS * AL_BLOCK * sizeof(float);
}

static size_t narrow_tiles(const struct al_conv_shape *s, size_t n_rows)
{
    return planar_tiles(s, n_rows);
}

#endif
