/* tpl_amx.h — convolutions by AMX tiles (amx.h), in one, three or six products of
 * bfloat16.
 *
 * A float is split into bfloat16 parts (tpl_split.h): one product takes the first of
 * either factor (8 bits); three products of two parts each leave out what is below 2^-16
 * of a product; six products of three parts each round like fp32 itself. (The scheme: G.
 * Henry, P. T. P. Tang, A. Heinecke, "Leveraging the bfloat16 Artificial Intelligence
 * Datatype For Higher-Precision Computations", ARITH 2019.)
 *
 * Packed weights: for each group of output blocks [channel group][tap row][step of the
 * row][plane][output block][pair][output lane][2]; those of taps past the window are
 * zero.
 *
 * 16 pixels are the rows of a tile. With stride 1 they are counted through from row to
 * row of scratch, the columns between two rows of output computed in vain; otherwise each
 * line of output has tiles of its own. Two tiles of pixels meet two blocks of outputs. A
 * pixel's sums are of the same steps in the same order wherever it falls.
 *
 * What is not finite may spread to the pixels left of it. */
#ifndef AL_KERN_TPL_AMX_H
#define AL_KERN_TPL_AMX_H

#include "engine/kern/tpl_amx_input.h"

/* ---- products ---- */

/* Up to two tiles of pixels and two blocks of outputs. */
struct amx_part {
    const uint16_t *x[2]; /* first pixel's first tap of both tiles, plane 0 */
    const float *w;
    ptrdiff_t plane, pixel; /* bfloat16 from plane to plane, bytes from row to row */
    ptrdiff_t x_channel, x_row, x_step;
    int32_t n_channels, n_rows, n_steps; /* of the reduction */
};

AL_INLINE void load_pixels(const int px, const struct amx_part *t,
                           const uint16_t *const *x, int plane)
{
    TILE_LOAD(4, x[0] + plane * t->plane, t->pixel);
    if (px > 1)
        TILE_LOAD(5, x[1] + plane * t->plane, t->pixel);
}

AL_INLINE void load_weights(const int blocks, const float *w, int plane)
{
    TILE_LOAD(6, w + plane * blocks * TILE_FLOATS, TILE_BYTES);
    if (blocks > 1)
        TILE_LOAD(7, w + (plane * blocks + 1) * TILE_FLOATS, TILE_BYTES);
}

AL_INLINE void multiply(const int px, const int blocks)
{
    TILE_STEP(0, 4, 6);
    if (blocks > 1)
        TILE_STEP(1, 4, 7);
    if (px > 1)
        TILE_STEP(2, 5, 6);
    if (px > 1 && blocks > 1)
        TILE_STEP(3, 5, 7);
}

/* One step of the reduction. Small products come first, and each changes one factor. */
AL_INLINE void amx_step(const int px, const int blocks, const int planes,
                        const struct amx_part *t, const uint16_t *const *x,
                        const float *w)
{
    load_pixels(px, t, x, 0);
    if (planes == 3) {
        load_weights(blocks, w, 2);
        multiply(px, blocks);
    }
    if (planes > 1) {
        load_weights(blocks, w, 1);
        multiply(px, blocks);
    }
    if (planes == 3) {
        load_pixels(px, t, x, 1);
        multiply(px, blocks);
    }
    load_weights(blocks, w, 0);
    multiply(px, blocks);
    if (planes > 1) {
        load_pixels(px, t, x, planes - 1);
        multiply(px, blocks);
    }
    if (planes == 3) {
        load_pixels(px, t, x, 0);
        multiply(px, blocks);
    }
}

/* All steps; the sums go to `sums`: [pixel tile][block][pixel][lane]. */
AL_INLINE void amx_part(const int px, const int blocks, const int planes,
                        const struct amx_part *t, float *sums)
{
    const float *w = t->w;

    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    for (int32_t c = 0; c < t->n_channels; c++) {
        for (int32_t r = 0; r < t->n_rows; r++) {
            const ptrdiff_t row = c * t->x_channel + r * t->x_row;
            const uint16_t *x[2] = { t->x[0] + row, t->x[1] + row };
            for (int32_t i = 0; i < t->n_steps; i++) {
                amx_step(px, blocks, planes, t, x, w);
                x[0] += t->x_step;
                x[1] += t->x_step;
                w += planes * blocks * TILE_FLOATS;
            }
        }
    }
    TILE_STORE(0, sums);
    if (blocks > 1)
        TILE_STORE(1, sums + TILE_FLOATS);
    if (px > 1)
        TILE_STORE(2, sums + 2 * TILE_FLOATS);
    if (px > 1 && blocks > 1)
        TILE_STORE(3, sums + 3 * TILE_FLOATS);
}

typedef void (*amx_part_fn)(const struct amx_part *t, float *sums);

