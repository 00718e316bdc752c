/* tpl_amx_input.h — how the convolutions by AMX tiles (tpl_amx.h) see a shape, and their
 * input in scratch. A chunk's input is split (tpl_split.h), one plane a part:
 * [plane][channel group][row][column][lane]. A group is 32 channels, or 16, or in a
 * planar picture (up to) 4: then a step of the reduction, 32 consecutive numbers from a
 * pixel on, is that pixel and its neighbours to the right, as many taps of the window's
 * row. */
#ifndef AL_KERN_TPL_AMX_INPUT_H
#define AL_KERN_TPL_AMX_INPUT_H

#include "engine/kern/amx.h"
#include "engine/kern/geometry.h"
#include "engine/kern/tpl_map.h"
#include "engine/kern/tpl_split.h"

#define STEP_LANES   32  /* bfloat16 of a step */
#define TILE_FLOATS  256 /* of a tile, in memory */
#define OUT_BLOCKS   2   /* of a group */
#define PLANAR_LANES 4
#define PLANE_END    64 /* zeroes at the end of a plane */

/* Everything about a shape that a run needs. Units of scratch are bfloat16. */
struct amx {
    const struct al_conv_shape *s;
    int planes;
    int32_t lanes, taps;        /* of a pixel in scratch; of a step */
    int32_t skip_h, skip_w;     /* scratch holds every so many rows and columns */
    int32_t width;              /* columns of scratch */
    ptrdiff_t line;             /* scratch from line to line of output, in pixels */
    int32_t px;                 /* pixels from output to output of a line */
    bool flat;                  /* lines are counted through */
    struct al_conv_shape steps; /* the same with groups of channels and steps of taps */
    int32_t n_groups;
    size_t weight_floats;
    struct al_conv_cut cut;
};

static int32_t ceil_div(int32_t a, int32_t b)
{
    return (a + b - 1) / b;
}

/* Neighbouring taps that a step of `lanes` a pixel can hold. */
static int32_t taps_of(const struct al_conv_shape *s, int32_t lanes)
{
    return s->dilation_w == 1 ? STEP_LANES / lanes : 1;
}

/* The groups of channels that need fewer steps. A convolution's groups share none. */
static int32_t lanes_of(const struct al_conv_shape *s)
{
    const int32_t c = s->in_c / s->groups;

    if (s->planar_input)
        return PLANAR_LANES;
    if (s->groups > 1)
        return c % STEP_LANES ? AL_BLOCK : STEP_LANES;
    return n_blocks(c) * ceil_div(s->kernel_w, taps_of(s, AL_BLOCK)) <
                   ceil_div(c, STEP_LANES) * s->kernel_w
               ? AL_BLOCK
               : STEP_LANES;
}

/* Rows of scratch that `n_lines` lines of output read. */
static int32_t amx_rows(const struct amx *a, int32_t n_lines)
{
    const struct al_conv_shape *s = a->s;

    return ((n_lines - 1) * s->stride_h + (s->kernel_h - 1) * s->dilation_h) / a->skip_h +
           1;
}

/* A plane ends in zeroes, where taps past the window of the last pixel come to lie. */
static ptrdiff_t plane_lanes(const struct amx *a, int32_t n_lines)
{
    return (ptrdiff_t)a->steps.in_c * amx_rows(a, n_lines) * a->width * a->lanes +
           PLANE_END;
}

/* Half of a 2 MB second-level cache for the weights of a chunk, a quarter for its input;
 * less than about eight million multiplications are not worth handing out. */
#define AMX_CHUNK_FLOATS (256 * 1024)
#define AMX_CHUNK_LANES  (256 * 1024)
#define AMX_TILE_MACS    (8 << 20)

static struct al_conv_cut amx_cut(const struct amx *a)
{
    const struct al_conv_shape *s = a->s;
    const int32_t n_chunks = (int32_t)(a->weight_floats / AMX_CHUNK_FLOATS) + 1;
    const size_t macs =
        a->weight_floats * (size_t)s->out_h * (size_t)s->out_w / (size_t)n_chunks;
    const size_t most = (size_t)a->planes * (size_t)plane_lanes(a, s->out_h);
    int32_t chunks = (int32_t)(macs / AMX_TILE_MACS) + 1;
    struct al_conv_cut cut;

