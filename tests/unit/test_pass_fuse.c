#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/exec/eval.h"
#include "engine/pass/pass.h"
#include "tests/unit/net.h"
#include "tests/unit/pass_truth.h"

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
    truth_infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    assert_int_equal(truth_output_node(g, 0)->n_inputs, 3);
    assert_ptr_not_equal(al_graph_value(g, truth_output_node(g, 0)->inputs[2])->data,
                         al_graph_value(g, b)->data); /* others may release theirs */
    assert_int_equal(truth_output_node(g, 0)->post.act, AL_ACT_CLIP);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 2);
    assert_int_equal(truth_output_node(g, 0)->op, AL_OP_MAX_POOL);
    truth_assert_same(g, &t);
    al_graph_free(g);
}

static void an_activation_that_is_not_monotone_stays_behind_max_pool(void **state)
{
    struct al_graph *g = net_new();
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_LEAKY_RELU, "y", INPUTS(pooled_conv(g)),
                           ATTRS(FLOAT("alpha", -0.5F))));
    truth_infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 3);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_pad(g, NULL), AL_OK);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 2);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_pad(g, NULL), AL_OK);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 4);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    assert_int_equal(truth_output_node(g, 0)->op, AL_OP_MATMUL);
    assert_int_equal(truth_output_node(g, 0)->n_inputs, 3);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_ADD), 1);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 3);
    assert_int_equal(truth_output_node(g, 0)->op, AL_OP_CONV);
    assert_int_equal(truth_output_node(g, 0)->post.act, AL_ACT_RELU);
    assert_int_not_equal(truth_output_node(g, 0)->post.add, AL_NO_VALUE);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_fuse(g, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_ADD), 1);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 2);
    truth_assert_same(g, &t);
    al_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
