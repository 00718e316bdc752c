/* conv.h — 2-D convolution algorithms behind one table.
 *
 * Activations lie channel-blocked with the halo in the buffer: NCHW`c`, that is for one
 * row float buf[blocks][pad_t + H + pad_b][pad_l + W + pad_r][c] with blocks = ceil(C /
 * c) and c = al_kern.block (16 with AVX-512, 8 otherwise). Pointers are to the buffer's
 * first element, halo included, aligned to 64 bytes. Lanes past C and the halo hold zero;
 * whoever writes a buffer keeps it so. A planar input (first layers) is the plain
 * [C][H][W] of ONNX without halo.
 *
 * Rows are independent: run() gets one pointer per row and computes each row's result by
 * the same instructions in the same order whatever n_rows is, so a row's bits never
 * depend on its company. Work is divided in `tiles` that may run on different threads in
 * any order; a tile writes only its own part of the output. Nothing here allocates. */
#ifndef AL_KERN_CONV_H
#define AL_KERN_CONV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows and columns of zeroes around the picture inside its buffer. */
struct al_halo {
    int32_t top, left, bottom, right;
};

struct al_conv_shape {
    int32_t in_c, in_h, in_w;
    int32_t out_c, out_h, out_w;
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_top, pad_left; /* the other two follow from the sizes */
    int32_t groups;
    bool planar_input; /* input is [C][H][W] */
    bool max_pool;     /* what is written is the largest of each 2x2 results, halved in
                        * height and width: see al_conv_pools() */
    struct al_halo
        in_halo; /* of the input buffer; >= the padding the algorithm asks for */
    struct al_halo out_halo; /* of the output buffer; `add` has its own */
    struct al_halo add_halo;
};

/* Same meaning as enum al_act in graph.h; the executor maps one to the other. */
enum al_conv_act {
    AL_CONV_ACT_NONE,
    AL_CONV_ACT_RELU,
    AL_CONV_ACT_CLIP,
    AL_CONV_ACT_LEAKY_RELU,
    AL_CONV_ACT_HARD_SWISH,
    AL_CONV_ACT_SIGMOID,
    AL_CONV_ACT_TANH,
    AL_CONV_ACT_GELU,      /* by erf */
    AL_CONV_ACT_GELU_TANH, /* its approximation */
};

struct al_conv_run {
    const struct al_conv_shape *shape;
    const float *weights; /* as packed by this algorithm */
    const float *bias;    /* blocks(out_c) * c floats, zero-padded; never NULL */
    size_t n_rows;
    const float *const *x; /* n_rows input buffers */
    /* n_rows buffers added before the activation, or NULL; a row's may be its `y` when
     * their halos are equal */
    const float *const *add;
    float *const *y; /* n_rows output buffers; their halo is written as zero */
    enum al_conv_act act;
    float act_a, act_b;
    void *scratch;               /* scratch_bytes() of it, one per thread */
    size_t tile_begin, tile_end; /* tiles past the last are none: SIZE_MAX = all */
};

enum al_conv_precision {
    AL_CONV_EXACT, /* plain fp32 rounding: strict, default, bf16 */
    AL_CONV_FAST,  /* <= 1e-5 relative: default, bf16 (Winograd F4, split-bf16 x3) */
    AL_CONV_BF16,  /* bf16 only */
};

struct al_conv_algo {
    const char *name;   /* "direct-avx512" */
    unsigned cpu_flags; /* enum al_cpu_flags it needs; 0 = portable */
    int32_t block;      /* channel block it works with */
    enum al_conv_precision precision;
    bool (*fits)(const struct al_conv_shape *s);
    /* Floats of the packed weights, and packing from ONNX's [out_c][in_c/groups][kh][kw].
     */
    size_t (*packed_floats)(const struct al_conv_shape *s);
    void (*pack)(const struct al_conv_shape *s, const float *weights, float *packed);
    size_t (*scratch_bytes)(const struct al_conv_shape *s,
                            size_t n_rows); /* may be NULL: 0 */
    size_t (*n_tiles)(const struct al_conv_shape *s, size_t n_rows);
    void (*run)(const struct al_conv_run *r);
};

/* All algorithms of this build, portable ones first, then by ascending instruction set;
 * at least one portable algorithm fits every shape with block 8 and with block 16. */
const struct al_conv_algo *const *al_conv_algos(size_t *ret_n);

/* Whether there are algorithms for `s` with max_pool, a portable one among them. They
 * take even out_h and out_w, no `add`, and of activations those up to AL_CONV_ACT_CLIP.
 */
bool al_conv_pools(const struct al_conv_shape *s, int32_t block);

#endif