    chunks = chunks < 8 ? chunks : 8;
    if (most / AMX_CHUNK_LANES >= (size_t)chunks)
        chunks = (int32_t)(most / AMX_CHUNK_LANES) + 1;
    cut.groups_per_chunk = ceil_div(a->n_groups, n_chunks);
    cut.n_group_chunks = ceil_div(a->n_groups, cut.groups_per_chunk);
    cut.lines_per_chunk = ceil_div(s->out_h, chunks);
    cut.n_line_chunks = ceil_div(s->out_h, cut.lines_per_chunk);
    return cut;
}

static struct amx amx_of(const struct al_conv_shape *s, int planes)
{
    struct amx a = { .s = s, .planes = planes, .steps = *s };
    int32_t stride_h;

    a.lanes = lanes_of(s);
    a.taps = taps_of(s, a.lanes);
    a.skip_h = s->kernel_h == 1 && !s->planar_input ? s->stride_h : 1;
    a.skip_w = s->kernel_w == 1 && !s->planar_input ? s->stride_w : 1;
    a.width = (al_conv_reach_w(s) - 1) / a.skip_w + 1;
    a.px = s->stride_w / a.skip_w;
    stride_h = s->stride_h / a.skip_h;
    a.line = (ptrdiff_t)stride_h * a.width;
    a.flat = a.px == 1 && stride_h == 1;
    a.steps.in_c = s->groups > 1 ? s->in_c / a.lanes : ceil_div(s->in_c, a.lanes);
    a.steps.kernel_w = ceil_div(s->kernel_w, a.taps);
    a.n_groups = al_conv_n_groups(&a.steps, AL_BLOCK, OUT_BLOCKS);
    a.weight_floats = al_conv_group_floats(&a.steps, AL_BLOCK, OUT_BLOCKS) / AL_BLOCK *
                      TILE_FLOATS * (size_t)planes;
    a.cut = amx_cut(&a);
    return a;
}

/* ---- input ---- */

/* One group of channels of one row of a blocked picture. Of the group's second block
 * `second` is NULL where it has none. */
AL_INLINE void split_row(const struct amx *a, const int planes, const float *first,
                         const float *second, uint16_t *y, ptrdiff_t plane)
{
    const ptrdiff_t skip = (ptrdiff_t)a->skip_w * AL_BLOCK;
    ivec part[MAX_PLANES];

    for (int32_t j = 0; j < a->width; j++, y += a->lanes) {
        v_split(v_load(first + j * skip), planes, part);
        AL_UNROLL
        for (int p = 0; p < planes; p++)
            v_store_halves(y + p * plane, part[p]);
        if (a->lanes == AL_BLOCK)
            continue;
        v_split(second ? v_load(second + j * skip) : v_zero(), planes, part);
        AL_UNROLL
        for (int p = 0; p < planes; p++)
            v_store_halves(y + p * plane + AL_BLOCK, part[p]);
    }
}

AL_INLINE void split_blocked(const struct amx *a, const int planes, const float *x,
                             const struct al_conv_tile *c, uint16_t *y)
{
    const struct al_conv_shape *s = a->s;
    const struct plane p = plane_of(s->in_h, s->in_w, s->in_halo);
    const int32_t n_lines = c->line_end - c->line_begin, blocks = a->lanes / AL_BLOCK;
    const ptrdiff_t plane = plane_lanes(a, n_lines);

    x += p.origin - (ptrdiff_t)s->pad_left * AL_BLOCK +
         (c->line_begin * s->stride_h - s->pad_top) * p.row;
    for (int32_t g = 0; g < a->steps.in_c; g++) {
        const float *row = x + g * blocks * p.block;
        const bool two = blocks == 2 && 2 * g + 1 < n_blocks(s->in_c);
        for (int32_t i = 0; i < amx_rows(a, n_lines); i++, row += a->skip_h * p.row) {
            split_row(a, planes, row, two ? row + p.block : NULL, y, plane);
            y += (ptrdiff_t)a->width * a->lanes;
        }
    }
}

