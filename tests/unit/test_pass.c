#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/exec/eval.h"
#include "engine/pass/pass.h"
#include "tests/unit/net.h"

#define MAX_OUT 4096

/* What outputs 0 and 1 are before the passes; they have to be so afterwards. */
struct truth {
    size_t n[2];
    float y[2][MAX_OUT];
};

static size_t n_outputs(const struct al_graph *g)
{
    size_t n;

    (void)al_graph_outputs(g, &n);
    return n;
}

static void infer(struct al_graph *g, struct truth *t)
{
    struct al_error err = { 0 };

    if (al_pass_fold(g, al_eval_node, &err) != AL_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n_outputs(g); i++)
        t->n[i] = net_run(g, i, t->y[i], MAX_OUT);
}

static void assert_same(struct al_graph *g, const struct truth *t)
{
    static float y[MAX_OUT];

    for (size_t i = 0; i < n_outputs(g); i++) {
        assert_int_equal(net_run(g, i, y, MAX_OUT), t->n[i]);
        for (size_t k = 0; k < t->n[i]; k++)
            if (!(fabsf(y[k] - t->y[i][k]) <= 1e-5F * (1 + fabsf(t->y[i][k]))))
                fail_msg("output %zu element %zu: %g, not %g", i, k, (double)y[k],
                         (double)t->y[i][k]);
    }
}

static const struct al_node *output_node(const struct al_graph *g, size_t i)
{
    size_t n;

    return al_graph_node(g, al_graph_value(g, al_graph_outputs(g, &n)[i])->producer);
}

/* ---- fold ---- */

static void what_depends_on_shapes_only_folds_away(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 3, 4, 4));
    uint32_t shape = net_node(g, AL_OP_SHAPE, "shape", INPUTS(x), NO_ATTRS);
    uint32_t first = net_ints(g, SCALAR, (int64_t[]){ 0 });
    uint32_t n = net_node(g, AL_OP_GATHER, "n", INPUTS(shape, first), NO_ATTRS);
    uint32_t axis = net_ints(g, SHAPE(1), (int64_t[]){ 0 });
    uint32_t rows = net_node(g, AL_OP_UNSQUEEZE, "rows", INPUTS(n, axis), NO_ATTRS);
    uint32_t rest = net_ints(g, SHAPE(1), (int64_t[]){ -1 });
    uint32_t both =
        net_node(g, AL_OP_CONCAT, "both", INPUTS(rows, rest), ATTRS(INT("axis", 0)));
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_RESHAPE, "y", INPUTS(x, both), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(net_n_nodes(g), 1);
    assert_true(
        al_shape_equal(&al_graph_value(g, al_graph_find(g, "y"))->shape, SHAPE(1, 48)));
    al_graph_free(g);
}

static void constants_that_take_too_long_are_refused(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 4));
    uint32_t size = net_ints(g, SHAPE(2), (int64_t[]){ 1700, 1700 });
    uint32_t k = net_node(g, AL_OP_CONSTANT_OF_SHAPE, "k", INPUTS(size), NO_ATTRS);
    uint32_t m = net_node(g, AL_OP_MATMUL, "m", INPUTS(k, k), NO_ATTRS);
    struct al_error err;

    (void)state;
    (void)m;
    net_output(g, net_node(g, AL_OP_RELU, "y", INPUTS(x), NO_ATTRS));
    assert_int_equal(al_pass_fold(g, al_eval_node, &err), AL_TOO_LARGE);
    assert_non_null(strstr(err.text, "'m'"));
    al_graph_free(g);
}

/* ---- clean ---- */

static void nodes_that_do_nothing_or_are_not_read_go(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 6));
    uint32_t relu = net_node(g, AL_OP_RELU, "relu", INPUTS(x), NO_ATTRS);
    uint32_t drop = net_node(g, AL_OP_DROPOUT, "drop", INPUTS(relu), NO_ATTRS);
    uint32_t flat = net_node(g, AL_OP_FLATTEN, "flat", INPUTS(drop), NO_ATTRS);
    uint32_t same = net_node(g, AL_OP_IDENTITY, "same", INPUTS(flat), NO_ATTRS);
    struct truth t;

    (void)state;
    (void)net_node(g, AL_OP_TANH, "unread", INPUTS(x), NO_ATTRS);
    net_output(g, net_node(g, AL_OP_CONCAT, "y", INPUTS(same), ATTRS(INT("axis", 1))));
    infer(g, &t);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    assert_int_equal(output_node(g, 0)->op, AL_OP_RELU);
    assert_string_equal(al_graph_value(g, output_node(g, 0)->outputs[0])->name, "y");
    assert_same(g, &t);
    al_graph_free(g);
}

