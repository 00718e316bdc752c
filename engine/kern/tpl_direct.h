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

#include "engine/kern/geometry.h"
#include "engine/kern/tpl_tile.h"

enum form {
    BLOCKED,
    PLANAR,
    DEPTHWISE,
    GROUPED
};

/* Whether an output block reads just the input block of the same number. */
static inline bool is_blockwise(enum form form)
{
    return form == DEPTHWISE || form == GROUPED;
}

/* Most pixels of a tile of 0 to 4 blocks. */
static const int32_t dense_px[5] = { 0, PX_1, PX_2, PX_3, PX_4 };

/* Output lines: the rows, or for a 1x1 convolution between buffers without columns of
 * halo pieces of the whole picture. Strides in floats; the last line may be shorter. */
struct lines {
    bool flat;
    int32_t n, px, last_px;
    ptrdiff_t x, y, add;
};

#define FLAT_PX 84 /* a multiple of most tiles */

static bool is_flat(const struct al_conv_shape *s)
{
    return s->kernel_h == 1 && s->kernel_w == 1 && s->stride_h == 1 && s->stride_w == 1 &&
           s->in_w == s->out_w && s->in_h == s->out_h && !s->planar_input &&
           s->in_halo.left + s->in_halo.right == 0 &&
           s->out_halo.left + s->out_halo.right == 0 &&
           s->add_halo.left + s->add_halo.right == 0;
}

static struct lines lines_of(const struct al_conv_shape *s)
{
    const int32_t total = s->out_h * s->out_w;
    const ptrdiff_t flat = (ptrdiff_t)FLAT_PX * AL_BLOCK;
    struct lines l = {
        .n = s->out_h,
        .px = s->out_w,
        .last_px = s->out_w,
        .x = plane_of(s->in_h, s->in_w, s->in_halo).row * s->stride_h,
        .y = plane_of(s->out_h, s->out_w, s->out_halo).row,
        .add = plane_of(s->out_h, s->out_w, s->add_halo).row,
    };

    if (!is_flat(s))
        return l;
    l = (struct lines){ .flat = true,
                        .n = (total + FLAT_PX - 1) / FLAT_PX,
                        .px = FLAT_PX,
                        .x = flat,
                        .y = flat,
                        .add = flat };
    l.last_px = total - (l.n - 1) * FLAT_PX;
    return l;
}

/* Estimated time of a line: FMAs count 2 and need 8 chains to overlap, loads count 1. */
static int64_t line_cost(const struct al_conv_shape *s, int32_t kb, int32_t line_px)
{
    struct al_conv_group g = al_conv_group_first(s, AL_BLOCK, kb);
    int64_t cost = 0;

    for (; g.n_blocks; al_conv_group_next(s, AL_BLOCK, kb, &g)) {
        const int32_t max = dense_px[g.n_blocks];
        const int32_t n = (line_px + max - 1) / max, px = (line_px + n - 1) / n;
        const int32_t fma = px * g.n_blocks > 8 ? px * g.n_blocks : 8;
        cost += (int64_t)n * (2 * fma + px + g.n_blocks) * (g.c_end - g.c_begin);
    }
    return cost;
}

/* How many output blocks a group should have at most. */
static int32_t choose_kb(const struct al_conv_shape *s, enum form form)
{
    int64_t best = INT64_MAX;
    int32_t kb = 1;

    for (int32_t i = 1; i <= 4 && !is_blockwise(form) && dense_px[i]; i++) {
        const int64_t cost = line_cost(s, i, lines_of(s).px);
        if (cost < best) {
            best = cost;
            kb = i;
        }
    }
    return kb;
}

/* Packed weights of one block, depthwise or grouped. */
static size_t blockwise_floats(const struct al_conv_shape *s)
{
    return (size_t)(s->kernel_h * s->kernel_w) * (size_t)(s->in_c / s->groups) * AL_BLOCK;
}

