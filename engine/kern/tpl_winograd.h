/* tpl_winograd.h — 3x3 and 5x5 stride 1 convolutions by Winograd's minimal filtering
 * F(m x m, k x k) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
 * 2015) for (m, k) = (2, 3), (4, 3) and (2, 5): every patch of a x a input pixels (a = m
 * + k - 1) is transformed, multiplied channel by channel with the transformed weights,
 * which is a*a small matrix products over the channels, and transformed back to m x m
 * outputs.
 *
 * Patches are numbered through all rows of a batch; a tile of work is a chunk of patches
 * times a chunk of output blocks. A patch's result does not depend on its chunk: the
 * products are register tiles (tpl_tile.h) with patches for pixels. Scratch: v, the
 * transformed input [a*a][channel block][patch][lane], then the products
 * [a*a][output block][patch][lane]. Packed weights: [a*a][group][channel][output lane].
 * With AL_BF16 (tpl_step.h) v and the weights are rounded, a pair of channels in the
 * place of a channel. */
#ifndef AL_KERN_TPL_WINOGRAD_H
#define AL_KERN_TPL_WINOGRAD_H

#include "engine/kern/tpl_direct.h"
#include "engine/kern/tpl_winograd_patch.h"

/* The scratch of a chunk is to stay in the second level cache. */
#define WINOGRAD_SCRATCH_FLOATS (160 * 1024)
#define WINOGRAD_MAX_PATCHES    84
/* Keeps the a*a planes of the scratch out of each other's cache sets. */
#define WINOGRAD_PLANE_PAD      48
/* Of the largest kernel. */
#define MAX_TAPS                25

struct winograd {
    const struct al_conv_shape *s;
    struct al_conv_shape product; /* as a 1x1 convolution */
    int32_t m, a;
    int32_t rows, columns;         /* of patches in a picture */
    int32_t kb, n_groups;          /* of output blocks */
    int32_t n_patches, n_k_chunks; /* of a chunk; chunks of groups */
    int32_t k_groups;              /* groups of a chunk */
    size_t plane_floats;           /* packed weights of one of the a*a products */
};

static int32_t ceil_div(int32_t a, int32_t b)
{
    return (a + b - 1) / b;
}

static struct winograd winograd_of(const struct al_conv_shape *s, int32_t m)
{
    struct winograd w = { .s = s, .m = m, .a = m + s->kernel_h - 1 };
    int32_t channels, patches;

    w.product = (struct al_conv_shape){ .in_c = n_steps(s->in_c),
                                        .out_c = s->out_c,
                                        .kernel_h = 1,
                                        .kernel_w = 1,
                                        .groups = 1 };
    w.rows = ceil_div(s->out_h, m);
    w.columns = ceil_div(s->out_w, m);
    w.kb = PX_2 ? 2 : 1;
    w.n_groups = al_conv_n_groups(&w.product, AL_BLOCK, w.kb);
    w.plane_floats = al_conv_group_floats(&w.product, AL_BLOCK, w.kb);
    w.n_k_chunks = w.plane_floats >= 128 * 128 ? 2 : 1;
    w.n_k_chunks = w.plane_floats >= 256 * 256 ? 4 : w.n_k_chunks;
    w.k_groups = ceil_div(w.n_groups, w.n_k_chunks);
    w.n_k_chunks = ceil_div(w.n_groups, w.k_groups);
    channels = (n_blocks(s->in_c) + w.k_groups * w.kb) * AL_BLOCK;
    patches = WINOGRAD_SCRATCH_FLOATS / (w.a * w.a * channels);
    patches = patches < WINOGRAD_MAX_PATCHES ? patches : WINOGRAD_MAX_PATCHES;
    w.n_patches = patches / 14 > 0 ? patches / 14 * 14 : 14; /* whole register tiles */
    return w;
}

static size_t winograd_n_chunks(const struct winograd *w, size_t n_rows)
{
    const size_t n = n_rows * (size_t)(w->rows * w->columns);

    return (n + (size_t)w->n_patches - 1) / (size_t)w->n_patches;
}

