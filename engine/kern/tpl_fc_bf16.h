/* tpl_fc_bf16.h — fully connected layers in bfloat16. Packed weights: for each tile of
 * AL_FC_TILE outputs (the last one rounded up to 16) [pair of inputs][lane of the tile].
 * One chain of steps (tpl_step.h) for each output, in the order of the inputs. Up to
 * FC_ROWS rows share a pass over the weights, a chunk of inputs at a time, rounded to
 * scratch on the stack. */
#ifndef AL_KERN_TPL_FC_BF16_H
#define AL_KERN_TPL_FC_BF16_H

#include "engine/kern/fc.h"
#include "engine/kern/tpl_act.h"
#include "engine/kern/tpl_fc_matrix.h"
#include "engine/kern/tpl_step.h"

#define FC_ROWS  16
#define FC_PAIRS 128 /* of a chunk: 32 KB of weights */

static size_t fc_steps(size_t n_in)
{
    return (n_in + STEP_CHANNELS - 1) / STEP_CHANNELS;
}

static size_t fc_tile_lanes(size_t n_out, size_t tile)
{
    const size_t left = n_out - tile * AL_FC_TILE;

    return left < AL_FC_TILE ? (left + AL_BLOCK - 1) / AL_BLOCK * AL_BLOCK : AL_FC_TILE;
}

static size_t fc_bf16_packed_floats(size_t n_in, size_t n_out)
{
    return fc_steps(n_in) * ((n_out + AL_BLOCK - 1) / AL_BLOCK * AL_BLOCK);
}

static void fc_bf16_pack_matrix(const struct fc_matrix *m, float *packed)
{
    for (size_t out = 0; out < m->n_out; out += AL_FC_TILE) {
        const size_t lanes = fc_tile_lanes(m->n_out, out / AL_FC_TILE);
        for (size_t in = 0; in < m->n_in; in += STEP_CHANNELS) {
            for (size_t k = out; k < out + lanes; k++)
                *packed++ = step_weight(fc_weight(m, k, in), fc_weight(m, k, in + 1));
        }
    }
}

static void fc_bf16_pack(size_t n_in, size_t n_out, const float *weights, float *packed)
{
    fc_bf16_pack_matrix(&(struct fc_matrix){ weights, n_in, n_out, n_in, 1 }, packed);
}

static void fc_bf16_pack_columns(size_t n_in, size_t n_out, const float *weights,
                                 float *packed)
{
    fc_bf16_pack_matrix(&(struct fc_matrix){ weights, n_in, n_out, 1, n_out }, packed);
}

/* Inputs [first, first + 2 * n) of a row as n pairs, zero past the last input. */
static void fc_round(const float *x, size_t n_in, size_t first, size_t n, float *pairs)
{
    float end[AL_BLOCK] = { 0 };
    size_t i = first;

    for (; i < first + n * STEP_CHANNELS && i + AL_BLOCK <= n_in; i += AL_BLOCK)
        step_store(pairs + (i - first) / STEP_CHANNELS, v_load(x + i));
    if (i < first + n * STEP_CHANNELS) {
        memcpy(end, x + i, (n_in - i) * sizeof(float));
        step_store(pairs + (i - first) / STEP_CHANNELS, v_load(end));
    }
}

/* Rows x blocks of outputs held in registers, for one chunk of inputs. */
struct fc_part {
    size_t n, lanes; /* pairs; floats from pair to pair of w */
    const float *w;
    const float *x; /* FC_PAIRS from row to row */
    float *y;       /* sums so far, AL_FC_TILE from row to row */
};