/* Everything about a shape that a run needs. */
struct direct {
    const struct al_conv_shape *s;
    struct al_conv_shape steps; /* the same with steps for input channels */
    enum form form;
    int32_t kb, n_groups;
    size_t weight_floats;
    struct lines lines;
    struct al_conv_cut cut;
};

static struct direct direct_of(const struct al_conv_shape *s, enum form form)
{
    struct direct d = { .s = s, .steps = *s, .form = form, .lines = lines_of(s) };

    d.steps.in_c = n_steps(s->in_c);
    d.kb = choose_kb(&d.steps, d.form);
    d.n_groups = al_conv_n_groups(&d.steps, AL_BLOCK, d.kb);
    d.weight_floats = is_blockwise(form)
                          ? (size_t)n_blocks(s->out_c) * blockwise_floats(s)
                          : al_conv_group_floats(&d.steps, AL_BLOCK, d.kb);
    d.cut = al_conv_cut(s, d.n_groups, d.lines.n, d.weight_floats);
    return d;
}

/* Rows of input that `n_lines` rows of output read. */
static int32_t rows_of(const struct direct *d, int32_t n_lines)
{
    return (n_lines - 1) * d->s->stride_h + (d->s->kernel_h - 1) * d->s->dilation_h + 1;
}

/* Planar input is copied, with its padding, to scratch: [channel][row][column] of the
 * rows a chunk of lines reads. */

/* Copies and zeroes are inline: a line of a first layer is too short for calls. */
AL_INLINE void copy_floats(const float *x, int32_t n, float *y)
{
    int32_t i = 0;

    for (; i + AL_BLOCK <= n; i += AL_BLOCK)
        v_store(y + i, v_load(x + i));
    for (; i < n; i++)
        y[i] = x[i];
}

AL_INLINE void zero_floats(float *y, int32_t n)
{
    int32_t i = 0;

    for (; i + AL_BLOCK <= n; i += AL_BLOCK)
        v_store(y + i, v_zero());
    for (; i < n; i++)
        y[i] = 0.0F;
}

static void planar_row(const struct al_conv_shape *s, const float *x, int32_t row,
                       float *y)
{
    const int32_t width = al_conv_reach_w(s);
    const bool inside = row >= 0 && row < s->in_h;
    const int32_t first = inside && s->pad_left < width ? s->pad_left : width;
    const int32_t n = width - first < s->in_w ? width - first : s->in_w;

    zero_floats(y, first);
    copy_floats(x + (ptrdiff_t)row * s->in_w, n, y + first);
    zero_floats(y + first + n, width - first - n);
}

static void planar_copy(const struct direct *d, const struct al_conv_tile *c,
                        const float *x, float *y)
{
    const struct al_conv_shape *s = d->s;
    const int32_t rows = rows_of(d, c->line_end - c->line_begin);
    const int32_t top = c->line_begin * s->stride_h - s->pad_top;

    for (int32_t i = 0; i < s->in_c; i++, x += (ptrdiff_t)s->in_h * s->in_w) {
        for (int32_t r = 0; r < rows; r++, y += al_conv_reach_w(s))
            planar_row(s, x, top + r, y);
    }
}

#ifdef AL_BF16
/* Pixels of one block that up to `n_lines` lines read: whole rows of the buffer, or of a
 * flat picture just the pixels. */
static ptrdiff_t rounded_px(const struct direct *d, int32_t n_lines, int32_t last_px)
{
    const struct al_conv_shape *s = d->s;

    if (d->lines.flat)
        return (ptrdiff_t)(n_lines - 1) * FLAT_PX + last_px;
    return (ptrdiff_t)rows_of(d, n_lines) *
           (s->in_halo.left + s->in_w + s->in_halo.right);
}

