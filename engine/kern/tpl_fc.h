/* tpl_fc.h — fully connected layers. Packed weights: for each tile of AL_FC_TILE outputs
 * (the last one rounded up to 16) [n_in][lanes of the tile], so that a row times a tile
 * is one pass over memory with one chain of FMAs for each output, in the order of the
 * inputs. Several rows share the pass, a chunk of inputs at a time, so that the chunk's
 * weights are still in the cache for the next rows; each row keeps its own chains.
 *
 * A last tile of few outputs (al_fc_dots), as classifiers end in, has too few chains to
 * overlap and would waste lanes: there the inputs lie in the lanes, each output is a dot
 * product, and up to DOT_MOST of them are computed side by side. Their weights are packed
 * as [inputs / 16][outputs of the group][16], zero past the last input. */
#ifndef AL_KERN_TPL_FC_H
#define AL_KERN_TPL_FC_H

#include "engine/kern/tpl_act.h"
#include "engine/kern/tpl_fc_matrix.h"
#include "engine/kern/tpl_transpose.h"

static inline size_t fc_lanes(size_t n_out, size_t tile)
{
    const size_t left = n_out - tile * AL_FC_TILE;

    return left < AL_FC_TILE ? (left + 15) / 16 * 16 : AL_FC_TILE;
}

/* Dot products are spread evenly over the fewest groups of at most this many. */
#define DOT_MOST 8

/* Outputs of the group that starts at output `first` of `n`. */
static inline size_t dot_group(size_t n, size_t first)
{
    const size_t groups = (n - first + DOT_MOST - 1) / DOT_MOST;

    return (n - first + groups - 1) / groups;
}

/* The last `dots` outputs. */
AL_INLINE void dot_pack(const struct fc_matrix *m, size_t dots, float *packed)
{
    const size_t chains = m->n_out - dots;

    for (size_t first = 0, n; first < dots; first += n) {
        n = dot_group(dots, first);
        for (size_t i = 0; i < m->n_in; i += 16) {
            for (size_t k = 0; k < n * 16; k++)
                *packed++ = fc_weight(m, chains + first + k / 16, i + k % 16);
        }
    }
}

/* A square of the matrix, rows in memory being outputs, turned round: inputs `in` to in +
 * AL_BLOCK of outputs `out` on, of which `n` exist; zero for others. */
AL_INLINE void pack_square(const struct fc_matrix *m, size_t out, size_t n, size_t in,
                           size_t lanes, float *packed)
{
    const ptrdiff_t left = (ptrdiff_t)(m->n_in - in);
    const float *w = m->weights + out * m->out_step + in;
    vec v[AL_BLOCK];

    AL_UNROLL
    for (size_t k = 0; k < AL_BLOCK; k++)
        v[k] = k < n ? v_load_some(w + k * m->out_step, left, v_zero()) : v_zero();
    v_transpose(v);
    for (ptrdiff_t i = 0; i < AL_BLOCK && i < left; i++)
        v_store(packed + (size_t)i * lanes, v[i]);
}

/* The `n` outputs from `out` on as a tile of `lanes`. */
static void pack_tile(const struct fc_matrix *m, size_t out, size_t n, size_t lanes,
                      float *packed)
{
    const float *w = m->weights + out;

    if (m->out_step != 1) {
        for (size_t i = 0; i < m->n_in; i += AL_BLOCK)
            for (size_t k = 0; k < lanes; k += AL_BLOCK)
                pack_square(m, out + k, k < n ? n - k : 0, i, lanes,
                            packed + i * lanes + k);
        return;
    }
    for (size_t i = 0; i < m->n_in; i++, w += m->in_step, packed += lanes)
        for (size_t k = 0; k < lanes; k += AL_BLOCK)
            v_store(packed + k,
                    v_load_some(w + k, (ptrdiff_t)n - (ptrdiff_t)k, v_zero()));
}

