/* tpl_direct.h — direct convolutions made of register tiles: blocked input (any shape),
 * planar input (first layers), depthwise, and groups smaller than a block. Packed
 * weights: for each group of output blocks [channel block][tap row][tap
 * column][channel][output lane] (planar: channel by channel); depthwise and grouped,
 * where an output block reads the input block of the same number: [block][tap row][tap
 * column][channel of the group][lane]. With AL_BF16 (tpl_step.h) blocked input only: it
 * is rounded to scratch, chunk by chunk, and a pair of channels takes a channel's place.
 */
#ifndef AL_KERN_TPL_DIRECT_H
#define AL_KERN_TPL_DIRECT_H

#include "engine/kern/tpl_direct_input.h"

/* Activations that are no clamp, and lanes past the channels that it left other than
 * zero: a second pass over a line just written. */
static void finish_line(const struct al_conv_run *r, const struct al_post *post,
                        const struct al_conv_group *g, const struct tile *t, int32_t px)
{
    for (int32_t k = 0; k < g->n_blocks; k++) {
        const ivec lanes = block_lanes(r->shape->out_c, g->block + k);
        float *y = t->y + k * t->y_block;
        for (int32_t p = 0; p < px; p++, y += AL_BLOCK)
            v_store(y, v_keep(lanes, v_act(v_load(y), post)));
    }
}

/* `px` pixels in tiles of nearly equal width, none above `max`. */
static void run_line(const tile_fn *kernels, int32_t max, struct tile t, int32_t px)
{
    const int32_t n = (px + max - 1) / max;

    for (int32_t i = 0; i < n; i++) {
        const int32_t width = (px + n - i - 1) / (n - i);
        kernels[width](&t);
        t.x += width * t.x_pixel;
        t.y += (ptrdiff_t)width * AL_BLOCK;
        t.add = t.add ? t.add + (ptrdiff_t)width * AL_BLOCK : NULL;
        px -= width;
    }
}

/* The kernels for one group of output blocks, by pixels. */
static const tile_fn *kernels_of(const struct direct *d, int32_t n)
{
    const struct al_conv_shape *s = d->s;
    const bool three = s->kernel_w == 3 && s->dilation_w == 1;

    if (!is_blockwise(d->form))
        return tiles_dense[n];
#if AL_BLOCK == 16
    if (d->form == GROUPED && s->in_c / s->groups == 8)
        return tiles_grouped_8[1];
#endif
    if (d->form == GROUPED)
        return tiles_grouped_4[1];
    if (three && s->stride_w == 1)
        return tiles_depthwise_3s1[1];
    return three && s->stride_w == 2 ? tiles_depthwise_3s2[1] : tiles_depthwise[1];
}

/* All lines of a chunk for one group of output blocks. */
static void run_group(const struct direct *d, const struct al_conv_run *r,
                      const struct al_conv_tile *c, const struct al_conv_group *g,
                      struct tile t, ptrdiff_t x_line)
{
    const struct al_conv_shape *s = d->s;
    const struct al_map out = { s->out_c, s->out_h, s->out_w, s->out_halo };
    const struct plane py = map_plane(&out);
    const struct plane pa = plane_of(s->out_h, s->out_w, s->add_halo);
    const struct al_post post = { r->act, r->act_a, r->act_b };
    const bool finish = !post_is_clamp(&post, &t.clamp) || !post_keeps_zero(&post);
    const tile_fn *kernels = kernels_of(d, g->n_blocks);
    const int32_t max = is_blockwise(d->form) ? PX_ONE : dense_px[g->n_blocks];
    float *y = r->y[c->row] + g->block * py.block;

    t.lane = d->form == BLOCKED ? g->c_begin % AL_BLOCK : 0;
    t.n_steps = g->c_end - g->c_begin;
    t.x += (d->form == PLANAR ? g->c_begin : g->c_begin / AL_BLOCK) * t.x_channel;
    t.y_block = py.block;
    t.add_block = pa.block;
    for (int32_t i = c->line_begin; i < c->line_end; i++, t.x += x_line) {
        const int32_t px = i + 1 < d->lines.n ? d->lines.px : d->lines.last_px;
        t.y = y + py.origin + i * d->lines.y;
        t.add = r->add
                    ? r->add[c->row] + g->block * pa.block + pa.origin + i * d->lines.add
                    : NULL;
        run_line(kernels, max, t, px);
        if (finish)
            finish_line(r, &post, g, &t, px);
    }
    for (int32_t k = 0; k < g->n_blocks; k++)
        zero_halo_rows(y + k * py.block, &out, c->line_begin ? c->line_begin : 0,
                       c->line_end == d->lines.n ? out.h : c->line_end);
}

