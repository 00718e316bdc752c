#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/exec/eval.h"
#include "engine/pass/pass.h"
#include "tests/unit/net.h"
#include "tests/unit/pass_truth.h"

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
    truth_infer(g, &t);
    assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    assert_int_equal(truth_output_node(g, 0)->op, AL_OP_GELU);
    truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
    assert_int_equal(net_n_nodes(g), 1);
    assert_int_equal(truth_output_node(g, 0)->op, AL_OP_LAYER_NORM);
    truth_assert_same(g, &t);
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

        truth_infer(g, &t);
        assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
        assert_int_equal(net_n_nodes(g), 2); /* and what turns the keys back */
        assert_int_equal(truth_output_node(g, 0)->op, AL_OP_ATTENTION);
        truth_assert_same(g, &t);
        al_graph_free(g);
    }
}

static void attention_whose_weights_are_read_stays_as_it_is(void **state)
{
    struct al_graph *g = spelt_out(0, true);
    struct truth t;

    (void)state;
    truth_infer(g, &t);
    assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_ATTENTION), 0);
    truth_assert_same(g, &t);
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
        truth_infer(g, &t);
        assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
        assert_int_equal(net_n_nodes(g), 1);
        assert_int_equal(truth_output_node(g, 0)->op, AL_OP_HARD_SWISH);
        truth_assert_same(g, &t);
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
    truth_infer(g, &t);
    assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
    assert_int_equal(net_count(g, AL_OP_GELU), 0);
    truth_assert_same(g, &t);
    al_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_erf_form_becomes_gelu),
        cmocka_unit_test(the_steps_of_layer_norm_become_one),
        cmocka_unit_test(the_steps_of_attention_become_one),
        cmocka_unit_test(attention_whose_weights_are_read_stays_as_it_is),
        cmocka_unit_test(every_form_of_hard_swish_is_found),
        cmocka_unit_test(lookalikes_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
