/* tpl_fc_amx.h — fully connected layers by AMX tiles: 16 rows of the layer are the rows
 * of a tile. Packed weights: for each two blocks of 16 outputs (the last may be one)
 * [step of 32 inputs][plane][block][pair][output lane][2], split as a convolution's
 * (tpl_amx.h). Inputs are split chunk by chunk to the stack; a chunk's sums are added to
 * those before it, so a row's bits do not depend on its company. */
#ifndef AL_KERN_TPL_FC_AMX_H
#define AL_KERN_TPL_FC_AMX_H

#include "engine/kern/fc_amx.h"
#include "engine/kern/tpl_amx.h"
#include "engine/kern/tpl_fc_matrix.h"

#define FC_PAIR        (OUT_BLOCKS * AL_BLOCK) /* outputs of two blocks */
#define FC_PAIRS       (AL_FC_TILE / FC_PAIR)  /* of a tile of outputs */
#define FC_STEPS       16                      /* of a chunk */
#define FC_CHUNK       (FC_STEPS * STEP_LANES) /* inputs */
#define FC_PAIR_FLOATS (OUT_BLOCKS * TILE_FLOATS)

static size_t fc_steps(size_t n_in)
{
    return (n_in + STEP_LANES - 1) / STEP_LANES;
}

/* Output blocks from output `out` on, at most two. */
static size_t fc_blocks(size_t n_out, size_t out)
{
    return n_out - out > AL_BLOCK ? OUT_BLOCKS : 1;
}

static size_t fc_amx_floats(size_t n_in, size_t n_out, int planes)
{
    return fc_steps(n_in) * ((n_out + AL_BLOCK - 1) / AL_BLOCK) * TILE_FLOATS *
           (size_t)planes;
}

/* One step of one block: all planes, `plane` floats apart. */
static void fc_pack_step(const struct fc_matrix *m, int planes, size_t out, size_t in,
                         float *packed, size_t plane)
{
    for (size_t i = in; i < in + STEP_LANES; i += 2) {
        for (size_t k = out; k < out + AL_BLOCK; k++, packed++) {
            float even[MAX_PLANES], odd[MAX_PLANES];

            split(fc_weight(m, k, i), planes, even);
            split(fc_weight(m, k, i + 1), planes, odd);
            for (int p = 0; p < planes; p++)
                packed[(size_t)p * plane] = al_bf16_pair(even[p], odd[p]);
        }
    }
}

static void fc_amx_pack(const struct fc_matrix *m, int planes, float *packed)
{
    for (size_t out = 0; out < m->n_out; out += FC_PAIR) {
        const size_t blocks = fc_blocks(m->n_out, out), plane = blocks * TILE_FLOATS;
        for (size_t in = 0; in < m->n_in; in += STEP_LANES) {
            for (size_t k = 0; k < blocks; k++)
                fc_pack_step(m, planes, out + k * AL_BLOCK, in, packed + k * TILE_FLOATS,
                             plane);
            packed += (size_t)planes * plane;
        }
    }
}

/* Inputs [first, first + n) of a row, n a multiple of 32; zero past the last one. */
AL_INLINE void fc_split(const int planes, const float *x, size_t n_in, size_t first,
                        size_t n, uint16_t *y)
{
    for (size_t i = first; i < first + n; i += AL_BLOCK, y += AL_BLOCK) {
        ivec part[MAX_PLANES];
        vec v = v_zero();

        if (i + AL_BLOCK <= n_in)
            v = v_load(x + i);
        else if (i < n_in)
            memcpy(&v, x + i, (n_in - i) * sizeof(float));
        v_split(v, planes, part);
        AL_UNROLL
        for (int p = 0; p < planes; p++)
            v_store_halves(y + p * TILE_ROWS * FC_CHUNK, part[p]);
    }
}

/* Adds the products of one chunk of inputs, in `x`, to the sums of a tile of outputs:
 * [block][row][lane]. */
static void fc_add_chunk(const struct al_fc *f, int planes, size_t out, size_t step,
                         const uint16_t *x, float *sums)
{
    const size_t steps = fc_steps(f->n_in);
    const size_t n = steps - step < FC_STEPS ? steps - step : FC_STEPS;
    float part[2 * FC_PAIR_FLOATS] __attribute__((aligned(64)));

    for (size_t k = 0; k < FC_PAIRS && out < f->n_out; k++, out += FC_PAIR) {
        const size_t blocks = fc_blocks(f->n_out, out);
        const struct amx_part p = {
            .x = { x, x },
            .w = f->weights +
                 (out / AL_BLOCK * steps + blocks * step) * TILE_FLOATS * (size_t)planes,
            .plane = TILE_ROWS * FC_CHUNK,
            .pixel = FC_CHUNK * (ptrdiff_t)sizeof(*x),
            .x_step = STEP_LANES,
            .n_channels = 1,
            .n_rows = 1,
            .n_steps = (int32_t)n,
        };
        float *sum = sums + k * FC_PAIR_FLOATS;

        amx_parts[planes - 1][0][blocks - 1](&p, part);
        for (size_t i = 0; i < blocks * TILE_FLOATS; i += AL_BLOCK)
            v_store(sum + i, v_load(sum + i) + v_load(part + i));
    }
}