static void an_identity_between_input_and_output_stays(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 6));
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_IDENTITY, "y", INPUTS(x), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    assert_same(g, &t);
    al_graph_free(g);
}

static void pads_and_pools_that_change_nothing_go(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 2, 3, 3));
    uint32_t none = net_ints(g, SHAPE(8), (int64_t[8]){ 0 });
    uint32_t moved = net_ints(g, SHAPE(8), (int64_t[]){ 0, 0, 1, 0, 0, 0, -1, 0 });
    uint32_t a = net_node(g, AL_OP_PAD, "a", INPUTS(x, none), NO_ATTRS);
    uint32_t b = net_node(g, AL_OP_AVERAGE_POOL, "b", INPUTS(a),
                          ATTRS(INTS("kernel_shape", 1, 1)));
    uint32_t c = net_node(g, AL_OP_PAD, "c", INPUTS(b, moved), NO_ATTRS);
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_RELU, "y", INPUTS(c), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 2);
    assert_int_equal(net_count(g, AL_OP_PAD), 1);
    assert_same(g, &t);
    al_graph_free(g);
}

static void a_reversing_slice_is_not_taken_for_nothing(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 6));
    uint32_t start = net_ints(g, SHAPE(1), (int64_t[]){ -1 });
    uint32_t end = net_ints(g, SHAPE(1), (int64_t[]){ -99 });
    uint32_t axis = net_ints(g, SHAPE(1), (int64_t[]){ 1 });
    uint32_t step = net_ints(g, SHAPE(1), (int64_t[]){ -1 });
    uint32_t r =
        net_node(g, AL_OP_SLICE, "r", INPUTS(x, start, end, axis, step), NO_ATTRS);
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_RELU, "y", INPUTS(r), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_SLICE), 1);
    assert_same(g, &t);
    al_graph_free(g);
}

/* ---- batch normalisation ---- */

static uint32_t batch_norm(struct al_graph *g, const char *name, uint32_t x,
                           int64_t channels)
{
    static const float variance[] = { 0.5F, 1, 2, 4, 0.1F, 3, 1, 2 };
    uint32_t scale = net_weights(g, SHAPE(channels)),
             bias = net_weights(g, SHAPE(channels));
    uint32_t mean = net_weights(g, SHAPE(channels));
    uint32_t v = net_floats(g, SHAPE(channels), variance);

    return net_node(g, AL_OP_BATCH_NORM, name, INPUTS(x, scale, bias, mean, v), NO_ATTRS);
}

static void batch_norm_folds_into_conv_and_gemm(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 4, 5, 5));
    uint32_t w = net_weights(g, SHAPE(8, 2, 3, 3)), b = net_weights(g, SHAPE(8));
    uint32_t conv =
        net_node(g, AL_OP_CONV, "conv", INPUTS(x, w, b), ATTRS(INT("group", 2)));
    uint32_t n1 = batch_norm(g, "n1", conv, 8);
    uint32_t flat = net_node(g, AL_OP_FLATTEN, "flat", INPUTS(n1), NO_ATTRS);
    uint32_t rows = net_weights(g, SHAPE(72, 4)), columns = net_weights(g, SHAPE(8, 4));
    uint32_t gemm = net_node(g, AL_OP_GEMM, "gemm", INPUTS(flat, rows), NO_ATTRS);
    uint32_t n2 = batch_norm(g, "n2", gemm, 4);
    uint32_t turned =
        net_node(g, AL_OP_GEMM, "turned", INPUTS(n2, columns), ATTRS(INT("transB", 1)));
    struct truth t;

    (void)state;
    net_output(g, batch_norm(g, "y", turned, 8));
    infer(g, &t);
    assert_int_equal(al_pass_batchnorm(g, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_BATCH_NORM), 0);
    assert_int_equal(net_n_nodes(g), 4);
    assert_int_not_equal(al_graph_find(g, "y"), AL_NO_VALUE);
    assert_same(g, &t);
    al_graph_free(g);
}

