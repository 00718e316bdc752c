/* check.h — what the kernel tests share: which level is under test, random data, guarded
 * buffers, and the slow reference on plain [C][H][W] data. */
#ifndef TESTS_KERN_CHECK_H
#define TESTS_KERN_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/kern/conv.h"
#include "engine/kern/fc.h"
#include "engine/kern/kern.h"

/* Flags of the level under test ("scalar", "avx2", ...), set by main; and whether it is
 * the emulation of AMX instead of that level. */
extern unsigned check_level;
extern bool check_is_emulated;

/* Uniform in [-1, 1), the same sequence in every run. */
float check_random(void);
int32_t check_random_int(int32_t least, int32_t most);

/* A buffer of `n` floats, aligned to 64, between guard bands. */
struct guarded {
    float *data;
    size_t n;
    void *memory;
};
struct guarded guarded_new(size_t n);
struct guarded guarded_random(size_t n);
/* Fails when something wrote outside the buffer, then frees it. */
void guarded_free(struct guarded *g);

/* Blocked buffer of a plain picture and back, by the portable reference of the test
 * itself; `unblock` also fails when halo or tail lanes are not zero. */
struct guarded block_picture(const struct al_map *m, int32_t block, const float *plain);
struct guarded unblock_picture(const struct al_map *m, int32_t block,
                               const float *blocked);

/* Fails unless |a - b| <= tolerance * (1 + |b|) everywhere, naming what and where. */
void check_near(const char *what, const float *a, const float *b, size_t n,
                float tolerance);
void check_same_bits(const char *what, const float *a, const float *b, size_t n);
/* An activation as written in the definitions, in double. */
float reference_act(float x, enum al_conv_act act, float a, float b);

/* The kernel tables and algorithms of the level under test. */
size_t check_tables(const struct al_kern *ret[2]);
/* The next convolution under test; `*at` starts at 0. NULL after the last. */
const struct al_conv_algo *check_algo_next(size_t *at);
/* Whether AMX is under test, its instructions or their emulation. */
bool check_is_amx(void);
/* The emulation of an algorithm of AMX; NULL for any other. */
const struct al_conv_algo *check_twin(const struct al_conv_algo *a);
/* amx_emulated.c; none where this build has no AVX-512. */
const struct al_conv_algo *const *check_emulated(size_t *ret_n);
const struct al_fc_algo *check_emulated_fc(enum al_conv_precision precision);

/* Test groups: each returns the number of failures. */
int check_conv(void);
int check_map(void);
int check_pool(void);
int check_fc(void);
int check_attention(void);
int check_bf16(void);
int check_amx(void);

/* bench.c: prints time and speed of the layers whose name contains `filter`. */
int bench(const char *filter);
/* bench_fc.c: JSON of fully connected layers ("1024x256" contains `filter`) beside
 * OpenBLAS; 77 without it. */
int bench_fc(const char *filter);

#endif
