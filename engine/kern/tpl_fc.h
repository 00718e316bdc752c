/* tpl_fc.h — fully connected layers. Packed weights: for each tile of AL_FC_TILE outputs
 * (the last one rounded up to 16) [n_in][lanes of the tile], so that a row times a tile
 * is one pass over memory with one chain of FMAs for each output, in the order of the
 * inputs. Several rows share the pass, a chunk of inputs at a time, so that the chunk's
 * weights are still in the cache for the next rows; each row keeps its own chains. */
#ifndef AL_KERN_TPL_FC_H
#define AL_KERN_TPL_FC_H

#include "engine/kern/tpl_act.h"

static inline size_t fc_lanes(size_t n_out, size_t tile)
{
    const size_t left = n_out - tile * AL_FC_TILE;

    return left < AL_FC_TILE ? (left + 15) / 16 * 16 : AL_FC_TILE;
}

static void fc_pack(size_t n_in, size_t n_out, const float *weights, float *packed)
{
    for (size_t t = 0; t < al_fc_tiles(n_out); t++) {
        const size_t lanes = fc_lanes(n_out, t);
        for (size_t i = 0; i < n_in; i++) {
            for (size_t k = 0; k < lanes; k++, packed++) {
                const size_t out = t * AL_FC_TILE + k;
                *packed = out < n_out ? weights[out * n_in + i] : 0.0F;
            }
        }
    }
}

/* Rows that share a pass, and inputs of a chunk (64 KB of weights). */
#define FC_ROWS  16
#define FC_CHUNK 256

/* Rows x blocks of outputs held in registers, for one chunk of inputs. */
struct fc_part {
    size_t n_in, lanes;
    const float *w;        /* first block's lanes of the tile */
    const float *const *x; /* the rows */
    size_t first_in;
    float *y; /* sums so far, AL_FC_TILE floats from row to row */
};