/* One chunk at work. */
struct winograd_chunk {
    const struct winograd *w;
    const struct al_conv_run *r;
    size_t first;               /* patch, counted through all rows */
    int32_t n;                  /* patches */
    struct al_conv_group begin; /* the first group of output blocks */
    int32_t group_end;          /* index */
    int32_t n_blocks;           /* output blocks of the chunk */
    float *v, *products;
    ptrdiff_t v_plane, product_plane; /* floats of one of the a*a planes */
};

struct patch {
    size_t row;        /* of the batch */
    int32_t top, left; /* of its outputs */
};

static struct patch patch_of(const struct winograd_chunk *c, int32_t i)
{
    const size_t per_row = (size_t)(c->w->rows * c->w->columns);
    const size_t at = c->first + (size_t)i;
    const int32_t in_row = (int32_t)(at % per_row);

    return (struct patch){ .row = at / per_row,
                           .top = in_row / c->w->columns * c->w->m,
                           .left = in_row % c->w->columns * c->w->m };
}

/* A patch that reaches past the buffer is completed with zeroes in `edge`. */
static const float *edge_patch(const struct al_conv_shape *s, int32_t a, const float *x,
                               int32_t top, int32_t left, float *edge)
{
    const int32_t height = s->in_halo.top + s->in_h + s->in_halo.bottom;
    const int32_t width = s->in_halo.left + s->in_w + s->in_halo.right;

    for (int32_t i = 0; i < a; i++) {
        for (int32_t j = 0; j < a; j++, edge += AL_BLOCK) {
            const bool inside = top + i < height && left + j < width;
            const ptrdiff_t at = ((ptrdiff_t)(top + i) * width + left + j) * AL_BLOCK;
            v_store(edge, inside ? v_load(x + at) : v_zero());
        }
    }
    return edge - (ptrdiff_t)a * a * AL_BLOCK;
}

static void transform_input(const struct winograd_chunk *c)
{
    const struct al_conv_shape *s = c->w->s;
    const struct plane p = plane_of(s->in_h, s->in_w, s->in_halo);
    const int32_t height = s->in_halo.top + s->in_h + s->in_halo.bottom, a = c->w->a;
    const int32_t width = s->in_halo.left + s->in_w + s->in_halo.right;
    float edge[6 * 6 * AL_BLOCK];

    for (int32_t i = 0; i < c->n; i++) {
        const struct patch at = patch_of(c, i);
        const int32_t top = at.top + s->in_halo.top - s->pad_top;
        const int32_t left = at.left + s->in_halo.left - s->pad_left;
        const bool inside = top + a <= height && left + a <= width;
        for (int32_t b = 0; b < n_blocks(s->in_c); b++) {
            const float *x = c->r->x[at.row] + b * p.block;
            float *v = c->v + ((ptrdiff_t)b * c->n + i) * STEP_LANES;
            const float *from = inside ? x + top * p.row + (ptrdiff_t)left * AL_BLOCK
                                       : edge_patch(s, a, x, top, left, edge);
            const ptrdiff_t row = inside ? p.row : (ptrdiff_t)a * AL_BLOCK;
            (a == 6 ? input_patch_6 : input_patch_4)(from, row, v, c->v_plane);
        }
    }
}

static void multiply(const struct winograd_chunk *c)
{
    static const float no_bias[4 * AL_BLOCK];
    const struct winograd *w = c->w;
    const ptrdiff_t block = (ptrdiff_t)c->n * AL_BLOCK;
    struct tile t = { .bias = no_bias,
                      .n_steps = w->product.in_c,
                      .kernel_h = 1,
                      .kernel_w = 1,
                      .x_channel = block / STEP_CHANNELS,
                      .x_pixel = STEP_LANES,
                      .y_block = block,
                      .clamp = { -INFINITY, INFINITY } };

    for (int32_t i = 0; i < w->a * w->a; i++) {
        struct al_conv_group g = c->begin;
        for (; g.index < c->group_end;
             al_conv_group_next(&w->product, AL_BLOCK, w->kb, &g)) {
            t.x = c->v + i * c->v_plane;
            t.w = c->r->weights + (size_t)i * w->plane_floats + g.weights;
            t.y = c->products + i * c->product_plane + (g.block - c->begin.block) * block;
            run_line(tiles_dense[g.n_blocks], dense_px[g.n_blocks], t, c->n);
        }
    }
}