static void batch_norm_stays_where_others_read_the_conv(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 4, 5, 5));
    uint32_t w = net_weights(g, SHAPE(4, 4, 1, 1));
    uint32_t conv = net_node(g, AL_OP_CONV, "conv", INPUTS(x, w), NO_ATTRS);
    struct truth t;

    (void)state;
    net_output(g, batch_norm(g, "y", conv, 4));
    net_output(g, conv);
    infer(g, &t);
    assert_int_equal(al_pass_batchnorm(g, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_BATCH_NORM), 1);
    assert_same(g, &t);
    al_graph_free(g);
}

/* ---- fuse ---- */

static void bias_and_activation_join_the_conv(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 3, 5, 5));
    uint32_t w = net_weights(g, SHAPE(4, 3, 3, 3)), b = net_weights(g, SHAPE(4, 1, 1));
    uint32_t conv = net_node(g, AL_OP_CONV, "conv", INPUTS(x, w), NO_ATTRS);
    uint32_t sum = net_node(g, AL_OP_ADD, "sum", INPUTS(b, conv), NO_ATTRS);
    uint32_t low = net_floats(g, SCALAR, (float[]){ -0.25F });
    uint32_t high = net_floats(g, SCALAR, (float[]){ 0.5F });
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_CLIP, "y", INPUTS(sum, low, high), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    assert_int_equal(output_node(g, 0)->n_inputs, 3);
    assert_ptr_not_equal(al_graph_value(g, output_node(g, 0)->inputs[2])->data,
                         al_graph_value(g, b)->data); /* others may release theirs */
    assert_int_equal(output_node(g, 0)->post.act, AL_ACT_CLIP);
    assert_same(g, &t);
    al_graph_free(g);
}

static uint32_t pooled_conv(struct al_graph *g)
{
    uint32_t x = net_input(g, "x", SHAPE(1, 3, 7, 7));
    uint32_t w = net_weights(g, SHAPE(4, 3, 3, 3));
    uint32_t conv = net_node(g, AL_OP_CONV, "conv", INPUTS(x, w), NO_ATTRS);

    return net_node(
        g, AL_OP_MAX_POOL, "pool", INPUTS(conv),
        ATTRS(INTS("kernel_shape", 2, 2), INTS("strides", 2, 2), INT("ceil_mode", 1)));
}

static void a_monotone_activation_passes_max_pool_into_the_conv(void **state)
{
    struct al_graph *g = net_new();
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_RELU, "y", INPUTS(pooled_conv(g)), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 2);
    assert_int_equal(output_node(g, 0)->op, AL_OP_MAX_POOL);
    assert_same(g, &t);
    al_graph_free(g);
}

static void an_activation_that_is_not_monotone_stays_behind_max_pool(void **state)
{
    struct al_graph *g = net_new();
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_LEAKY_RELU, "y", INPUTS(pooled_conv(g)),
                           ATTRS(FLOAT("alpha", -0.5F))));
    infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 3);
    assert_same(g, &t);
    al_graph_free(g);
}

/* x framed by 1, 0, 2, 1 filled with `fill`. */
static uint32_t padded(struct al_graph *g, const char *name, uint32_t x, float fill)
{
    uint32_t pads = net_ints(g, SHAPE(8), (int64_t[]){ 0, 0, 1, 0, 0, 0, 2, 1 });
    uint32_t value = net_floats(g, SCALAR, &fill);

    return net_node(g, AL_OP_PAD, name, INPUTS(x, pads, value), NO_ATTRS);
}

static void a_pad_of_zeros_becomes_padding(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 3, 6, 7));
    uint32_t w = net_weights(g, SHAPE(4, 3, 3, 3));
    uint32_t conv = net_node(g, AL_OP_CONV, "conv", INPUTS(padded(g, "p", x, 0), w),
                             ATTRS(INTS("pads", 0, 1, 0, 0), INTS("strides", 2, 1)));
    uint32_t pool =
        net_node(g, AL_OP_AVERAGE_POOL, "pool", INPUTS(padded(g, "q", conv, 0)),
                 ATTRS(INTS("kernel_shape", 2, 2), INT("count_include_pad", 0)));
    struct truth t;

    (void)state;
    net_output(g, pool);
    infer(g, &t);
    assert_int_equal(al_pass_pad(g, NULL), AL_OK);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 2);
    assert_same(g, &t);
    al_graph_free(g);
}

