/* kern.h — what the executor does with activations besides convolution: one table of
 * functions per instruction set and channel block.
 *
 * Unless said otherwise an activation is one row's channel-blocked buffer with its halo
 * (conv.h): float buf[blocks][top + h + bottom][left + w + right][block], aligned to 64
 * bytes, lanes past `c` and the halo zero. Every function that writes such a buffer
 * writes all of it, halo and tail lanes included, unless said otherwise. Buffers may be
 * the same only where said. Tables are constant, functions keep no state and do not
 * allocate: any number of threads may use them. Each output element is computed by the
 * same instructions in the same order whatever stands beside it. */
#ifndef AL_KERN_KERN_H
#define AL_KERN_KERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/kern/conv.h"

/* Shape of one row's blocked activation. */
struct al_map {
    int32_t c, h, w;
    struct al_halo halo;
};

/* What happens to each result before it is stored. Zeroed: nothing. */
struct al_post {
    enum al_conv_act act;
    float a, b;
};

/* Sliding window: output (i, j) reads input rows i*stride_h - pad_top + k*dilation_h,
 * columns likewise; what lies outside the picture is skipped, never read. Windows may
 * reach past the padding (ceil_mode): the output's size says how many there are.
 * pad_bottom and pad_right only matter to count_include_pad: positions inside the padded
 * picture count in the mean's divisor, positions beyond do not. Global pools use `in` and
 * `out` only (out is 1x1). */
struct al_pool {
    struct al_map in, out; /* the same c */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    int32_t pad_top, pad_left, pad_bottom, pad_right;
    bool count_include_pad;
};

/* Elementwise: one or two inputs and an output of the same c, h, w, each with its halo.
 */
struct al_eltwise {
    int32_t c, h, w;
    struct al_halo x_halo, z_halo, y_halo; /* z: the second input, if any */
    struct al_post post;
};

/* y = x / (bias + alpha / size * sum of x^2 over `size` channels around)^beta, of ONNX.
 * size / 2 <= 8, bias > 0. */
struct al_lrn {
    int32_t c, h, w;
    struct al_halo x_halo, y_halo;
    int32_t size;
    float alpha, beta, bias;
};

/* Channels [x_first, x_first + n) of x become channels [y_first, y_first + n) of y. For
 * concatenation and splitting: copies that cover [0, y.c) in ascending order write all
 * of y. A copy that writes a block's first lane also zeroes that block's halo; one that
 * writes channel y.c - 1 also zeroes the lanes after it. x and y have the same h, w. */
struct al_channels {
    struct al_map x, y;
    int32_t x_first, y_first, n;
};

/* Channels of maps of one height and width brought together in any order: channel c of y
 * is channel from[c].channel of map from[c].source. */
struct al_channel_from {
    uint32_t source;
    int32_t channel;
};
struct al_gather {
    struct al_map y;
    const struct al_map *x;             /* of each source */
    const struct al_channel_from *from; /* y.c of them */
};

/* y = (x - mean) / sqrt(variance + epsilon) * scale + bias of one vector of n. */
struct al_layer_norm {
    size_t n;
    float epsilon;
    const float *scale, *bias; /* n floats each */
};

/* Fully connected layer on plain vectors: y = act(W x + bias). Work is divided in tiles
 * of AL_FC_TILE outputs that may run on different threads. A row's bits do not depend on
 * n_rows. */
#define AL_FC_TILE 64
struct al_fc {
    size_t n_in, n_out;
    const float *weights; /* as packed by fc_pack */
    const float *bias;    /* n_out floats; never NULL */
    size_t n_rows;
    const float *const *x; /* n_rows pointers to n_in floats */
    float *const *y;       /* n_rows pointers to n_out floats */
    struct al_post post;
    size_t tile_begin, tile_end; /* of ceil(n_out / AL_FC_TILE) */
};

/* Attention of one head: y = softmax(factor * q k^T) v, row by row. A matrix's rows lie a
 * step of floats apart. A query's bits do not depend on the other queries. */
#define AL_ATTENTION_ROWS 24 /* queries that run together */
struct al_attention {
    size_t n_queries, n_keys;    /* at least 1, as are: */
    size_t n_features, n_values; /* floats of a query or key, and of a value */
    float factor;                /* more than 0, finite */
    const float *q, *k, *v;
    float *y;
    size_t q_step, k_step, v_step, y_step;
};

