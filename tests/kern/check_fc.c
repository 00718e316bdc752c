#include "tests/kern/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_ROWS 29 /* more than share a pass */

struct layer {
    size_t n_in, n_out;
    struct guarded weights, bias, packed, x[N_ROWS], want[N_ROWS];
    struct al_post post;
};

static struct layer layer_new(const struct al_kern *k, size_t n_in, size_t n_out)
{
    struct layer l = { .n_in = n_in,
                       .n_out = n_out,
                       .weights = guarded_random(n_in * n_out),
                       .bias = guarded_random(n_out),
                       .packed = guarded_new(al_fc_packed_floats(n_in, n_out)),
                       .post = { n_out % 2 ? AL_CONV_ACT_RELU : AL_CONV_ACT_NONE, 0,
                                 0 } };

    k->fc_pack(n_in, n_out, l.weights.data, l.packed.data);
    for (size_t r = 0; r < N_ROWS; r++) {
        l.x[r] = guarded_random(n_in);
        l.want[r] = guarded_new(n_out);
        for (size_t o = 0; o < n_out; o++) {
            double sum = (double)l.bias.data[o];
            for (size_t i = 0; i < n_in; i++)
                sum += (double)l.weights.data[o * n_in + i] * (double)l.x[r].data[i];
            l.want[r].data[o] = reference_act((float)sum, l.post.act, 0, 0);
        }
    }
    return l;
}

static void layer_done(struct layer *l)
{
    guarded_free(&l->weights);
    guarded_free(&l->bias);
    guarded_free(&l->packed);
    for (size_t r = 0; r < N_ROWS; r++) {
        guarded_free(&l->x[r]);
        guarded_free(&l->want[r]);
    }
}

/* Rows first, first + 1, … (modulo N_ROWS), tile by tile from the last. */
static void run(const struct al_kern *k, const struct layer *l, size_t first,
                size_t n_rows, struct guarded *y)
{
    const float *x[N_ROWS];
    float *out[N_ROWS];
    struct al_fc f = { .n_in = l->n_in,
                       .n_out = l->n_out,
                       .weights = l->packed.data,
                       .bias = l->bias.data,
                       .n_rows = n_rows,
                       .x = x,
                       .y = out,
                       .post = l->post };

    for (size_t i = 0; i < n_rows; i++) {
        y[i] = guarded_new(l->n_out);
        x[i] = l->x[(first + i) % N_ROWS].data;
        out[i] = y[i].data;
    }
    for (size_t t = al_fc_tiles(l->n_out); t-- > 0;) {
        f.tile_begin = t;
        f.tile_end = t + 1;
        k->fc(&f);
    }
}

/* Packing the transposed matrix gives the same. */
static void check_packing(const struct al_kern *k, const struct layer *l)
{
    struct guarded columns = guarded_new(l->weights.n), packed = guarded_new(l->packed.n);

    for (size_t i = 0; i < l->n_in; i++)
        for (size_t o = 0; o < l->n_out; o++)
            columns.data[i * l->n_out + o] = l->weights.data[o * l->n_in + i];
    k->fc_pack_columns(l->n_in, l->n_out, columns.data, packed.data);
    check_same_bits("fc_pack_columns", packed.data, l->packed.data, packed.n);
    guarded_free(&columns);
    guarded_free(&packed);
}

static void check_layer(const struct al_kern *k, size_t n_in, size_t n_out)
{
    struct layer l = layer_new(k, n_in, n_out);
    struct guarded alone[N_ROWS], together[N_ROWS];

    check_packing(k, &l);
    for (size_t r = 0; r < N_ROWS; r++) {
        run(k, &l, r, 1, &alone[r]);
        check_near("fc", alone[r].data, l.want[r].data, n_out,
                   1e-6F * (2.0F + 0.05F * (float)n_in));
    }
    for (size_t n = 2; n <= N_ROWS; n += 3) {
        run(k, &l, n, n, together);
        for (size_t i = 0; i < n; i++) {
            check_same_bits("fc", together[i].data, alone[(n + i) % N_ROWS].data, n_out);
            guarded_free(&together[i]);
        }
    }
    for (size_t r = 0; r < N_ROWS; r++)
        guarded_free(&alone[r]);
    layer_done(&l);
}

static void every_number_of_outputs_is_right_for_any_rows(void **unused)
{
    const struct al_kern *tables[2];
    const size_t n = check_tables(tables);

    (void)unused;
    for (size_t i = 0; i < n; i++) {
        for (size_t n_out = 1; n_out <= 200; n_out += n_out < 70 ? 1 : 13)
            check_layer(tables[i], 37, n_out);
    }
}

static void every_number_of_inputs_is_right(void **unused)
{
    const struct al_kern *tables[2];
    const size_t n = check_tables(tables);

    (void)unused;
    for (size_t i = 0; i < n; i++) {
        for (size_t n_in = 1; n_in <= 600; n_in += n_in < 40 ? 1 : 108) {
            for (size_t n_out = 10; n_out <= 84; n_out += 37) /* dot products, or none */
                check_layer(tables[i], n_in, n_out);
        }
    }
}

int check_fc(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_of_outputs_is_right_for_any_rows),
        cmocka_unit_test(every_number_of_inputs_is_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