/* 16 pixels of up to four channels, `row` floats apart, side by side in each pixel. */
AL_INLINE void split_pixels(const int planes, const float *x, int32_t channels,
                            ptrdiff_t row, uint16_t *y, ptrdiff_t plane)
{
    ivec part[PLANAR_LANES][MAX_PLANES] = { 0 };

    for (int32_t c = 0; c < channels; c++)
        v_split(v_load(x + c * row), planes, part[c]);
    AL_UNROLL
    for (int p = 0; p < planes; p++) {
        const ivec even = part[0][p] | part[1][p] << 16;
        const ivec odd = part[2][p] | part[3][p] << 16;
        const ivec low = __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4,
                                                 20, 5, 21, 6, 22, 7, 23);
        const ivec high = __builtin_shufflevector(even, odd, 8, 24, 9, 25, 10, 26, 11, 27,
                                                  12, 28, 13, 29, 14, 30, 15, 31);
        memcpy(y + p * plane, &low, sizeof(low));
        memcpy(y + p * plane + 2 * AL_BLOCK, &high, sizeof(high));
    }
}

/* Floats of a padded row of one channel, in whole vectors. */
static ptrdiff_t padded_floats(const struct amx *a)
{
    return ((ptrdiff_t)a->width + AL_BLOCK - 1) / AL_BLOCK * AL_BLOCK;
}

/* `rows` holds a padded row of each channel; only what lies inside the picture changes
 * from row to row. What whole vectors write past the end of a row is the next row's, or
 * zero. */
AL_INLINE void split_planar(const struct amx *a, const int planes, const float *x,
                            const struct al_conv_tile *c, float *rows, uint16_t *y)
{
    const struct al_conv_shape *s = a->s;
    const int32_t n_lines = c->line_end - c->line_begin, room = a->width - s->pad_left;
    const size_t n = room < 0 ? 0 : (size_t)(room < s->in_w ? room : s->in_w);
    const ptrdiff_t plane = plane_lanes(a, n_lines), row = padded_floats(a);

    zero_vecs(rows, s->in_c * row);
    for (int32_t i = 0; i < amx_rows(a, n_lines); i++, y += a->width * PLANAR_LANES) {
        const int32_t at = c->line_begin * s->stride_h - s->pad_top + i;
        for (int32_t k = 0; k < s->in_c; k++) {
            float *inside = rows + k * row + s->pad_left;
            if (n && at >= 0 && at < s->in_h)
                memcpy(inside, x + ((ptrdiff_t)k * s->in_h + at) * s->in_w,
                       n * sizeof(float));
            else if (n)
                memset(inside, 0, n * sizeof(float));
        }
        for (int32_t j = 0; j < a->width; j += AL_BLOCK)
            split_pixels(planes, rows + j, s->in_c, row, y + j * PLANAR_LANES, plane);
    }
}

/* Scratch: the planes, room for the rest of a last tile of pixels, and in a planar
 * picture the padded rows. */
static ptrdiff_t scratch_lanes(const struct amx *a, int32_t n_lines)
{
    const ptrdiff_t n = a->planes * plane_lanes(a, n_lines) +
                        (ptrdiff_t)TILE_ROWS * a->px * a->lanes + STEP_LANES;

    return (n + STEP_LANES - 1) / STEP_LANES * STEP_LANES;
}

AL_INLINE void amx_prepare(const struct amx *a, const int planes,
                           const struct al_conv_run *r, const struct al_conv_tile *c)
{
    const int32_t n_lines = c->line_end - c->line_begin;
    const ptrdiff_t plane = plane_lanes(a, n_lines);
    uint16_t *y = r->scratch;

    if (a->s->planar_input)
        split_planar(a, planes, r->x[c->row], c,
                     (float *)r->scratch + scratch_lanes(a, n_lines) / 2, y);
    else
        split_blocked(a, planes, r->x[c->row], c, y);
    for (int p = 1; p <= planes; p++)
        memset(y + p * plane - PLANE_END, 0, PLANE_END * sizeof(*y));
}

#endif