/* One row a function: name, parameters. */
#define AL_KERN_LIST(X)                                                                  \
    /* plain [c][h][w] to blocked, and back (interior only) */                           \
    X(pack, (const struct al_map *m, const float *x, float *y))                          \
    X(unpack, (const struct al_map *m, const float *x, float *y))                        \
    X(max_pool, (const struct al_pool *p, const float *x, float *y))                     \
    X(average_pool, (const struct al_pool *p, const float *x, float *y))                 \
    X(global_max_pool, (const struct al_pool *p, const float *x, float *y))              \
    X(global_average_pool, (const struct al_pool *p, const float *x, float *y))          \
    /* y = act(x + z), y = act(x * z), y = act(x); y may be x or z if halos are equal */ \
    X(add, (const struct al_eltwise *e, const float *x, const float *z, float *y))       \
    X(mul, (const struct al_eltwise *e, const float *x, const float *z, float *y))       \
    X(activate, (const struct al_eltwise *e, const float *x, float *y))                  \
    /* y = act(x * scale[c] + shift[c]); both padded with zeroes to whole blocks; shift  \
     * may be NULL; y may be x if halos are equal */                                     \
    X(affine, (const struct al_eltwise *e, const float *scale, const float *shift,       \
               const float *x, float *y))                                                \
    X(lrn, (const struct al_lrn *l, const float *x, float *y))                           \
    X(copy_channels, (const struct al_channels *k, const float *x, float *y))            \
    /* x: the sources; y is blocked, or plain [c][h][w] */                               \
    X(gather_channels, (const struct al_gather *g, const float *const *x, float *y))     \
    X(gather_planes, (const struct al_gather *g, const float *const *x, float *y))       \
    /* Plain vectors. y may be x. */                                                     \
    X(activate_vector, (struct al_post post, size_t n, const float *x, float *y))        \
    /* y = act(x + z), y = act(x * z), y = x * factor; y may be z, too */                \
    X(add_vector,                                                                        \
      (struct al_post post, size_t n, const float *x, const float *z, float *y))         \
    X(mul_vector,                                                                        \
      (struct al_post post, size_t n, const float *x, const float *z, float *y))         \
    X(scale_vector, (size_t n, float factor, const float *x, float *y))                  \
    X(layer_norm, (const struct al_layer_norm *l, const float *x, float *y))             \
    X(softmax, (size_t n, const float *x, float *y))                                     \
    /* y[i] = mean of x[i], x[i + n] ... of n_rows vectors of n; y is not x */           \
    X(mean_rows, (size_t n_rows, size_t n, const float *x, float *y))                    \
    /* Row-major [n_out][n_in] to the layout `fc` reads; packed is 64-byte aligned. */   \
    X(fc_pack, (size_t n_in, size_t n_out, const float *weights, float *packed))         \
    /* The same from row-major [n_in][n_out]. */                                         \
    X(fc_pack_columns, (size_t n_in, size_t n_out, const float *weights, float *packed)) \
    X(fc, (const struct al_fc *f))                                                       \
    /* scratch: al_attention_floats(), aligned to 64 bytes */                            \
    X(attend, (const struct al_attention *a, float *scratch))

struct al_kern {
    const char *name;   /* "avx512" */
    unsigned cpu_flags; /* enum al_cpu_flags it needs */
    int32_t block;      /* channels in a block: 8 or 16 */
#define X(fn, params) void(*fn) params;
    AL_KERN_LIST(X)
#undef X
};

/* The best table for a CPU and a block of 8 or 16; never NULL for those. */
const struct al_kern *al_kern_get(unsigned cpu_flags, int32_t block);

/* Floats of one row's buffer. */
size_t al_map_floats(const struct al_map *m, int32_t block);
/* Outputs of a fully connected layer's last tile that are computed as dot products: all
 * of that tile's, or none. */
size_t al_fc_dots(size_t n_in, size_t n_out);
/* Floats of packed weights of a fully connected layer; the same for every table. */
size_t al_fc_packed_floats(size_t n_in, size_t n_out);
size_t al_fc_tiles(size_t n_out);
/* n_out rounded up to lanes of the packed layout. */
size_t al_fc_whole_lanes(size_t n_out);
size_t al_attention_floats(const struct al_attention *a);

#endif