static void a_pad_that_is_no_padding_stays(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 3, 6, 7));
    uint32_t w = net_weights(g, SHAPE(4, 3, 3, 3));
    uint32_t conv =
        net_node(g, AL_OP_CONV, "conv", INPUTS(padded(g, "p", x, 0.5F), w), NO_ATTRS);
    uint32_t pool =
        net_node(g, AL_OP_AVERAGE_POOL, "pool", INPUTS(padded(g, "q", conv, 0)),
                 ATTRS(INTS("kernel_shape", 2, 2), INTS("pads", 1, 1, 1, 1)));
    struct truth t;

    (void)state;
    net_output(g, pool);
    infer(g, &t);
    assert_int_equal(al_pass_pad(g, NULL), AL_OK);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 4);
    assert_same(g, &t);
    al_graph_free(g);
}

static void a_bias_joins_a_product_of_any_rank(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 4, 6));
    uint32_t m =
        net_node(g, AL_OP_MATMUL, "m", INPUTS(x, net_weights(g, SHAPE(6, 5))), NO_ATTRS);
    struct truth t;

    (void)state;
    net_output(
        g, net_node(g, AL_OP_ADD, "y", INPUTS(m, net_weights(g, SHAPE(5))), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    assert_int_equal(output_node(g, 0)->op, AL_OP_MATMUL);
    assert_int_equal(output_node(g, 0)->n_inputs, 3);
    assert_same(g, &t);
    al_graph_free(g);
}

static void a_constant_of_another_shape_is_no_bias(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 3, 4, 4));
    uint32_t w = net_weights(g, SHAPE(4, 3, 1, 1));
    uint32_t conv = net_node(g, AL_OP_CONV, "conv", INPUTS(x, w), NO_ATTRS);
    struct truth t;

    (void)state;
    /* [4] broadcasts along the width, not along the channels */
    net_output(
        g, net_node(g, AL_OP_ADD, "y", INPUTS(conv, net_weights(g, SHAPE(4))), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_ADD), 1);
    assert_same(g, &t);
    al_graph_free(g);
}

static void a_residual_joins_the_later_conv_with_its_activation(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 4, 5, 5));
    uint32_t a = net_node(g, AL_OP_CONV, "a",
                          INPUTS(x, net_weights(g, SHAPE(4, 4, 1, 1))), NO_ATTRS);
    uint32_t r = net_node(g, AL_OP_RELU, "r", INPUTS(a), NO_ATTRS);
    uint32_t b = net_node(g, AL_OP_CONV, "b",
                          INPUTS(r, net_weights(g, SHAPE(4, 4, 1, 1))), NO_ATTRS);
    uint32_t shortcut = net_node(g, AL_OP_CONV, "shortcut",
                                 INPUTS(x, net_weights(g, SHAPE(4, 4, 1, 1))), NO_ATTRS);
    uint32_t sum = net_node(g, AL_OP_ADD, "sum", INPUTS(shortcut, b), NO_ATTRS);
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_RELU, "y", INPUTS(sum), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 3);
    assert_int_equal(output_node(g, 0)->op, AL_OP_CONV);
    assert_int_equal(output_node(g, 0)->post.act, AL_ACT_RELU);
    assert_int_not_equal(output_node(g, 0)->post.add, AL_NO_VALUE);
    assert_same(g, &t);
    al_graph_free(g);
}

static void an_activation_before_the_residual_keeps_its_place(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 4, 5, 5));
    uint32_t a = net_node(g, AL_OP_CONV, "a",
                          INPUTS(x, net_weights(g, SHAPE(4, 4, 1, 1))), NO_ATTRS);
    uint32_t r = net_node(g, AL_OP_RELU, "r", INPUTS(a), NO_ATTRS);
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_ADD, "y", INPUTS(r, x), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_ADD), 1);
    assert_same(g, &t);
    al_graph_free(g);
}

static void a_value_that_is_an_output_is_not_fused_away(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 4, 5, 5));
    uint32_t a = net_node(g, AL_OP_CONV, "a",
                          INPUTS(x, net_weights(g, SHAPE(4, 4, 1, 1))), NO_ATTRS);
    struct truth t;

    (void)state;
    net_output(g, a);
    net_output(g, net_node(g, AL_OP_RELU, "y", INPUTS(a), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 2);
    assert_same(g, &t);
    al_graph_free(g);
}

/* ---- compose ---- */

static uint32_t number(struct al_graph *g, float v)
{
    return net_floats(g, SCALAR, &v);
}