/* The first `n_out` outputs, tile by tile. */
static void pack_tiles(const struct fc_matrix *m, size_t n_out, float *packed)
{
    for (size_t out = 0; out < n_out; out += AL_FC_TILE) {
        const size_t lanes = fc_lanes(m->n_out, out / AL_FC_TILE);

        pack_tile(m, out, n_out - out < lanes ? n_out - out : lanes, lanes,
                  packed + out * m->n_in);
    }
}

static void pack_plain(const struct fc_matrix *m, float *packed)
{
    const size_t dots = al_fc_dots(m->n_in, m->n_out), chains = m->n_out - dots;

    pack_tiles(m, chains, packed);
    dot_pack(m, dots, packed + chains * m->n_in);
}

static void fc_pack(size_t n_in, size_t n_out, const float *weights, float *packed)
{
    pack_plain(&(struct fc_matrix){ weights, n_in, n_out, n_in, 1 }, packed);
}

static void fc_pack_columns(size_t n_in, size_t n_out, const float *weights,
                            float *packed)
{
    pack_plain(&(struct fc_matrix){ weights, n_in, n_out, 1, n_out }, packed);
}

/* Rows that share a pass, and inputs of a chunk (64 KB of weights). */
#define FC_ROWS  24
#define FC_CHUNK 256
/* Rows and blocks of outputs whose sums fill the registers. */
#ifdef __AVX512VL__
#define FC_GROUP        6
#define FC_GROUP_BLOCKS 4
#elif defined(__AVX2__)
#define FC_GROUP        6
#define FC_GROUP_BLOCKS 2
#else
#define FC_GROUP        4
#define FC_GROUP_BLOCKS 2
#endif
/* One row takes all blocks of a tile at once. */
#define FC_ROW_BLOCKS (AL_FC_TILE / AL_BLOCK)

/* Rows x blocks of outputs held in registers, for one chunk of inputs. */
struct fc_part {
    size_t first_in, n_in, lanes; /* lanes: from input to input of w */
    const float *w;               /* the tile's, from the chunk's first input on */
    const float *const *x;        /* the rows */
    const float *bias;            /* the tile's; NULL: y holds the sums so far */
    float *const *y;              /* the rows */
    size_t at;                    /* first lane of the blocks */
};

AL_INLINE void fc_kernel(const int rows, const int blocks, const struct fc_part *f)
{
    vec acc[FC_GROUP * FC_ROW_BLOCKS];
    float *y[FC_GROUP];

    AL_UNROLL
    for (int r = 0; r < rows; r++)
        y[r] = f->y[r] + f->at;
    AL_UNROLL
    for (int i = 0; i < rows * blocks; i++)
        acc[i] =
            v_load((f->bias ? f->bias + f->at : y[i / blocks]) + i % blocks * AL_BLOCK);
    for (size_t i = 0; i < f->n_in; i++) {
        const float *w = f->w + f->at + i * f->lanes;
        AL_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec x = v_set1(f->x[r][f->first_in + i]);
            AL_UNROLL
            for (int b = 0; b < blocks; b++)
                acc[r * blocks + b] =
                    v_fma(x, v_load(w + b * AL_BLOCK), acc[r * blocks + b]);
        }
    }
    AL_UNROLL
    for (int i = 0; i < rows * blocks; i++)
        v_store(y[i / blocks] + i % blocks * AL_BLOCK, acc[i]);
}

typedef void (*fc_kernel_fn)(const struct fc_part *f);

#define FC_KERNEL(rows, blocks)                               \
    static void fc_##rows##x##blocks(const struct fc_part *f) \
    {                                                         \
        fc_kernel(rows, blocks, f);                           \
    }