static void run_chunk(const struct direct *d, const struct al_conv_run *r,
                      const struct al_conv_tile *c)
{
    const struct al_conv_shape *s = d->s;
    struct al_conv_group g = al_conv_group_first(&d->steps, AL_BLOCK, d->kb);
    struct tile t = { .planar = d->form == PLANAR,
                      .kernel_h = s->kernel_h,
                      .kernel_w = s->kernel_w };
    ptrdiff_t x_line;

    aim_input(d, r, c, &t, &x_line);
    for (; g.index < c->group_end; al_conv_group_next(&d->steps, AL_BLOCK, d->kb, &g)) {
        if (g.index < c->group_begin)
            continue;
        t.w = r->weights +
              (is_blockwise(d->form) ? (size_t)g.block * blockwise_floats(s) : g.weights);
        t.bias = r->bias + (ptrdiff_t)g.block * AL_BLOCK;
        run_group(d, r, c, &g, t, x_line);
    }
}

static size_t n_tiles_of(const struct direct *d, size_t n_rows)
{
    return n_rows * (size_t)(d->cut.n_group_chunks * d->cut.n_line_chunks);
}

/* Where the tiles of a run end. */
static size_t tile_end_of(const struct al_conv_run *r, size_t n_tiles)
{
    return r->tile_end < n_tiles ? r->tile_end : n_tiles;
}

static void direct_run_tiles(const struct direct *d, const struct al_conv_run *r)
{
    const size_t end = tile_end_of(r, n_tiles_of(d, r->n_rows));

    for (size_t i = r->tile_begin; i < end; i++) {
        const struct al_conv_tile c =
            al_conv_tile(&d->cut, r->n_rows, d->n_groups, d->lines.n, i);
        run_chunk(d, r, &c);
    }
}

static bool direct_fits(const struct al_conv_shape *s)
{
    return !s->planar_input && !s->max_pool && al_conv_halo_suffices(s) &&
           (STEP_CHANNELS == 1 || s->groups == 1);
}

static bool planar_fits(const struct al_conv_shape *s)
{
    return s->planar_input && !s->max_pool;
}

static bool depthwise_fits(const struct al_conv_shape *s)
{
    return direct_fits(s) && s->groups == s->in_c && s->in_c == s->out_c;
}

static bool grouped_fits(const struct al_conv_shape *s)
{
    const int32_t n = s->in_c / s->groups;

    return direct_fits(s) && s->in_c == s->out_c &&
           (n == 4 || (n == 8 && AL_BLOCK == 16));
}

/* A row of taps of output channel k, steps [c, c + n): the step in the inner place,
 * `lanes` apart. Zero past the last channel and for inputs of other groups. */
AL_INLINE void pack_row(const struct al_conv_shape *s, int32_t k, int32_t r, int32_t c,
                        int32_t n, const float *weights, ptrdiff_t lanes, float *packed)
{
    const int32_t in = s->in_c / s->groups, out = s->out_c / s->groups;
    const int32_t first = k / out * in; /* of the group's inputs */
    const int32_t begin = c * STEP_CHANNELS, end = (c + n) * STEP_CHANNELS;
    const ptrdiff_t taps = (ptrdiff_t)s->kernel_h * s->kernel_w;
    const float *w = weights + ((ptrdiff_t)k * in - first) * taps + r * s->kernel_w;
    const bool whole = k < s->out_c && begin >= first && end <= first + in;

    for (int32_t q = 0; q < s->kernel_w; q++, w++) {
        if (whole)
            __builtin_prefetch(w + end * taps); /* rows lie too far apart to be guessed */
        for (int32_t i = begin; i < end; i += STEP_CHANNELS, packed += lanes) {
            const int32_t odd = i + STEP_CHANNELS - 1;
            const bool has_even = k < s->out_c && i >= first && i < first + in;
            const bool has_odd = k < s->out_c && odd >= first && odd < first + in;
            *packed = whole ? step_weight(w[i * taps], w[odd * taps])
                            : step_weight(has_even ? w[i * taps] : 0.0F,
                                          has_odd ? w[odd * taps] : 0.0F);
        }
    }
}