#define AMX_PART(px, blocks, planes)                                          \
    static void amx_part_##px##_##blocks##_##planes(const struct amx_part *t, \
                                                    float *sums)              \
    {                                                                         \
        amx_part(px, blocks, planes, t, sums);                                \
    }
#define AMX_PARTS(planes)  \
    AMX_PART(1, 1, planes) \
    AMX_PART(1, 2, planes) AMX_PART(2, 1, planes) AMX_PART(2, 2, planes)
#define AMX_ENTRIES(planes)                                   \
    {                                                         \
        { amx_part_1_1_##planes, amx_part_1_2_##planes },     \
            { amx_part_2_1_##planes, amx_part_2_2_##planes }, \
    }
AMX_PARTS(1)
AMX_PARTS(2)
AMX_PARTS(3)
/* By planes, tiles of pixels and blocks, each less one. */
static const amx_part_fn amx_parts[MAX_PLANES][2][2] = { AMX_ENTRIES(1), AMX_ENTRIES(2),
                                                         AMX_ENTRIES(3) };

/* ---- output ---- */

/* Where the results of one group of output blocks go. */
struct amx_out {
    const struct al_conv_run *r;
    struct al_post post;
    struct clamp clamp;
    bool is_clamp;
    int32_t n_blocks;
    ivec lanes[OUT_BLOCKS];
    vec bias[OUT_BLOCKS];
    float *y;         /* pixel (0, 0) of the first block */
    const float *add; /* likewise, or NULL */
    struct plane y_plane, add_plane;
};

static struct amx_out amx_out_of(const struct amx *a, const struct al_conv_run *r,
                                 const struct al_conv_tile *c,
                                 const struct al_conv_group *g)
{
    const struct al_conv_shape *s = a->s;
    struct amx_out o = { .r = r,
                         .post = { r->act, r->act_a, r->act_b },
                         .n_blocks = g->n_blocks,
                         .y_plane = plane_of(s->out_h, s->out_w, s->out_halo),
                         .add_plane = plane_of(s->out_h, s->out_w, s->add_halo) };

    o.is_clamp = post_is_clamp(&o.post, &o.clamp);
    for (int32_t k = 0; k < g->n_blocks; k++) {
        o.lanes[k] = block_lanes(s->out_c, g->block + k);
        o.bias[k] = v_load(r->bias + (ptrdiff_t)(g->block + k) * AL_BLOCK);
    }
    o.y = r->y[c->row] + g->block * o.y_plane.block + o.y_plane.origin;
    if (r->add)
        o.add = r->add[c->row] + g->block * o.add_plane.block + o.add_plane.origin;
    return o;
}

/* One pixel of one block. */
AL_INLINE void amx_store(const struct amx_out *o, int32_t k, const float *sum, float *y,
                         const float *add)
{
    vec v = v_load(sum) + o->bias[k];

    if (add)
        v = v + v_load(add);
    v = o->is_clamp ? v_min(v_set1(o->clamp.hi), v_max(v_set1(o->clamp.lo), v))
                    : v_act(v, &o->post);
    v_store(y, v_keep(o->lanes[k], v));
}

/* `n` pixels of one line from (i, j) on. */
static void amx_store_line(const struct amx_out *o, int32_t i, int32_t j, int32_t n,
                           const float *sums)
{
    for (int32_t k = 0; k < o->n_blocks; k++, sums += TILE_FLOATS) {
        float *y =
            o->y + k * o->y_plane.block + i * o->y_plane.row + (ptrdiff_t)j * AL_BLOCK;
        const float *add = o->add ? o->add + k * o->add_plane.block +
                                        i * o->add_plane.row + (ptrdiff_t)j * AL_BLOCK
                                  : NULL;
        for (int32_t p = 0; p < n * AL_BLOCK; p += AL_BLOCK)
            amx_store(o, k, sums + p, y + p, add ? add + p : NULL);
    }
}

/* ---- running ---- */

/* Tiles of pixels of a chunk: of all its lines together, or line by line. */
struct amx_tiles {
    int32_t n, per_line; /* per_line is 0 for together */
};

static struct amx_tiles amx_tiles_of(const struct amx *a, int32_t n_lines)
{
    const int32_t total = (n_lines - 1) * a->width + a->s->out_w;

    if (a->flat)
        return (struct amx_tiles){ ceil_div(total, TILE_ROWS), 0 };
    return (struct amx_tiles){ n_lines * ceil_div(a->s->out_w, TILE_ROWS),
                               ceil_div(a->s->out_w, TILE_ROWS) };
}

/* The first tap of the first pixel of tile `i`. */
static const uint16_t *amx_pixels(const struct amx *a, const struct amx_tiles *t,
                                  const struct al_conv_run *r, int32_t i)
{
    const int32_t line = t->per_line ? i / t->per_line : 0;
    const ptrdiff_t px = (ptrdiff_t)(t->per_line ? i % t->per_line : i) * TILE_ROWS;

    return (const uint16_t *)r->scratch + (line * a->line + px * a->px) * a->lanes;
}

/* The pixels of tile `i` that are results. */
static void amx_store_tile(const struct amx *a, const struct amx_tiles *t,
                           const struct al_conv_tile *c, const struct amx_out *o,
                           int32_t i, const float *sums)
{
    const int32_t first = (t->per_line ? i % t->per_line : i) * TILE_ROWS;
    int32_t line = t->per_line ? i / t->per_line : first / a->width;
    int32_t j = t->per_line ? first : first % a->width;

    line += c->line_begin;
    for (int32_t p = 0, n; p < TILE_ROWS && line < c->line_end; p += n, line++, j = 0) {
        const int32_t row_end = t->per_line ? TILE_ROWS + j : a->width;
        n = TILE_ROWS - p < row_end - j ? TILE_ROWS - p : row_end - j;
        if (j < a->s->out_w)
            amx_store_line(o, line, j, n < a->s->out_w - j ? n : a->s->out_w - j,
                           sums + (ptrdiff_t)p * AL_BLOCK);
    }
}

static void amx_run_group(const struct amx *a, const struct al_conv_run *r,
                          const struct al_conv_tile *c, const struct al_conv_group *g)
{
    const struct al_conv_shape *s = a->s;
    const int32_t n_lines = c->line_end - c->line_begin;
    const struct amx_tiles tiles = amx_tiles_of(a, n_lines);
    const struct amx_out o = amx_out_of(a, r, c, g);
    const struct al_map out = { s->out_c, s->out_h, s->out_w, s->out_halo };
    const ptrdiff_t row = (ptrdiff_t)a->width * a->lanes;
    const ptrdiff_t channel = amx_rows(a, n_lines) * row;
    float sums[2 * OUT_BLOCKS * TILE_FLOATS] __attribute__((aligned(64)));
    struct amx_part part = {
        .w = r->weights + g->weights / AL_BLOCK * TILE_FLOATS * (size_t)a->planes,
        .plane = plane_lanes(a, n_lines),
        .pixel = (ptrdiff_t)a->px * a->lanes * (ptrdiff_t)sizeof(uint16_t),
        .x_channel = channel,
        .x_row = s->dilation_h * row,
        .x_step = (ptrdiff_t)a->taps * s->dilation_w * a->lanes,
        .n_channels = g->c_end - g->c_begin,
        .n_rows = s->kernel_h,
        .n_steps = a->steps.kernel_w,
    };

    for (int32_t i = 0, px; i < tiles.n; i += px) {
        px = tiles.n - i < 2 ? 1 : 2;
        part.x[0] = amx_pixels(a, &tiles, r, i) + g->c_begin * channel;
        part.x[1] =
            px > 1 ? amx_pixels(a, &tiles, r, i + 1) + g->c_begin * channel : part.x[0];
        amx_parts[a->planes - 1][px - 1][g->n_blocks - 1](&part, sums);
        for (int32_t p = 0; p < px; p++)
            amx_store_tile(a, &tiles, c, &o, i + p,
                           sums + (ptrdiff_t)p * OUT_BLOCKS * TILE_FLOATS);
    }
    for (int32_t k = 0; k < g->n_blocks; k++)
        zero_halo_rows(r->y[c->row] + (g->block + k) * o.y_plane.block, &out,
                       c->line_begin, c->line_end);
}

static size_t amx_n_tiles(const struct amx *a, size_t n_rows)
{
    return n_rows * (size_t)(a->cut.n_group_chunks * a->cut.n_line_chunks);
}

/* Tiles that follow one another may read the same lines of the same row: then scratch
 * holds them already. */
AL_INLINE void amx_run_tiles(const struct amx *a, const int planes,
                             const struct al_conv_run *r)
{
    const size_t n = amx_n_tiles(a, r->n_rows);
    struct al_conv_tile before = { .line_begin = -1 };

    tile_begin();
    for (size_t i = r->tile_begin; i < r->tile_end && i < n; i++) {
        const struct al_conv_tile c =
            al_conv_tile(&a->cut, r->n_rows, a->n_groups, a->s->out_h, i);
        struct al_conv_group g = al_conv_group_first(&a->steps, AL_BLOCK, OUT_BLOCKS);

        if (c.row != before.row || c.line_begin != before.line_begin)
            amx_prepare(a, planes, r, &c);
        for (; g.index < c.group_end;
             al_conv_group_next(&a->steps, AL_BLOCK, OUT_BLOCKS, &g)) {
            if (g.index >= c.group_begin)
                amx_run_group(a, r, &c, &g);
        }
        before = c;
    }
    tile_end();
}

/* ---- weights ---- */

/* Number `e` of a step: which tap of the row and which lane of the group. */
static float step_number(const struct amx *a, const float *weights, int32_t k, int32_t c,
                         int32_t r, int32_t step, int32_t e)
{
    const int32_t tap = e / a->lanes, q = step * a->taps + tap;

    return tap < a->taps && q < a->s->kernel_w
               ? al_conv_weight(a->s, weights, k, c * a->lanes + e % a->lanes, r, q)
               : 0.0F;
}

/* One step of one output block: all planes, `plane` floats apart. */
static void pack_step(const struct amx *a, const float *weights, int32_t block,
                      const int32_t at[3], float *packed, size_t plane)
{
    for (int32_t e = 0; e < STEP_LANES; e += 2) {
        for (int32_t k = block * AL_BLOCK; k < (block + 1) * AL_BLOCK; k++, packed++) {
            float even[MAX_PLANES], odd[MAX_PLANES];

            split(step_number(a, weights, k, at[0], at[1], at[2], e), a->planes, even);
            split(step_number(a, weights, k, at[0], at[1], at[2], e + 1), a->planes, odd);
            for (int p = 0; p < a->planes; p++)
                packed[(size_t)p * plane] = al_bf16_pair(even[p], odd[p]);
        }
    }
}

static void amx_pack(const struct amx *a, const float *weights, float *packed)
{
    struct al_conv_group g = al_conv_group_first(&a->steps, AL_BLOCK, OUT_BLOCKS);

    for (; g.n_blocks; al_conv_group_next(&a->steps, AL_BLOCK, OUT_BLOCKS, &g)) {
        const size_t plane = (size_t)g.n_blocks * TILE_FLOATS;
        const int32_t row = a->steps.kernel_w, channel = a->s->kernel_h * row;
        for (int32_t i = g.c_begin * channel; i < g.c_end * channel; i++) {
            const int32_t at[3] = { i / channel, i % channel / row, i % row };
            for (int32_t k = 0; k < g.n_blocks; k++)
                pack_step(a, weights, g.block + k, at, packed + k * TILE_FLOATS, plane);
            packed += (size_t)a->planes * plane;
        }
    }
}

static bool amx_direct_fits(const struct al_conv_shape *s)
{
    return !s->planar_input && !s->max_pool && al_conv_halo_suffices(s) &&
           (s->groups == 1 || s->in_c / s->groups % AL_BLOCK == 0);
}

static bool amx_planar_fits(const struct al_conv_shape *s)
{
    return s->planar_input && !s->max_pool && s->groups == 1 && s->in_c <= PLANAR_LANES;
}

/* The functions of struct al_conv_algo: `form` is direct or planar. */
#define AMX_FAMILY(family, form, n_planes)                                             \
    static bool family##_fits(const struct al_conv_shape *s)                           \
    {                                                                                  \
        return amx_##form##_fits(s);                                                   \
    }                                                                                  \
    static size_t family##_packed_floats(const struct al_conv_shape *s)                \
    {                                                                                  \
        return amx_of(s, n_planes).weight_floats;                                      \
    }                                                                                  \
    static void family##_pack(const struct al_conv_shape *s, const float *weights,     \
                              float *packed)                                           \
    {                                                                                  \
        const struct amx a = amx_of(s, n_planes);                                      \
        amx_pack(&a, weights, packed);                                                 \
    }                                                                                  \
    static size_t family##_scratch_bytes(const struct al_conv_shape *s, size_t n_rows) \
    {                                                                                  \
        const struct amx a = amx_of(s, n_planes);                                      \
        (void)n_rows;                                                                  \
        return (size_t)scratch_lanes(&a, a.cut.lines_per_chunk) * sizeof(uint16_t) +   \
               (s->planar_input                                                        \
                    ? PLANAR_LANES * (size_t)padded_floats(&a) * sizeof(float)         \
                    : 0);                                                              \
    }                                                                                  \
    static size_t family##_tiles(const struct al_conv_shape *s, size_t n_rows)         \
    {                                                                                  \
        const struct amx a = amx_of(s, n_planes);                                      \
        return amx_n_tiles(&a, n_rows);                                                \
    }                                                                                  \
    static void family##_run(const struct al_conv_run *r)                              \
    {                                                                                  \
        const struct amx a = amx_of(r->shape, n_planes);                               \
        amx_run_tiles(&a, n_planes, r);                                                \
    }

AMX_FAMILY(direct_x6, direct, 3)
AMX_FAMILY(planar_x6, planar, 3)
AMX_FAMILY(direct_x3, direct, 2)
AMX_FAMILY(planar_x3, planar, 2)
AMX_FAMILY(direct_bf16, direct, 1)
AMX_FAMILY(planar_bf16, planar, 1)

#endif