/* Bias, addition and activation of the patch's outputs that lie in the picture. */
static void store_patch(const struct winograd_chunk *c, struct patch at, int32_t block,
                        const float *from)
{
    const struct al_conv_shape *s = c->w->s;
    const struct al_post post = { c->r->act, c->r->act_a, c->r->act_b };
    const struct plane py = plane_of(s->out_h, s->out_w, s->out_halo);
    const struct plane pa = plane_of(s->out_h, s->out_w, s->add_halo);
    const vec bias = v_load(c->r->bias + (ptrdiff_t)block * AL_BLOCK);
    const ivec lanes = block_lanes(s->out_c, block);
    const int32_t m = c->w->m;

    for (int32_t i = 0; i < m && at.top + i < s->out_h; i++) {
        const ptrdiff_t x = (ptrdiff_t)at.left * AL_BLOCK;
        float *y =
            c->r->y[at.row] + block * py.block + py.origin + (at.top + i) * py.row + x;
        const float *add = c->r->add ? c->r->add[at.row] + block * pa.block + pa.origin +
                                           (at.top + i) * pa.row + x
                                     : NULL;
        for (int32_t j = 0; j < m && at.left + j < s->out_w; j++) {
            vec v = v_load(from + (ptrdiff_t)(i * m + j) * AL_BLOCK) + bias;
            if (add)
                v = v + v_load(add + (ptrdiff_t)j * AL_BLOCK);
            v_store(y + (ptrdiff_t)j * AL_BLOCK, v_keep(lanes, v_act(v, &post)));
        }
    }
}

/* The first patch of a picture also zeroes its halo. */
static void transform_output(const struct winograd_chunk *c)
{
    const struct al_conv_shape *s = c->w->s;
    const struct al_map out = { s->out_c, s->out_h, s->out_w, s->out_halo };
    float results[4 * 4 * AL_BLOCK];

    for (int32_t b = 0; b < c->n_blocks; b++) {
        const int32_t block = c->begin.block + b;
        for (int32_t i = 0; i < c->n; i++) {
            const struct patch at = patch_of(c, i);
            const float *from = c->products + ((ptrdiff_t)b * c->n + i) * AL_BLOCK;
            if (c->w->a == 6)
                output_patch_6(c->w->m, from, c->product_plane, results);
            else
                output_patch_4(from, c->product_plane, results);
            store_patch(c, at, block, results);
            if (at.top == 0 && at.left == 0)
                zero_halo(c->r->y[at.row] + block * map_plane(&out).block, &out);
        }
    }
}

static void winograd_chunk(const struct winograd *w, const struct al_conv_run *r,
                           size_t chunk, int32_t k_chunk)
{
    const size_t total = r->n_rows * (size_t)(w->rows * w->columns);
    struct winograd_chunk c = { .w = w, .r = r };
    struct al_conv_group g = al_conv_group_first(&w->product, AL_BLOCK, w->kb);

    c.first = chunk * (size_t)w->n_patches;
    c.n = (int32_t)(total - c.first < (size_t)w->n_patches ? total - c.first
                                                           : (size_t)w->n_patches);
    while (g.index < k_chunk * w->k_groups)
        al_conv_group_next(&w->product, AL_BLOCK, w->kb, &g);
    c.begin = g;
    c.group_end =
        g.index + w->k_groups < w->n_groups ? g.index + w->k_groups : w->n_groups;
    while (g.index < c.group_end)
        al_conv_group_next(&w->product, AL_BLOCK, w->kb, &g);
    c.n_blocks = g.block - c.begin.block;
    c.v_plane = (ptrdiff_t)n_blocks(w->s->in_c) * c.n * STEP_LANES + WINOGRAD_PLANE_PAD;
    c.product_plane = (ptrdiff_t)c.n_blocks * c.n * AL_BLOCK + WINOGRAD_PLANE_PAD;
    c.v = r->scratch;
    c.products = c.v + w->a * w->a * c.v_plane;
    transform_input(&c);
    multiply(&c);
    transform_output(&c);
}

