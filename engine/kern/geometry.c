#include "engine/kern/geometry.h"

static int32_t min_i32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* Input channels that output block `b` reads. */
static void block_channels(const struct al_conv_shape *s, int32_t block, int32_t b,
                           int32_t *ret_begin, int32_t *ret_end)
{
    const int32_t in = s->in_c / s->groups, out = s->out_c / s->groups;
    const int32_t first = b * block;
    const int32_t last = min_i32(first + block, s->out_c) - 1;

    *ret_begin = first / out * in;
    *ret_end = (last / out + 1) * in;
}

static void fill_group(const struct al_conv_shape *s, int32_t block, int32_t kb,
                       struct al_conv_group *g)
{
    const int32_t n = (s->out_c + block - 1) / block;
    int32_t begin, end;

    g->n_blocks = 0;
    if (g->block >= n)
        return;
    block_channels(s, block, g->block, &g->c_begin, &g->c_end);
    do {
        g->n_blocks++;
        if (g->block + g->n_blocks == n)
            return;
        block_channels(s, block, g->block + g->n_blocks, &begin, &end);
    } while (g->n_blocks < kb && begin == g->c_begin && end == g->c_end);
}

struct al_conv_group al_conv_group_first(const struct al_conv_shape *s, int32_t block,
                                         int32_t kb)
{
    struct al_conv_group g = { 0 };

    fill_group(s, block, kb, &g);
    return g;
}

void al_conv_group_next(const struct al_conv_shape *s, int32_t block, int32_t kb,
                        struct al_conv_group *g)
{
    g->weights += (size_t)(g->c_end - g->c_begin) * (size_t)s->kernel_h *
                  (size_t)s->kernel_w * (size_t)(g->n_blocks * block);
    g->block += g->n_blocks;
    g->index++;
    fill_group(s, block, kb, g);
}

static struct al_conv_group after_last(const struct al_conv_shape *s, int32_t block,
                                       int32_t kb)
{
    struct al_conv_group g = al_conv_group_first(s, block, kb);

    while (g.n_blocks)
        al_conv_group_next(s, block, kb, &g);
    return g;
}

int32_t al_conv_n_groups(const struct al_conv_shape *s, int32_t block, int32_t kb)
{
    return after_last(s, block, kb).index;
}

size_t al_conv_group_floats(const struct al_conv_shape *s, int32_t block, int32_t kb)
{
    return after_last(s, block, kb).weights;
}

float al_conv_weight(const struct al_conv_shape *s, const float *weights, int32_t k,
                     int32_t c, int32_t r, int32_t q)
{
    int32_t in = s->in_c;

    if (k >= s->out_c || c >= s->in_c)
        return 0.0F;
    if (s->groups > 1) {
        const int32_t group = k / (s->out_c / s->groups);
        in = s->in_c / s->groups;
        if (c / in != group)
            return 0.0F;
        c -= group * in;
    }
    return weights[(((ptrdiff_t)k * in + c) * s->kernel_h + r) * s->kernel_w + q];
}

int32_t al_conv_reach_h(const struct al_conv_shape *s)
{
    return (s->out_h - 1) * s->stride_h + (s->kernel_h - 1) * s->dilation_h + 1;
}

int32_t al_conv_reach_w(const struct al_conv_shape *s)
{
    return (s->out_w - 1) * s->stride_w + (s->kernel_w - 1) * s->dilation_w + 1;
}

bool al_conv_halo_suffices(const struct al_conv_shape *s)
{
    return s->in_halo.top >= s->pad_top && s->in_halo.left >= s->pad_left &&
           s->in_halo.bottom >= al_conv_reach_h(s) - s->pad_top - s->in_h &&
           s->in_halo.right >= al_conv_reach_w(s) - s->pad_left - s->in_w;
}

/* Weights of a chunk and the input of a chunk are each to stay in half of a 1 MB second
 * level cache; below about two million multiplications a tile is not worth handing out.
 */
#define CHUNK_FLOATS (128 * 1024)
#define TILE_MACS    (1 << 20)

struct al_conv_cut al_conv_cut(const struct al_conv_shape *s, int32_t n_groups,
                               int32_t n_lines, size_t weight_floats)
{
    struct al_conv_cut cut;
    const size_t n_chunks = weight_floats / CHUNK_FLOATS + 1;
    const size_t in_floats = (size_t)s->in_c * (size_t)s->in_h * (size_t)s->in_w;
    size_t macs, lines;

    cut.groups_per_chunk = (int32_t)(((size_t)n_groups + n_chunks - 1) / n_chunks);
    cut.n_group_chunks = (n_groups + cut.groups_per_chunk - 1) / cut.groups_per_chunk;
    macs =
        weight_floats * (size_t)s->out_h * (size_t)s->out_w / (size_t)cut.n_group_chunks;
    lines = macs / TILE_MACS + 1; /* chunks by work; at most 8 for that reason */
    lines = lines < 8 ? lines : 8;
    lines = lines > in_floats / CHUNK_FLOATS + 1 ? lines : in_floats / CHUNK_FLOATS + 1;
    cut.lines_per_chunk = (int32_t)(((size_t)n_lines + lines - 1) / lines);
    cut.n_line_chunks = (n_lines + cut.lines_per_chunk - 1) / cut.lines_per_chunk;
    return cut;
}

struct al_conv_tile al_conv_tile(const struct al_conv_cut *cut, size_t n_rows,
                                 int32_t n_groups, int32_t n_lines, size_t tile)
{
    const size_t lines = (size_t)cut->n_line_chunks;
    const int32_t line = (int32_t)(tile % lines) * cut->lines_per_chunk;
    const int32_t group = (int32_t)(tile / lines / n_rows) * cut->groups_per_chunk;

    return (struct al_conv_tile){
        .row = tile / lines % n_rows,
        .group_begin = group,
        .group_end = min_i32(group + cut->groups_per_chunk, n_groups),
        .line_begin = line,
        .line_end = min_i32(line + cut->lines_per_chunk, n_lines),
    };
}
