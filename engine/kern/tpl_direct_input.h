/* tpl_direct_input.h — direct convolutions (tpl_direct.h): how a shape is cut into lines,
 * groups and tiles of work, and where a tile finds its input: in the buffer, or in
 * scratch where planar input is padded and bfloat16 is rounded. */
#ifndef AL_KERN_TPL_DIRECT_INPUT_H
#define AL_KERN_TPL_DIRECT_INPUT_H

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

#endif