static void winograd_run(const struct al_conv_run *r, int32_t m)
{
    const struct winograd w = winograd_of(r->shape, m);
    const size_t n_chunks = winograd_n_chunks(&w, r->n_rows);
    const size_t end = tile_end_of(r, n_chunks * (size_t)w.n_k_chunks);

    for (size_t i = r->tile_begin; i < end; i++)
        winograd_chunk(&w, r, i % n_chunks, (int32_t)(i / n_chunks));
}

static size_t winograd_scratch(const struct al_conv_shape *s, int32_t m)
{
    const struct winograd w = winograd_of(s, m);
    const size_t blocks = (size_t)(n_blocks(s->in_c) + w.k_groups * w.kb);

    return (size_t)(w.a * w.a) *
           (blocks * (size_t)w.n_patches * AL_BLOCK + 2 * WINOGRAD_PLANE_PAD) *
           sizeof(float);
}

/* Row i of G is factor[i] * (1, p, p^2 ...) for the point p[i]; the last, for the point
 * at infinity, is (0 ... 0, 1). */
static double weight_factor(int32_t a, int32_t k, int32_t i, int32_t tap)
{
    static const double points_4[] = { 0, 1, -1 };
    static const double factors_4[] = { 1, 0.5, 0.5 };
    static const double p = (double)POINT_P, q = (double)POINT_Q;
    const double points_6[] = { 0, p, -p, q, -q };
    const double of_p = 0.5 / (p * p * (p * p - q * q));
    const double of_q = 0.5 / (q * q * (q * q - p * p));
    const double factors_6[] = { 1 / (p * p * q * q), of_p, of_p, of_q, of_q };

    if (i == a - 1)
        return tap == k - 1 ? 1.0 : 0.0;
    return a == 4 ? factors_4[i] * pow(points_4[i], tap)
                  : factors_6[i] * pow(points_6[i], tap);
}

/* Doubles of as many output channels as a block has. */
typedef double wvec __attribute__((vector_size(8 * AL_BLOCK)));

/* u = G g G^T of the k x k kernels in the lanes of g; `t` is G. */
AL_INLINE void weight_transform(const int a, const int k, double (*t)[5], const wvec *g,
                                wvec *u)
{
    wvec half[5];

    for (int i = 0; i < a; i++, u += a) {
        for (int j = 0; j < k; j++) {
            half[j] = t[i][0] * g[j];
            for (int r = 1; r < k; r++)
                half[j] += t[i][r] * g[r * k + j];
        }
        for (int j = 0; j < a; j++) {
            u[j] = half[0] * t[j][0];
            for (int r = 1; r < k; r++)
                u[j] += half[r] * t[j][r];
        }
    }
}

/* The kernels of output channels [k, k + AL_BLOCK) for input channel c; zero past the
 * last of either. */
static void read_kernels(const struct al_conv_shape *s, const float *weights, int32_t k,
                         int32_t c, wvec *g)
{
    const int32_t taps = s->kernel_h * s->kernel_w;
    const int32_t n = c < s->in_c ? s->out_c - k : 0;

    for (int32_t i = 0; i < taps; i++)
        g[i] = (wvec){ 0 };
    for (int32_t lane = 0; lane < AL_BLOCK && lane < n; lane++) {
        const float *from = weights + ((ptrdiff_t)(k + lane) * s->in_c + c) * taps;
        for (int32_t i = 0; i < taps; i++)
            g[i][lane] = (double)from[i];
    }
}