static void the_erf_form_becomes_gelu(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 7, 8));
    uint32_t d = net_node(g, AL_OP_DIV, "d", INPUTS(x, number(g, 1.41421354F)), NO_ATTRS);
    uint32_t e = net_node(g, AL_OP_ERF, "e", INPUTS(d), NO_ATTRS);
    uint32_t a = net_node(g, AL_OP_ADD, "a", INPUTS(e, number(g, 1)), NO_ATTRS);
    uint32_t m = net_node(g, AL_OP_MUL, "m", INPUTS(x, a), NO_ATTRS);
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_MUL, "y", INPUTS(m, number(g, 0.5F)), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    assert_int_equal(output_node(g, 0)->op, AL_OP_GELU);
    assert_same(g, &t);
    al_graph_free(g);
}

static void the_steps_of_layer_norm_become_one(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 5, 8));
    uint32_t mean =
        net_node(g, AL_OP_REDUCE_MEAN, "mean", INPUTS(x), ATTRS(INTS("axes", -1)));
    uint32_t d = net_node(g, AL_OP_SUB, "d", INPUTS(x, mean), NO_ATTRS);
    uint32_t p = net_node(g, AL_OP_POW, "p", INPUTS(d, number(g, 2)), NO_ATTRS);
    uint32_t v = net_node(g, AL_OP_REDUCE_MEAN, "v", INPUTS(p), ATTRS(INTS("axes", -1)));
    uint32_t e = net_node(g, AL_OP_ADD, "e", INPUTS(v, number(g, 1e-3F)), NO_ATTRS);
    uint32_t s = net_node(g, AL_OP_SQRT, "s", INPUTS(e), NO_ATTRS);
    uint32_t q = net_node(g, AL_OP_DIV, "q", INPUTS(d, s), NO_ATTRS);
    uint32_t m =
        net_node(g, AL_OP_MUL, "m", INPUTS(q, net_weights(g, SHAPE(8))), NO_ATTRS);
    struct truth t;

    (void)state;
    net_output(
        g, net_node(g, AL_OP_ADD, "y", INPUTS(net_weights(g, SHAPE(8)), m), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    assert_int_equal(output_node(g, 0)->op, AL_OP_LAYER_NORM);
    assert_same(g, &t);
    al_graph_free(g);
}

/* Attention of 2 heads, 5 queries of width 3, 7 keys and values of width 4; `where` the
 * number is: behind the product, before it on both sides, or nowhere. */
static struct al_graph *spelt_out(int where, bool is_read)
{
    struct al_graph *g = net_new();
    uint32_t q = net_input(g, "q", SHAPE(1, 2, 5, 3));
    uint32_t k = net_input(g, "k", SHAPE(1, 2, 3, 7));
    uint32_t v = net_input(g, "v", SHAPE(1, 2, 7, 4));

    if (where == 1) {
        q = net_node(g, AL_OP_MUL, "q2", INPUTS(number(g, 0.5F), q), NO_ATTRS);
        k = net_node(g, AL_OP_DIV, "k2", INPUTS(k, number(g, 4)), NO_ATTRS);
    }
    uint32_t s = net_node(g, AL_OP_MATMUL, "s", INPUTS(q, k), NO_ATTRS);
    if (where == 0)
        s = net_node(g, AL_OP_DIV, "d", INPUTS(s, number(g, 1.7F)), NO_ATTRS);
    uint32_t p = net_node(g, AL_OP_SOFTMAX, "p", INPUTS(s), ATTRS(INT("axis", -1)));
    net_output(g, net_node(g, AL_OP_MATMUL, "y", INPUTS(p, v), NO_ATTRS));
    if (is_read)
        net_output(g, p);
    return g;
}

static void the_steps_of_attention_become_one(void **state)
{
    (void)state;
    for (int where = 0; where < 3; where++) {
        struct al_graph *g = spelt_out(where, false);
        struct truth t;

        infer(g, &t);
        assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
        assert_int_equal(net_n_nodes(g), 2); /* and what turns the keys back */
        assert_int_equal(output_node(g, 0)->op, AL_OP_ATTENTION);
        assert_same(g, &t);
        al_graph_free(g);
    }
}

static void attention_whose_weights_are_read_stays_as_it_is(void **state)
{
    struct al_graph *g = spelt_out(0, true);
    struct truth t;

    (void)state;
    infer(g, &t);
    assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_ATTENTION), 0);
    assert_same(g, &t);
    al_graph_free(g);
}

