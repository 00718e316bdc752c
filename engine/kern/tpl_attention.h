/* tpl_attention.h — softmax(factor * q k^T) v of one head. Keys and values are packed as
 * the tiles of a fully connected layer; then FC_ROWS queries at a time pass product,
 * exponentials and product, so that their scores never leave the nearest cache. What is
 * normalised are the results, which are fewer than the scores.
 *
 * Scores in lanes behind the last key are -infinity by their bias: they change neither
 * the largest nor the sum. */
#ifndef AL_KERN_TPL_ATTENTION_H
#define AL_KERN_TPL_ATTENTION_H

#include "engine/kern/tpl_fc.h"
#include "engine/kern/tpl_vector.h"

/* A head while it runs: its parts of the scratch. */
struct head {
    const struct al_attention *a;
    size_t key_lanes;
    float *keys, *values, *bias, *scores, *room;
};

static struct head head_of(const struct al_attention *a, float *scratch)
{
    struct head h = { .a = a, .key_lanes = al_fc_whole_lanes(a->n_keys) };

    h.keys = scratch;
    h.values = h.keys + a->n_features * h.key_lanes;
    h.bias = h.values + a->n_keys * al_fc_whole_lanes(a->n_values);
    h.scores = h.bias + h.key_lanes + AL_FC_TILE;
    h.room = h.scores + AL_ATTENTION_ROWS * h.key_lanes;
    return h;
}

static void pack_head(const struct head *h)
{
    const struct al_attention *a = h->a;
    const struct fc_matrix keys = { a->k, a->n_features, a->n_keys, a->k_step, 1 };
    const struct fc_matrix values = { a->v, a->n_keys, a->n_values, 1, a->v_step };

    pack_tiles(&keys, a->n_keys, h->keys);
    pack_tiles(&values, a->n_values, h->values);
    for (size_t i = 0; i < h->key_lanes + AL_FC_TILE; i++)
        h->bias[i] = i < a->n_keys || i >= h->key_lanes ? 0.0F : -INFINITY;
}

/* Scores of `n` queries from `first` on, in rows of key_lanes. */
static void score(const struct head *h, size_t first, size_t n)
{
    const struct al_attention *a = h->a;
    const float *x[AL_ATTENTION_ROWS];
    float *y[AL_ATTENTION_ROWS];

    for (size_t r = 0; r < n; r++)
        x[r] = a->q + (first + r) * a->q_step;
    for (size_t k = 0; k < a->n_keys; k += AL_FC_TILE) {
        for (size_t r = 0; r < n; r++)
            y[r] = h->scores + r * h->key_lanes + k;
        fc_product(a->n_features, fc_lanes(a->n_keys, k / AL_FC_TILE),
                   h->keys + k * a->n_features, h->bias + k, n, x, y);
    }
}

/* The results of `n` queries from `first` on, of the sums of whose weights `scale` has
 * the inverse. */
static void mix(const struct head *h, size_t first, size_t n, const float *scale)
{
    const struct al_attention *a = h->a;
    const float *x[AL_ATTENTION_ROWS];
    float *y[AL_ATTENTION_ROWS];

    for (size_t r = 0; r < n; r++) {
        x[r] = h->scores + r * h->key_lanes;
        y[r] = h->room + r * AL_FC_TILE;
    }
    for (size_t k = 0; k < a->n_values; k += AL_FC_TILE) {
        const size_t left = a->n_values - k < AL_FC_TILE ? a->n_values - k : AL_FC_TILE;

        fc_product(a->n_keys, fc_lanes(a->n_values, k / AL_FC_TILE),
                   h->values + k * a->n_keys, h->bias + h->key_lanes, n, x, y);
        for (size_t r = 0; r < n; r++)
            scale_vector(left, scale[r], y[r], a->y + (first + r) * a->y_step + k);
    }
}

static void attend(const struct al_attention *a, float *scratch)
{
    const struct head h = head_of(a, scratch);
    float scale[AL_ATTENTION_ROWS];

    pack_head(&h);
    for (size_t i = 0; i < a->n_queries; i += AL_ATTENTION_ROWS) {
        const size_t left = a->n_queries - i;
        const size_t n = left < AL_ATTENTION_ROWS ? left : AL_ATTENTION_ROWS;

        score(&h, i, n);
        for (size_t r = 0; r < n; r++) {
            float *row = h.scores + r * h.key_lanes;
            scale[r] = (float)(1.0 / exponentials(h.key_lanes, a->factor, row, row));
        }
        mix(&h, i, n, scale);
    }
}

#endif