/* Transforms the weights of one block of outputs and one step of inputs: one vector for
 * each of the a*a products, `plane` floats apart. */
AL_INLINE void pack_kernels(const int a, const int k, double (*t)[5], wvec (*g)[MAX_TAPS],
                            size_t plane, float *packed)
{
    wvec u[2][36];

    for (int c = 0; c < STEP_CHANNELS; c++)
        weight_transform(a, k, t, g[c], u[c]);
    for (int p = 0; p < a * a; p++, packed += plane)
        for (int lane = 0; lane < AL_BLOCK; lane++)
            packed[lane] =
                step_weight((float)u[0][p][lane], (float)u[STEP_CHANNELS - 1][p][lane]);
}

AL_INLINE void winograd_pack(const struct al_conv_shape *s, const int m, const int k,
                             const float *weights, float *packed)
{
    const struct winograd w = winograd_of(s, m);
    struct al_conv_group g = al_conv_group_first(&w.product, AL_BLOCK, w.kb);
    double t[6][5];

    for (int32_t i = 0; i < w.a * k; i++)
        t[i / k][i % k] = weight_factor(w.a, k, i / k, i % k);
    for (; g.n_blocks; al_conv_group_next(&w.product, AL_BLOCK, w.kb, &g)) {
        float *to = packed + g.weights;
        for (int32_t i = 0; i < w.product.in_c * g.n_blocks; i++, to += AL_BLOCK) {
            wvec kernels[STEP_CHANNELS][MAX_TAPS];
            for (int32_t c = 0; c < STEP_CHANNELS; c++)
                read_kernels(s, weights, (g.block + i % g.n_blocks) * AL_BLOCK,
                             i / g.n_blocks * STEP_CHANNELS + c, kernels[c]);
            pack_kernels(m + k - 1, k, t, kernels, w.plane_floats, to);
        }
    }
}

/* Below that there is nothing to gain. */
static bool winograd_fits(const struct al_conv_shape *s, int32_t k)
{
    return s->kernel_h == k && s->kernel_w == k && s->stride_h == 1 && s->stride_w == 1 &&
           s->dilation_h == 1 && s->dilation_w == 1 && s->groups == 1 && s->in_c >= 8 &&
           s->out_c >= 8 && s->out_h >= 3 && s->out_w >= 3 && direct_fits(s);
}

/* The functions of struct al_conv_algo for F(m x m, k x k). */
#define WINOGRAD_FAMILY(family, m, k)                                                  \
    static bool family##_fits(const struct al_conv_shape *s)                           \
    {                                                                                  \
        return winograd_fits(s, k);                                                    \
    }                                                                                  \
    static size_t family##_packed_floats(const struct al_conv_shape *s)                \
    {                                                                                  \
        return winograd_of(s, m).plane_floats * (m + k - 1) * (m + k - 1);             \
    }                                                                                  \
    static void family##_pack(const struct al_conv_shape *s, const float *weights,     \
                              float *packed)                                           \
    {                                                                                  \
        winograd_pack(s, m, k, weights, packed);                                       \
    }                                                                                  \
    static size_t family##_scratch_bytes(const struct al_conv_shape *s, size_t n_rows) \
    {                                                                                  \
        (void)n_rows;                                                                  \
        return winograd_scratch(s, m);                                                 \
    }                                                                                  \
    static size_t family##_tiles(const struct al_conv_shape *s, size_t n_rows)         \
    {                                                                                  \
        const struct winograd w = winograd_of(s, m);                                   \
        return winograd_n_chunks(&w, n_rows) * (size_t)w.n_k_chunks;                   \
    }                                                                                  \
    static void family##_run(const struct al_conv_run *r)                              \
    {                                                                                  \
        winograd_run(r, m);                                                            \
    }

WINOGRAD_FAMILY(winograd2, 2, 3)
WINOGRAD_FAMILY(winograd4, 4, 3)
WINOGRAD_FAMILY(winograd2k5, 2, 5)

#endif