/* One row a number of rows, 1 to FC_GROUP: the blocks there are kernels for. */
#if AL_BLOCK == 8
#define FC_ONE(X) X(1, 1) X(1, 2) X(1, 4) X(1, 8)
#else
#define FC_ONE(X) X(1, 1) X(1, 2) X(1, 4)
#endif
#if FC_GROUP_BLOCKS == 4
#define FC_FEW(X, rows) X(rows, 1) X(rows, 2) X(rows, 4)
#else
#define FC_FEW(X, rows) X(rows, 1) X(rows, 2)
#endif
#if FC_GROUP == 6
#define FC_KERNELS(X) \
    FC_ONE(X) FC_FEW(X, 2) FC_FEW(X, 3) FC_FEW(X, 4) FC_FEW(X, 5) FC_FEW(X, 6)
#else
#define FC_KERNELS(X) FC_ONE(X) FC_FEW(X, 2) FC_FEW(X, 3) FC_FEW(X, 4)
#endif
FC_KERNELS(FC_KERNEL)

#define X(rows, blocks) [rows][blocks] = fc_##rows##x##blocks,
static const fc_kernel_fn fc_kernels[FC_GROUP + 1][FC_ROW_BLOCKS + 1] = { FC_KERNELS(X) };
#undef X

/* The bias of `n` outputs from `first` on, padded to a tile. */
static void fc_bias(const struct al_fc *f, size_t first, size_t n, float *bias)
{
    memset(bias, 0, AL_FC_TILE * sizeof(float));
    memcpy(bias, f->bias + first, n * sizeof(float));
}

/* Activates `n` sums and stores them; y may be sums. */
static void fc_store(const struct al_fc *f, size_t n, const float *sums, float *y)
{
    if (y != sums || f->post.act != AL_CONV_ACT_NONE)
        v_act_along(&f->post, n, sums, y);
}

/* `n` dot products: y[k] += x . w's row k. `end` holds the inputs past the last whole 16,
 * zero-padded, if there are any. */
struct dot_part {
    size_t n_in;
    const float *x, *end, *w;
    float *y;
};

/* Adds 16 inputs' products to the sums. */
AL_INLINE void dot_add(const int n, const float *x, const float *w, vec *acc)
{
    AL_UNROLL
    for (int v = 0; v < 16; v += AL_BLOCK) {
        const vec in = v_load(x + v);
        AL_UNROLL
        for (int k = 0; k < n; k++)
            acc[k] = v_fma(in, v_load(w + k * 16 + v), acc[k]);
    }
}

AL_INLINE void dot_kernel(const int n, const struct dot_part *d)
{
    const float *w = d->w;
    vec acc[DOT_MOST];
    size_t i = 0;

    AL_UNROLL
    for (int k = 0; k < n; k++)
        acc[k] = v_zero();
    for (; i + 16 <= d->n_in; i += 16, w += (ptrdiff_t)n * 16)
        dot_add(n, d->x + i, w, acc);
    if (i < d->n_in)
        dot_add(n, d->end, w, acc);
    AL_UNROLL
    for (int k = 0; k < n; k++)
        d->y[k] += v_sum(acc[k]);
}

typedef void (*dot_kernel_fn)(const struct dot_part *d);

#define DOT_KERNEL(n)                             \
    static void dot_##n(const struct dot_part *d) \
    {                                             \
        dot_kernel(n, d);                         \
    }
DOT_KERNEL(1)
DOT_KERNEL(2)
DOT_KERNEL(3)
DOT_KERNEL(4)
DOT_KERNEL(5)
DOT_KERNEL(6)
DOT_KERNEL(7)
DOT_KERNEL(8)

static const dot_kernel_fn dot_kernels[DOT_MOST + 1] = { NULL,  dot_1, dot_2,
                                                         dot_3, dot_4, dot_5,
                                                         dot_6, dot_7, dot_8 };