/* A chunk's input is rounded to scratch: [channel block][pixel][pair]. */
static void aim_input(const struct direct *d, const struct al_conv_run *r,
                      const struct al_conv_tile *c, struct tile *t, ptrdiff_t *ret_line)
{
    const struct al_conv_shape *s = d->s;
    const struct plane p = plane_of(s->in_h, s->in_w, s->in_halo);
    const ptrdiff_t first = p.origin - s->pad_top * p.row -
                            (ptrdiff_t)s->in_halo.left * AL_BLOCK +
                            c->line_begin * d->lines.x;
    const ptrdiff_t n =
        rounded_px(d, c->line_end - c->line_begin,
                   c->line_end == d->lines.n ? d->lines.last_px : FLAT_PX);
    float *y = r->scratch;

    for (int32_t b = 0; b < n_blocks(s->in_c); b++) {
        const float *x = r->x[c->row] + b * p.block + first;
        for (ptrdiff_t i = 0; i < n; i++, x += AL_BLOCK, y += STEP_LANES)
            step_store(y, v_load(x));
    }
    t->x = (const float *)r->scratch + (s->in_halo.left - s->pad_left) * STEP_LANES;
    t->x_channel = n * STEP_LANES;
    t->x_row = p.row / STEP_CHANNELS * s->dilation_h;
    t->x_tap = (ptrdiff_t)STEP_LANES * s->dilation_w;
    t->x_pixel = (ptrdiff_t)STEP_LANES * s->stride_w;
    *ret_line = d->lines.x / STEP_CHANNELS;
}

static size_t scratch_bytes_of(const struct direct *d)
{
    return (size_t)n_blocks(d->s->in_c) *
           (size_t)rounded_px(d, d->cut.lines_per_chunk, FLAT_PX) * STEP_LANES *
           sizeof(float);
}
#else
/* The strides of the input, with `t->x` at what the chunk's first line reads first. */
static void aim_input(const struct direct *d, const struct al_conv_run *r,
                      const struct al_conv_tile *c, struct tile *t, ptrdiff_t *ret_line)
{
    const struct al_conv_shape *s = d->s;
    const struct plane p = plane_of(s->in_h, s->in_w, s->in_halo);
    const bool planar = d->form == PLANAR;
    const ptrdiff_t pixel = planar ? 1 : AL_BLOCK;
    const ptrdiff_t row = planar ? al_conv_reach_w(s) : p.row;

    t->x_row = row * s->dilation_h;
    t->x_tap = pixel * s->dilation_w;
    t->x_pixel = pixel * s->stride_w;
    if (planar) {
        planar_copy(d, c, r->x[c->row], r->scratch);
        t->x = r->scratch;
        t->x_channel = row * rows_of(d, c->line_end - c->line_begin);
        *ret_line = row * s->stride_h;
        return;
    }
    t->x_channel = p.block;
    *ret_line = d->lines.x;
    t->x = r->x[c->row] + p.origin - s->pad_top * p.row - s->pad_left * pixel +
           c->line_begin * d->lines.x;
}

static size_t scratch_bytes_of(const struct direct *d)
{
    return d->form == PLANAR
               ? (size_t)d->s->in_c * (size_t)rows_of(d, d->cut.lines_per_chunk) *
                     (size_t)al_conv_reach_w(d->s) * sizeof(float)
               : 0;
}
#endif

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

/* The weights of steps [c, c + n) of one group. */
static float *pack_steps(const struct al_conv_shape *s, const struct al_conv_group *g,
                         int32_t c, int32_t n, const float *weights, float *packed)
{
    for (int32_t r = 0; r < s->kernel_h; r++) {
        for (int32_t i = 0; i < s->kernel_w * n; i++) {
            const int32_t from = (c + i % n) * STEP_CHANNELS;
            for (int32_t k = g->block * AL_BLOCK; k < (g->block + g->n_blocks) * AL_BLOCK;
                 k++)
                *packed++ =
                    step_weight(al_conv_weight(s, weights, k, from, r, i / n),
                                al_conv_weight(s, weights, k, from + 1, r, i / n));
        }
    }
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