AL_INLINE void fc_kernel(const int rows, const int blocks, const struct fc_part *f)
{
    vec acc[16]; /* 4 x 4 */

    AL_UNROLL
    for (int i = 0; i < rows * blocks; i++)
        acc[i] = v_load(f->y + i / blocks * AL_FC_TILE + i % blocks * AL_BLOCK);
    for (size_t i = 0; i < f->n_in; i++) {
        const float *w = f->w + i * f->lanes;
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
    for (int r = 0; r < rows; r++) {
        AL_UNROLL
        for (int b = 0; b < blocks; b++)
            v_store(f->y + r * AL_FC_TILE + b * AL_BLOCK, acc[r * blocks + b]);
    }
}

typedef void (*fc_kernel_fn)(const struct fc_part *f);

#define FC_KERNEL(rows, blocks)                               \
    static void fc_##rows##x##blocks(const struct fc_part *f) \
    {                                                         \
        fc_kernel(rows, blocks, f);                           \
    }
/* One row: the whole tile (8 or 4 blocks); four rows: half of it. */
FC_KERNEL(1, 1)
FC_KERNEL(1, 2)
FC_KERNEL(1, 4)
FC_KERNEL(4, 1)
FC_KERNEL(4, 2)
#if AL_BLOCK == 8
FC_KERNEL(1, 8)
#define FC_ONE_BLOCKS 8
#else
#define FC_ONE_BLOCKS 4
#endif
#ifdef __AVX512VL__
FC_KERNEL(4, 4)
#define FC_FOUR_BLOCKS 4
#else
#define FC_FOUR_BLOCKS 2
#endif

static const fc_kernel_fn fc_one[9] = { [1] = fc_1x1,
                                        [2] = fc_1x2,
                                        [4] = fc_1x4,
#if AL_BLOCK == 8
                                        [8] = fc_1x8
#endif
};
static const fc_kernel_fn fc_four[9] = { [1] = fc_4x1,
                                         [2] = fc_4x2,
#ifdef __AVX512VL__
                                         [4] = fc_4x4
#endif
};

/* Bias, activation, and the rows' own length. */
static void fc_store(const struct al_fc *f, size_t first, size_t n, float *acc, float *y)
{
    float bias[AL_FC_TILE] = { 0 };

    memcpy(bias, f->bias + first, n * sizeof(float));
    for (size_t k = 0; k < AL_FC_TILE; k += AL_BLOCK)
        v_store(acc + k, v_act(v_load(acc + k) + v_load(bias + k), &f->post));
    memcpy(y + first, acc, n * sizeof(float));
}

/* A tile of 16 lanes, as classifiers end in, has too few outputs for their chains to
 * overlap: inputs i, i + FC_CHAINS ... of a chunk form a chain of their own, and the
 * chains are added up at its end. One row at a time, so that a row's order is always this
 * one. */
#define FC_CHAINS     4
#define FC_FEW_BLOCKS (16 / AL_BLOCK)

static void fc_few(const struct fc_part *f)
{
    const float *x = f->x[0] + f->first_in, *w = f->w;
    vec acc[FC_CHAINS * FC_FEW_BLOCKS];
    size_t i = 0;

    AL_UNROLL
    for (int k = 0; k < FC_CHAINS * FC_FEW_BLOCKS; k++)
        acc[k] = k < FC_FEW_BLOCKS ? v_load(f->y + (ptrdiff_t)k * AL_BLOCK) : v_zero();
    for (; i + FC_CHAINS <= f->n_in; i += FC_CHAINS, w += (ptrdiff_t)FC_CHAINS * 16) {
        AL_UNROLL
        for (int k = 0; k < FC_CHAINS * FC_FEW_BLOCKS; k++)
            acc[k] = v_fma(v_set1(x[i + (size_t)k / FC_FEW_BLOCKS]),
                           v_load(w + (ptrdiff_t)k * AL_BLOCK), acc[k]);
    }
    for (; i < f->n_in; i++, w += 16) {
        AL_UNROLL
        for (int b = 0; b < FC_FEW_BLOCKS; b++)
            acc[b] = v_fma(v_set1(x[i]), v_load(w + (ptrdiff_t)b * AL_BLOCK), acc[b]);
    }
    AL_UNROLL
    for (int b = 0; b < FC_FEW_BLOCKS; b++)
        v_store(f->y + (ptrdiff_t)b * AL_BLOCK,
                (acc[b] + acc[FC_FEW_BLOCKS + b]) +
                    (acc[2 * FC_FEW_BLOCKS + b] + acc[3 * FC_FEW_BLOCKS + b]));
}

/* `rows` (1 or 4) rows, one chunk, all lanes of the tile; `sums` as fc_part's y. */
static void fc_chunk(struct fc_part part, size_t rows, const float *w, float *sums)
{
    if (part.lanes == 16) {
        part.w = w;
        for (size_t r = 0; r < rows; r++, part.x++) {
            part.y = sums + r * AL_FC_TILE;
            fc_few(&part);
        }
        return;
    }
    size_t step = rows == 4 ? FC_FOUR_BLOCKS : FC_ONE_BLOCKS;

    for (size_t k = 0; k < part.lanes; k += step * AL_BLOCK) {
        while (k + step * AL_BLOCK > part.lanes)
            step /= 2;
        part.w = w + k;
        part.y = sums + k;
        (rows == 4 ? fc_four : fc_one)[step](&part);
    }
}

/* One tile for up to FC_ROWS rows from `first` on. */
static void fc_tile(const struct al_fc *f, size_t tile, size_t first, size_t n_rows)
{
    const size_t lanes = fc_lanes(f->n_out, tile), out = tile * AL_FC_TILE;
    const size_t n = f->n_out - out < AL_FC_TILE ? f->n_out - out : AL_FC_TILE;
    const float *w = f->weights + out * f->n_in;
    float sums[FC_ROWS * AL_FC_TILE];

    memset(sums, 0, n_rows * AL_FC_TILE * sizeof(float));
    for (size_t i = 0; i < f->n_in; i += FC_CHUNK, w += FC_CHUNK * lanes) {
        struct fc_part part = { .n_in = f->n_in - i < FC_CHUNK ? f->n_in - i : FC_CHUNK,
                                .lanes = lanes,
                                .first_in = i };
        for (size_t r = 0, rows; r < n_rows; r += rows) {
            rows = r + 4 <= n_rows ? 4 : 1;
            part.x = f->x + first + r;
            fc_chunk(part, rows, w, sums + r * AL_FC_TILE);
        }
    }
    for (size_t r = 0; r < n_rows; r++)
        fc_store(f, out, n, sums + r * AL_FC_TILE, f->y[first + r]);
}

static void fc(const struct al_fc *f)
{
    for (size_t t = f->tile_begin; t < f->tile_end; t++) {
        for (size_t r = 0; r < f->n_rows; r += FC_ROWS)
            fc_tile(f, t, r, f->n_rows - r < FC_ROWS ? f->n_rows - r : FC_ROWS);
    }
}

#endif