/* Bias and activation of `n` outputs of one row from `out` on. */
static void fc_amx_store(const struct al_fc *f, size_t out, size_t n, const float *sums,
                         float *y)
{
    for (size_t k = 0; k < n; k += AL_BLOCK, sums += TILE_FLOATS) {
        const size_t width = (n - k < AL_BLOCK ? n - k : AL_BLOCK) * sizeof(float);
        vec v = v_zero();

        memcpy(&v, f->bias + out + k, width);
        v = v_act(v_load(sums) + v, &f->post);
        memcpy(y + out + k, &v, width);
    }
}

/* One tile of outputs for up to 16 rows from `first` on. */
AL_INLINE void fc_amx_tile(const struct al_fc *f, const int planes, size_t tile,
                           size_t first, size_t n_rows)
{
    const size_t out = tile * AL_FC_TILE, steps = fc_steps(f->n_in);
    const size_t n = f->n_out - out < AL_FC_TILE ? f->n_out - out : AL_FC_TILE;
    uint16_t x[MAX_PLANES * TILE_ROWS * FC_CHUNK] __attribute__((aligned(64)));
    float sums[AL_FC_TILE * TILE_ROWS];

    memset(sums, 0, sizeof(sums));
    for (size_t step = 0; step < steps; step += FC_STEPS) {
        const size_t left = steps - step < FC_STEPS ? steps - step : FC_STEPS;
        for (size_t r = 0; r < n_rows; r++)
            fc_split(planes, f->x[first + r], f->n_in, step * STEP_LANES,
                     left * STEP_LANES, x + r * FC_CHUNK);
        fc_add_chunk(f, planes, out, step, x, sums);
    }
    for (size_t r = 0; r < n_rows; r++)
        fc_amx_store(f, out, n, sums + r * AL_BLOCK, f->y[first + r]);
}

AL_INLINE void fc_amx_run(const struct al_fc *f, const int planes)
{
    tile_begin();
    for (size_t t = f->tile_begin; t < f->tile_end; t++) {
        for (size_t r = 0; r < f->n_rows; r += TILE_ROWS)
            fc_amx_tile(f, planes, t, r,
                        f->n_rows - r < TILE_ROWS ? f->n_rows - r : TILE_ROWS);
    }
    tile_end();
}

/* The functions and the table row of one number of products. */
#define FC_AMX(products, n_planes)                                                    \
    static size_t fc_##products##_packed_floats(size_t n_in, size_t n_out)            \
    {                                                                                 \
        return fc_amx_floats(n_in, n_out, n_planes);                                  \
    }                                                                                 \
    static void fc_##products##_pack(size_t n_in, size_t n_out, const float *weights, \
                                     float *packed)                                   \
    {                                                                                 \
        fc_amx_pack(&(struct fc_matrix){ weights, n_in, n_out, n_in, 1 }, n_planes,   \
                    packed);                                                          \
    }                                                                                 \
    static void fc_##products##_pack_columns(size_t n_in, size_t n_out,               \
                                             const float *weights, float *packed)     \
    {                                                                                 \
        fc_amx_pack(&(struct fc_matrix){ weights, n_in, n_out, 1, n_out }, n_planes,  \
                    packed);                                                          \
    }                                                                                 \
    static void fc_##products##_run(const struct al_fc *f)                            \
    {                                                                                 \
        fc_amx_run(f, n_planes);                                                      \
    }                                                                                 \
    const struct al_fc_algo JOIN(al_fc_##products##_, ISA) = {                        \
        .name = "fc_" #products "-" ISA_NAME,                                         \
        .cpu_flags = ISA_FLAGS,                                                       \
        .packed_floats = fc_##products##_packed_floats,                               \
        .pack = fc_##products##_pack,                                                 \
        .pack_columns = fc_##products##_pack_columns,                                 \
        .run = fc_##products##_run,                                                   \
    };

FC_AMX(x6, 3)
FC_AMX(x3, 2)
FC_AMX(bf16, 1)

#endif