/* The dot products of one row, a group at a time; `bias` is padded. */
static void fc_dots(const struct al_fc *f, size_t dots, size_t row, const float *bias)
{
    const size_t chains = f->n_out - dots, whole = f->n_in / 16 * 16;
    float end[16] = { 0 }, sums[AL_FC_TILE];
    struct dot_part part = {
        .n_in = f->n_in, .x = f->x[row], .end = end, .w = f->weights + chains * f->n_in
    };

    memcpy(end, f->x[row] + whole, (f->n_in - whole) * sizeof(float));
    memcpy(sums, bias, sizeof(sums));
    for (size_t first = 0, n; first < dots; first += n) {
        n = dot_group(dots, first);
        part.y = sums + first;
        dot_kernels[n](&part);
        part.w += n * ((f->n_in + 15) / 16 * 16);
    }
    fc_store(f, dots, sums, f->y[row] + chains);
}

/* `rows` rows at most FC_GROUP, one chunk of inputs, all lanes of the tile. */
static void fc_rows(struct fc_part *chunk, size_t rows)
{
    size_t step = rows == 1 ? FC_ROW_BLOCKS : FC_GROUP_BLOCKS;

    for (size_t k = 0; k < chunk->lanes; k += step * AL_BLOCK) {
        while (k + step * AL_BLOCK > chunk->lanes)
            step /= 2;
        chunk->at = k;
        fc_kernels[rows][step](chunk);
    }
}

/* `n_rows` rows of `n_in` inputs times one tile of weights; y has room for all lanes of
 * the tile, bias that many numbers. Rows are spread evenly over the fewest groups. */
static void fc_product(size_t n_in, size_t lanes, const float *w, const float *bias,
                       size_t n_rows, const float *const *x, float *const *y)
{
    for (size_t i = 0; i < n_in; i += FC_CHUNK) {
        struct fc_part part = { .first_in = i,
                                .n_in = n_in - i < FC_CHUNK ? n_in - i : FC_CHUNK,
                                .lanes = lanes,
                                .w = w + i * lanes,
                                .bias = i ? NULL : bias };
        for (size_t r = 0, rows; r < n_rows; r += rows) {
            const size_t groups = (n_rows - r + FC_GROUP - 1) / FC_GROUP;

            rows = (n_rows - r + groups - 1) / groups;
            part.x = x + r;
            part.y = y + r;
            fc_rows(&part, rows);
        }
    }
}

/* One tile for up to FC_ROWS rows from `first` on. Sums of a whole tile grow where the
 * results are wanted, those of others in a place with room for all lanes. */
static void fc_tile(const struct al_fc *f, size_t tile, size_t first, size_t n_rows)
{
    const size_t lanes = fc_lanes(f->n_out, tile), out = tile * AL_FC_TILE;
    const size_t n = f->n_out - out < lanes ? f->n_out - out : lanes;
    float sums[FC_ROWS * AL_FC_TILE], bias[AL_FC_TILE], *y[FC_ROWS];

    for (size_t r = 0; r < n_rows; r++)
        y[r] = n == lanes ? f->y[first + r] + out : sums + r * AL_FC_TILE;
    if (n < lanes)
        fc_bias(f, out, n, bias);
    fc_product(f->n_in, lanes, f->weights + out * f->n_in,
               n == lanes ? f->bias + out : bias, n_rows, f->x + first, y);
    for (size_t r = 0; r < n_rows; r++)
        fc_store(f, n, y[r], f->y[first + r] + out);
}

static void fc(const struct al_fc *f)
{
    const size_t dots = al_fc_dots(f->n_in, f->n_out), chains = f->n_out - dots;
    const size_t chain_tiles = al_fc_tiles(chains);
    size_t t = f->tile_begin;

    for (; t < f->tile_end && t < chain_tiles; t++) {
        for (size_t r = 0; r < f->n_rows; r += FC_ROWS)
            fc_tile(f, t, r, f->n_rows - r < FC_ROWS ? f->n_rows - r : FC_ROWS);
    }
    if (t < f->tile_end && dots) {
        float bias[AL_FC_TILE];

        fc_bias(f, chains, dots, bias);
        for (size_t r = 0; r < f->n_rows; r++)
            fc_dots(f, dots, r, bias);
    }
}

#endif