AL_INLINE void fc_kernel(const int rows, const int blocks, const struct fc_part *f)
{
    vec acc[16]; /* 4 x 4 */

    AL_UNROLL
    for (int i = 0; i < rows * blocks; i++)
        acc[i] = v_load(f->y + i / blocks * AL_FC_TILE + i % blocks * AL_BLOCK);
    for (size_t i = 0; i < f->n; i++) {
        const float *w = f->w + i * f->lanes;
        AL_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec x = step_value(f->x + r * FC_PAIRS + i);
            AL_UNROLL
            for (int b = 0; b < blocks; b++)
                acc[r * blocks + b] =
                    step_add(x, v_load(w + b * AL_BLOCK), acc[r * blocks + b]);
        }
    }
    AL_UNROLL
    for (int i = 0; i < rows * blocks; i++)
        v_store(f->y + i / blocks * AL_FC_TILE + i % blocks * AL_BLOCK, acc[i]);
}

typedef void (*fc_kernel_fn)(const struct fc_part *f);

#define FC_KERNEL(rows, blocks)                               \
    static void fc_##rows##x##blocks(const struct fc_part *f) \
    {                                                         \
        fc_kernel(rows, blocks, f);                           \
    }
FC_KERNEL(1, 1)
FC_KERNEL(1, 2)
FC_KERNEL(1, 3)
FC_KERNEL(1, 4)
FC_KERNEL(4, 1)
FC_KERNEL(4, 2)
FC_KERNEL(4, 3)
FC_KERNEL(4, 4)

static const fc_kernel_fn fc_one[5] = { NULL, fc_1x1, fc_1x2, fc_1x3, fc_1x4 };
static const fc_kernel_fn fc_four[5] = { NULL, fc_4x1, fc_4x2, fc_4x3, fc_4x4 };

/* Bias, activation, and the row's own length. */
static void fc_store(const struct al_fc *f, size_t first, size_t n, float *sums, float *y)
{
    float bias[AL_FC_TILE] = { 0 };

    memcpy(bias, f->bias + first, n * sizeof(float));
    for (size_t k = 0; k < n; k += AL_BLOCK)
        v_store(sums + k, v_act(v_load(sums + k) + v_load(bias + k), &f->post));
    memcpy(y + first, sums, n * sizeof(float));
}

/* One tile for up to FC_ROWS rows from `first` on. */
static void fc_tile(const struct al_fc *f, size_t tile, size_t first, size_t n_rows)
{
    const size_t lanes = fc_tile_lanes(f->n_out, tile), out = tile * AL_FC_TILE;
    const size_t n = f->n_out - out < AL_FC_TILE ? f->n_out - out : AL_FC_TILE;
    const size_t steps = fc_steps(f->n_in);
    float sums[FC_ROWS * AL_FC_TILE], pairs[FC_ROWS * FC_PAIRS];
    struct fc_part part = { .lanes = lanes, .w = f->weights + out * steps };

    memset(sums, 0, n_rows * AL_FC_TILE * sizeof(float));
    for (size_t i = 0; i < steps; i += FC_PAIRS, part.w += FC_PAIRS * lanes) {
        part.n = steps - i < FC_PAIRS ? steps - i : FC_PAIRS;
        for (size_t r = 0; r < n_rows; r++)
            fc_round(f->x[first + r], f->n_in, i * STEP_CHANNELS, part.n,
                     pairs + r * FC_PAIRS);
        for (size_t r = 0, rows; r < n_rows; r += rows) {
            rows = r + 4 <= n_rows ? 4 : 1;
            part.x = pairs + r * FC_PAIRS;
            part.y = sums + r * AL_FC_TILE;
            (rows == 4 ? fc_four : fc_one)[lanes / AL_BLOCK](&part);
        }
    }
    for (size_t r = 0; r < n_rows; r++)
        fc_store(f, out, n, sums + r * AL_FC_TILE, f->y[first + r]);
}

static void fc_bf16_run(const struct al_fc *f)
{
    for (size_t t = f->tile_begin; t < f->tile_end; t++) {
        for (size_t r = 0; r < f->n_rows; r += FC_ROWS)
            fc_tile(f, t, r, f->n_rows - r < FC_ROWS ? f->n_rows - r : FC_ROWS);
    }
}

#endif
