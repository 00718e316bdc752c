/* amx.h — tiles of AMX: eight registers 0 to 7 of 16 rows of 64 bytes, named by literals.
 *
 *   TILE_ZERO(t)               clears it
 *   TILE_LOAD(t, p, stride)    16 rows of 64 bytes, `stride` bytes from row to row
 *   TILE_STORE(t, p)           the same to consecutive memory
 *   TILE_STEP(c, a, b)         c += a * b: c is 16x16 floats, a 16 rows of 16 pairs of
 *                              bfloat16, b 16 pairs (rows) of 16 columns (TDPBF16PS)
 *
 * between tile_begin() and tile_end(), which a thread calls around its work: tiles that
 * are in use make its context switches dearer. A row of c depends on that row of a and on
 * b only.
 *
 * With TILE_EMULATED the same in plain C, bit for bit (Intel SDM vol. 2, TDPBF16PS): for
 * each element two chains of fused multiply-adds, one over the even and one over the odd
 * numbers of the pairs, rounded to nearest, subnormal numbers taken and left as zero;
 * then c + (even + odd). */
#ifndef AL_KERN_AMX_H
#define AL_KERN_AMX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "engine/kern/simd.h"

#define TILE_ROWS  16
#define TILE_BYTES 64 /* of a row */

#ifdef TILE_EMULATED
struct tile_file {
    uint32_t t[8][TILE_ROWS][16];
};

static _Thread_local struct tile_file tile_file;

static inline void tile_begin(void)
{
}

static inline void tile_end(void)
{
}

static inline void tile_zero(int t)
{
    memset(tile_file.t[t], 0, sizeof(tile_file.t[t]));
}

static inline void tile_load(int t, const void *p, ptrdiff_t stride)
{
    for (int i = 0; i < TILE_ROWS; i++)
        memcpy(tile_file.t[t][i], (const char *)p + i * stride, TILE_BYTES);
}

static inline void tile_store(int t, void *p)
{
    memcpy(p, tile_file.t[t], sizeof(tile_file.t[t]));
}

/* Subnormal numbers are zero. */
AL_INLINE vec tile_flush(vec v)
{
    const ivec bits = (ivec)v;

    return (vec)(bits & (((bits & 0x7f800000) != 0) | INT32_MIN));
}

/* sum + x * w, both the bfloat16 in the upper halves. */
AL_INLINE vec tile_chain(uint32_t x, ivec w, vec sum)
{
    const ivec value = (ivec){ 0 } + (int32_t)x;

    return tile_flush(
        v_fma(tile_flush((vec)(value & -65536)), tile_flush((vec)(w & -65536)), sum));
}

static inline void tile_step(int c, int a, int b)
{
    for (int m = 0; m < TILE_ROWS; m++) {
        vec even = v_zero(), odd = v_zero(), sum;

        for (int k = 0; k < TILE_ROWS; k++) {
            const uint32_t pair = tile_file.t[a][m][k];
            ivec w;

            memcpy(&w, tile_file.t[b][k], sizeof(w));
            even = tile_chain(pair << 16, w << 16, even);
            odd = tile_chain(pair, w, odd);
        }
        memcpy(&sum, tile_file.t[c][m], sizeof(sum));
        sum = tile_flush(tile_flush(sum) + tile_flush(even + odd));
        memcpy(tile_file.t[c][m], &sum, sizeof(sum));
    }
}

#define TILE_ZERO(t)            tile_zero(t)
#define TILE_LOAD(t, p, stride) tile_load(t, p, stride)
#define TILE_STORE(t, p)        tile_store(t, p)
#define TILE_STEP(c, a, b)      tile_step(c, a, b)
#else
/* What LDTILECFG reads: palette 1, all tiles whole. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

static const struct tile_config tile_config = {
    .palette = 1,
    .row_bytes = { TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES,
                   TILE_BYTES, TILE_BYTES },
    .rows = { TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS,
              TILE_ROWS },
};

static inline void tile_begin(void)
{
    _tile_loadconfig(&tile_config);
}

static inline void tile_end(void)
{
    _tile_release();
}

/* Compilers' intrinsics do not say that a load reads memory: each is told to be done with
 * what it has stored. */
#define TILE_ZERO(t) _tile_zero(t)
#define TILE_LOAD(t, p, stride)              \
    do {                                     \
        __asm__ volatile("" : : : "memory"); \
        _tile_loadd(t, p, stride);           \
    } while (0)
#define TILE_STORE(t, p)   _tile_stored(t, p, TILE_BYTES)
#define TILE_STEP(c, a, b) _tile_dpbf16ps(c, a, b)
#endif

#endif