static void every_form_of_hard_swish_is_found(void **state)
{
    (void)state;
    for (int form = 0; form < 3; form++) {
        struct al_graph *g = net_new();
        uint32_t x = net_input(g, "x", SHAPE(1, 2, 5, 5));
        uint32_t a = net_node(g, AL_OP_ADD, "a", INPUTS(x, number(g, 3)), NO_ATTRS);
        uint32_t c =
            net_node(g, AL_OP_CLIP, "c", INPUTS(a, number(g, 0), number(g, 6)), NO_ATTRS);
        uint32_t six = number(g, 6), y;
        struct truth t;
        if (form == 0) {
            uint32_t m = net_node(g, AL_OP_MUL, "m", INPUTS(x, c), NO_ATTRS);
            y = net_node(g, AL_OP_DIV, "y", INPUTS(m, six), NO_ATTRS);
        } else if (form == 1) {
            uint32_t d = net_node(g, AL_OP_DIV, "d", INPUTS(c, six), NO_ATTRS);
            y = net_node(g, AL_OP_MUL, "y", INPUTS(d, x), NO_ATTRS);
        } else {
            uint32_t h = net_node(g, AL_OP_HARD_SIGMOID, "h", INPUTS(x),
                                  ATTRS(FLOAT("alpha", 0.16666667F)));
            y = net_node(g, AL_OP_MUL, "y", INPUTS(x, h), NO_ATTRS);
        }
        net_output(g, y);
        infer(g, &t);
        assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
        assert_int_equal(net_n_nodes(g), 1);
        assert_int_equal(output_node(g, 0)->op, AL_OP_HARD_SWISH);
        assert_same(g, &t);
        al_graph_free(g);
    }
}

static void lookalikes_are_left_alone(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 7));
    uint32_t d = net_node(g, AL_OP_DIV, "d", INPUTS(x, number(g, 2)), NO_ATTRS);
    uint32_t e = net_node(g, AL_OP_ERF, "e", INPUTS(d), NO_ATTRS);
    uint32_t a = net_node(g, AL_OP_ADD, "a", INPUTS(e, number(g, 1)), NO_ATTRS);
    uint32_t m = net_node(g, AL_OP_MUL, "m", INPUTS(x, a), NO_ATTRS);
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_MUL, "y", INPUTS(m, number(g, 0.5F)), NO_ATTRS));
    infer(g, &t);
    assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_GELU), 0);
    assert_same(g, &t);
    al_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_depends_on_shapes_only_folds_away),
        cmocka_unit_test(constants_that_take_too_long_are_refused),
        cmocka_unit_test(nodes_that_do_nothing_or_are_not_read_go),
        cmocka_unit_test(an_identity_between_input_and_output_stays),
        cmocka_unit_test(pads_and_pools_that_change_nothing_go),
        cmocka_unit_test(a_reversing_slice_is_not_taken_for_nothing),
        cmocka_unit_test(batch_norm_folds_into_conv_and_gemm),
        cmocka_unit_test(batch_norm_stays_where_others_read_the_conv),
        cmocka_unit_test(bias_and_activation_join_the_conv),
        cmocka_unit_test(a_monotone_activation_passes_max_pool_into_the_conv),
        cmocka_unit_test(an_activation_that_is_not_monotone_stays_behind_max_pool),
        cmocka_unit_test(a_pad_of_zeros_becomes_padding),
        cmocka_unit_test(a_pad_that_is_no_padding_stays),
        cmocka_unit_test(a_bias_joins_a_product_of_any_rank),
        cmocka_unit_test(a_constant_of_another_shape_is_no_bias),
        cmocka_unit_test(a_residual_joins_the_later_conv_with_its_activation),
        cmocka_unit_test(an_activation_before_the_residual_keeps_its_place),
        cmocka_unit_test(a_value_that_is_an_output_is_not_fused_away),
        cmocka_unit_test(the_erf_form_becomes_gelu),
        cmocka_unit_test(the_steps_of_layer_norm_become_one),
        cmocka_unit_test(the_steps_of_attention_become_one),
        cmocka_unit_test(attention_whose_weights_are_read_stays_as_it_is),
        cmocka_unit_test(every_form_of_hard_swish_is_found),
        cmocka_unit_test(lookalikes_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
