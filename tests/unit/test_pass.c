#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/exec/eval.h"
#include "engine/pass/pass.h"
#include "tests/unit/net.h"
#include "tests/unit/pass_truth.h"

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
    truth_infer(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    assert_int_equal(truth_output_node(g, 0)->op, AL_OP_RELU);
    assert_string_equal(al_graph_value(g, truth_output_node(g, 0)->outputs[0])->name,
                        "y");
    truth_assert_same(g, &t);
    al_graph_free(g);
}

static void an_identity_between_input_and_output_stays(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 6));
    struct truth t;

    (void)state;
    net_output(g, net_node(g, AL_OP_IDENTITY, "y", INPUTS(x), NO_ATTRS));
    truth_infer(g, &t);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 2);
    assert_int_equal(net_count(g, AL_OP_PAD), 1);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_clean(g, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_SLICE), 1);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_batchnorm(g, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_BATCH_NORM), 0);
    assert_int_equal(net_n_nodes(g), 4);
    assert_int_not_equal(al_graph_find(g, "y"), AL_NO_VALUE);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_batchnorm(g, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_BATCH_NORM), 1);
    truth_assert_same(g, &t);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