/* The weights of steps [c, c + n) of one group, [row][column][step][output lane]. Written
 * lane by lane: so what is read lies together, and what is written fits the cache. */
static float *pack_steps(const struct al_conv_shape *s, const struct al_conv_group *g,
                         int32_t c, int32_t n, const float *weights, float *packed)
{
    const ptrdiff_t lanes = (ptrdiff_t)g->n_blocks * AL_BLOCK;

    for (int32_t r = 0; r < s->kernel_h; r++, packed += s->kernel_w * n * lanes)
        for (int32_t k = 0; k < lanes; k++)
            pack_row(s, g->block * AL_BLOCK + k, r, c, n, weights, lanes, packed + k);
    return packed;
}

static void direct_pack(const struct al_conv_shape *s, const float *weights,
                        float *packed)
{
    const struct direct d = direct_of(s, s->planar_input ? PLANAR : BLOCKED);
    struct al_conv_group g = al_conv_group_first(&d.steps, AL_BLOCK, d.kb);

    for (; g.n_blocks; al_conv_group_next(&d.steps, AL_BLOCK, d.kb, &g)) {
        for (int32_t c = g.c_begin, n; c < g.c_end; c += n) {
            n = d.form == PLANAR ? 1 : STEP_LANES - c % STEP_LANES;
            n = n < g.c_end - c ? n : g.c_end - c;
            packed = pack_steps(s, &g, c, n, weights, packed);
        }
    }
}

static void planar_pack(const struct al_conv_shape *s, const float *weights,
                        float *packed)
{
    direct_pack(s, weights, packed);
}

static void grouped_pack(const struct al_conv_shape *s, const float *weights,
                         float *packed)
{
    const int32_t n = s->in_c / s->groups;

    for (int32_t b = 0; b < n_blocks(s->out_c); b++) {
        for (int32_t i = 0; i < s->kernel_h * s->kernel_w * n; i++) {
            const int32_t tap = i / n;
            for (int32_t k = b * AL_BLOCK; k < (b + 1) * AL_BLOCK; k++)
                *packed++ = al_conv_weight(s, weights, k, k / n * n + i % n,
                                           tap / s->kernel_w, tap % s->kernel_w);
        }
    }
}

static void depthwise_pack(const struct al_conv_shape *s, const float *weights,
                           float *packed)
{
    grouped_pack(s, weights, packed);
}

/* The functions of struct al_conv_algo for the forms. */
#define DIRECT_FAMILY(family, form)                                                    \
    static size_t family##_packed_floats(const struct al_conv_shape *s)                \
    {                                                                                  \
        return direct_of(s, form).weight_floats;                                       \
    }                                                                                  \
    static size_t family##_scratch_bytes(const struct al_conv_shape *s, size_t n_rows) \
    {                                                                                  \
        const struct direct d = direct_of(s, form);                                    \
        (void)n_rows;                                                                  \
        return scratch_bytes_of(&d);                                                   \
    }                                                                                  \
    static size_t family##_tiles(const struct al_conv_shape *s, size_t n_rows)         \
    {                                                                                  \
        const struct direct d = direct_of(s, form);                                    \
        return n_tiles_of(&d, n_rows);                                                 \
    }                                                                                  \
    static void family##_run(const struct al_conv_run *r)                              \
    {                                                                                  \
        const struct direct d = direct_of(r->shape, form);                             \
        direct_run_tiles(&d, r);                                                       \
    }

DIRECT_FAMILY(direct, BLOCKED)
DIRECT_FAMILY(planar, PLANAR)
DIRECT_FAMILY(depthwise, DEPTHWISE)
DIRECT_FAMILY(grouped, GROUPED)

#endif
