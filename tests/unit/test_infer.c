#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/net.h"

/* One inference: `op` of operator set `opset` on an input of shape `x` and constant
 * integers. */
struct rule {
    enum al_op op;
    int opset;
    const struct al_shape *x;
    size_t n_lists;
    const int64_t *lists[3]; /* first the count, then the integers */
    const struct al_attr *attrs;
    size_t n_attrs;
    const struct al_shape *want; /* NULL: refused */
};

#define LIST(...)                                                         \
    (const int64_t[])                                                     \
    {                                                                     \
        sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), __VA_ARGS__ \
    }

static enum al_status infer(const struct rule *r, struct al_shape *ret,
                            struct al_error *err)
{
    struct al_graph *g = net_new();
    uint32_t inputs[4] = { net_input(g, "x", r->x) };
    enum al_status s;

    for (size_t i = 0; i < r->n_lists; i++)
        inputs[1 + i] = net_ints(g, SHAPE(r->lists[i][0]), r->lists[i] + 1);
    uint32_t y = net_node(g, r->op, "y", inputs, 1 + r->n_lists, r->attrs, r->n_attrs);
    al_graph_node_mut(g, al_graph_value(g, y)->producer)->opset = r->opset;
    s = al_graph_infer_node(g, al_graph_value(g, y)->producer, err);
    *ret = al_graph_value(g, y)->shape;
    al_graph_free(g);
    return s;
}

static void check_all(const struct rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct al_shape got;
        struct al_error err = { 0 };
        char text[64];
        enum al_status s = infer(&rules[i], &got, &err);
        const char *op = al_op_info(rules[i].op)->name;
        if (s == AL_OK && !rules[i].want)
            fail_msg("%s (rule %zu) was not refused", op, i);
        if (s != AL_OK && rules[i].want)
            fail_msg("%s (rule %zu): %s", op, i, err.text);
        if (s == AL_OK && !al_shape_equal(&got, rules[i].want))
            fail_msg("%s (rule %zu) is %s", op, i,
                     al_shape_text(&got, text, sizeof(text)));
        if (s != AL_OK)
            assert_non_null(strstr(err.text, "node 'y'"));
    }
}

static void old_attributes_and_new_inputs_mean_the_same(void **state)
{
    const struct rule rules[] = {
        { AL_OP_SQUEEZE,
          11,
          SHAPE(1, 3, 1, 4),
          0,
          { 0 },
          ATTRS(INTS("axes", -2)),
          SHAPE(1, 3, 4) },
        { AL_OP_SQUEEZE,
          13,
          SHAPE(1, 3, 1, 4),
          1,
          { LIST(-2) },
          NO_ATTRS,
          SHAPE(1, 3, 4) },
        { AL_OP_SQUEEZE, 13, SHAPE(1, 3, 1, 4), 0, { 0 }, NO_ATTRS, SHAPE(3, 4) },
        { AL_OP_UNSQUEEZE,
          11,
          SHAPE(3, 4),
          0,
          { 0 },
          ATTRS(INTS("axes", 0, 3)),
          SHAPE(1, 3, 4, 1) },
        { AL_OP_UNSQUEEZE,
          13,
          SHAPE(3, 4),
          1,
          { LIST(-1, 0) },
          NO_ATTRS,
          SHAPE(1, 3, 4, 1) },
        { AL_OP_REDUCE_SUM,
          11,
          SHAPE(2, 3, 4),
          0,
          { 0 },
          ATTRS(INTS("axes", 1)),
          SHAPE(2, 1, 4) },
        { AL_OP_REDUCE_SUM,
          13,
          SHAPE(2, 3, 4),
          1,
          { LIST(1) },
          ATTRS(INT("keepdims", 0)),
          SHAPE(2, 4) },
        { AL_OP_REDUCE_MEAN,
          18,
          SHAPE(2, 3, 4),
          1,
          { LIST(-1) },
          NO_ATTRS,
          SHAPE(2, 3, 1) },
        { AL_OP_REDUCE_MAX,
          13,
          SHAPE(2, 3),
          0,
          { 0 },
          ATTRS(INT("keepdims", 0)),
          SCALAR },
        { AL_OP_SLICE,
          9,
          SHAPE(1, 9),
          0,
          { 0 },
          ATTRS(INTS("starts", 2), INTS("ends", -1), INTS("axes", 1)),
          SHAPE(1, 6) },
        { AL_OP_SLICE,
          10,
          SHAPE(1, 9),
          3,
          { LIST(2), LIST(-1), LIST(1) },
          NO_ATTRS,
          SHAPE(1, 6) },
        { AL_OP_PAD,
          7,
          SHAPE(1, 9),
          0,
          { 0 },
          ATTRS(INTS("pads", 0, 1, 0, -2)),
          SHAPE(1, 8) },
        { AL_OP_PAD, 11, SHAPE(1, 9), 1, { LIST(0, 1, 0, -2) }, NO_ATTRS, SHAPE(1, 8) },
        { AL_OP_TILE, 7, SHAPE(1, 9), 1, { LIST(1, 3) }, NO_ATTRS, SHAPE(1, 27) },
    };

    (void)state;
    check_all(rules, sizeof(rules) / sizeof(rules[0]));
}

static void reshapes_resolve_zero_and_minus_one(void **state)
{
    const struct rule rules[] = {
        { AL_OP_RESHAPE, 13, SHAPE(1, 6, 4), 1, { LIST(0, -1) }, NO_ATTRS, SHAPE(1, 24) },
        { AL_OP_RESHAPE,
          13,
          SHAPE(1, 6, 4),
          1,
          { LIST(2, 0, 2) },
          NO_ATTRS,
          SHAPE(2, 6, 2) },
        { AL_OP_RESHAPE, 13, SHAPE(1, 6, 4), 1, { LIST(-1, -1) }, NO_ATTRS, NULL },
        { AL_OP_RESHAPE, 13, SHAPE(1, 6, 4), 1, { LIST(5, -1) }, NO_ATTRS, NULL },
        { AL_OP_RESHAPE, 13, SHAPE(1, 6, 4), 1, { LIST(25) }, NO_ATTRS, NULL },
        { AL_OP_RESHAPE, 13, SHAPE(1, 6, 4), 1, { LIST(-2, -12) }, NO_ATTRS, NULL },
        { AL_OP_RESHAPE, 13, SHAPE(1, 6, 4), 1, { LIST(INT64_MAX, 2) }, NO_ATTRS, NULL },
        { AL_OP_FLATTEN,
          13,
          SHAPE(2, 3, 4),
          0,
          { 0 },
          ATTRS(INT("axis", -1)),
          SHAPE(6, 4) },
        { AL_OP_FLATTEN,
          13,
          SHAPE(2, 3, 4),
          0,
          { 0 },
          ATTRS(INT("axis", 0)),
          SHAPE(1, 24) },
        { AL_OP_FLATTEN, 13, SHAPE(2, 3, 4), 0, { 0 }, ATTRS(INT("axis", 4)), NULL },
    };

    (void)state;
    check_all(rules, sizeof(rules) / sizeof(rules[0]));
}

static void numbers_that_do_not_fit_are_refused(void **state)
{
    const struct rule rules[] = {
        { AL_OP_SQUEEZE, 13, SHAPE(1, 3), 1, { LIST(1) }, NO_ATTRS, NULL },
        { AL_OP_SQUEEZE, 13, SHAPE(1, 3), 1, { LIST(0, 0) }, NO_ATTRS, NULL },
        { AL_OP_SQUEEZE, 13, SHAPE(1, 3), 1, { LIST(2) }, NO_ATTRS, NULL },
        { AL_OP_SLICE,
          10,
          SHAPE(1, 9),
          2,
          { LIST(2, 3, 4), LIST(3, 4, 5) },
          NO_ATTRS,
          NULL },
        { AL_OP_PAD, 11, SHAPE(1, 9), 1, { LIST(0, 1, 0) }, NO_ATTRS, NULL },
        { AL_OP_PAD, 11, SHAPE(1, 9), 1, { LIST(0, 0, 0, -10) }, NO_ATTRS, NULL },
        { AL_OP_PAD,
          11,
          SHAPE(1, 3),
          1,
          { LIST(0, 3, 0, 0) },
          ATTRS(STRING("mode", "reflect")),
          NULL },
        { AL_OP_PAD,
          11,
          SHAPE(1, 3),
          1,
          { LIST(0, 3, 0, 0) },
          ATTRS(STRING("mode", "wrap")),
          NULL },
        { AL_OP_TRANSPOSE, 13, SHAPE(1, 3), 0, { 0 }, ATTRS(INTS("perm", 0, 0)), NULL },
        { AL_OP_TRANSPOSE, 13, SHAPE(1, 3), 0, { 0 }, ATTRS(INTS("perm", 0, 2)), NULL },
        { AL_OP_EXPAND, 13, SHAPE(1, 3), 1, { LIST(2, 4) }, NO_ATTRS, NULL },
        { AL_OP_TILE, 13, SHAPE(1, 3), 1, { LIST(1, 1 << 30) }, NO_ATTRS, NULL },
        { AL_OP_DEPTH_TO_SPACE,
          13,
          SHAPE(1, 6, 2, 2),
          0,
          { 0 },
          ATTRS(INT("blocksize", 2)),
          NULL },
        { AL_OP_SPACE_TO_DEPTH,
          13,
          SHAPE(1, 6, 3, 2),
          0,
          { 0 },
          ATTRS(INT("blocksize", 2)),
          NULL },
        { AL_OP_SOFTMAX, 13, SHAPE(1, 3), 0, { 0 }, ATTRS(INT("axis", 2)), NULL },
        { AL_OP_CAST, 13, SHAPE(1, 3), 0, { 0 }, ATTRS(INT("to", 8)), NULL },
        { AL_OP_LRN, 13, SHAPE(1, 3, 2, 2), 0, { 0 }, ATTRS(INT("size", 0)), NULL },
        { AL_OP_MAX_POOL,
          13,
          SHAPE(1, 3, 4),
          0,
          { 0 },
          ATTRS(INTS("kernel_shape", 2)),
          NULL },
        { AL_OP_MAX_POOL,
          13,
          SHAPE(1, 3, 4, 4),
          0,
          { 0 },
          ATTRS(INTS("kernel_shape", 2, 2), INTS("pads", 2, 2, 2, 2)),
          NULL },
    };

    (void)state;
    check_all(rules, sizeof(rules) / sizeof(rules[0]));
}

static void pooling_and_resizing_have_their_sizes(void **state)
{
    const struct rule rules[] = {
        { AL_OP_MAX_POOL,
          13,
          SHAPE(1, 3, 7, 8),
          0,
          { 0 },
          ATTRS(INTS("kernel_shape", 2, 3), INTS("strides", 2, 2)),
          SHAPE(1, 3, 3, 3) },
        { AL_OP_AVERAGE_POOL,
          13,
          SHAPE(1, 3, 7, 8),
          0,
          { 0 },
          ATTRS(INTS("kernel_shape", 2, 3), INTS("strides", 2, 2), INT("ceil_mode", 1)),
          SHAPE(1, 3, 4, 4) },
        { AL_OP_GLOBAL_MAX_POOL,
          13,
          SHAPE(1, 3, 7, 8),
          0,
          { 0 },
          NO_ATTRS,
          SHAPE(1, 3, 1, 1) },
        { AL_OP_DEPTH_TO_SPACE,
          13,
          SHAPE(1, 8, 2, 3),
          0,
          { 0 },
          ATTRS(INT("blocksize", 2)),
          SHAPE(1, 2, 4, 6) },
        { AL_OP_SPACE_TO_DEPTH,
          13,
          SHAPE(1, 2, 4, 6),
          0,
          { 0 },
          ATTRS(INT("blocksize", 2)),
          SHAPE(1, 8, 2, 3) },
    };

    (void)state;
    check_all(rules, sizeof(rules) / sizeof(rules[0]));
}

static void operands_broadcast_or_are_refused(void **state)
{
    static const struct {
        struct al_shape a, b;
        bool fits;
        struct al_shape y;
    } cases[] = {
        { { 3, { 2, 1, 4 } }, { 2, { 3, 1 } }, true, { 3, { 2, 3, 4 } } },
        { { 0 }, { 2, { 3, 4 } }, true, { 2, { 3, 4 } } },
        { { 2, { 3, 4 } }, { 1, { 3 } }, false, { 0 } },
        { { 1, { 0 } }, { 1, { 1 } }, true, { 1, { 0 } } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct al_graph *g = net_new();
        uint32_t a = net_input(g, "a", &cases[i].a), b = net_input(g, "b", &cases[i].b);
        uint32_t y = net_node(g, AL_OP_ADD, "y", INPUTS(a, b), NO_ATTRS);
        enum al_status s = al_graph_infer_node(g, 0, NULL);
        assert_int_equal(s == AL_OK, cases[i].fits);
        if (s == AL_OK)
            assert_true(al_shape_equal(&al_graph_value(g, y)->shape, &cases[i].y));
        al_graph_free(g);
    }
}

static void products_check_their_inner_dimension(void **state)
{
    static const struct {
        enum al_op op;
        struct al_shape a, b;
        bool fits;
        struct al_shape y;
    } cases[] = {
        { AL_OP_MATMUL,
          { 4, { 1, 2, 5, 3 } },
          { 2, { 3, 7 } },
          true,
          { 4, { 1, 2, 5, 7 } } },
        { AL_OP_MATMUL, { 1, { 3 } }, { 3, { 4, 3, 7 } }, true, { 2, { 4, 7 } } },
        { AL_OP_MATMUL, { 1, { 3 } }, { 1, { 3 } }, true, { 0 } },
        { AL_OP_MATMUL, { 2, { 5, 3 } }, { 2, { 4, 7 } }, false, { 0 } },
        { AL_OP_MATMUL, { 0 }, { 2, { 4, 7 } }, false, { 0 } },
        { AL_OP_GEMM, { 2, { 5, 3 } }, { 2, { 3, 7 } }, true, { 2, { 5, 7 } } },
        { AL_OP_GEMM, { 3, { 1, 5, 3 } }, { 2, { 3, 7 } }, false, { 0 } },
        { AL_OP_CONV,
          { 4, { 1, 4, 5, 5 } },
          { 4, { 8, 4, 3, 3 } },
          true,
          { 4, { 1, 8, 3, 3 } } },
        { AL_OP_CONV, { 4, { 1, 4, 5, 5 } }, { 4, { 8, 2, 3, 3 } }, false, { 0 } },
        { AL_OP_CONV, { 4, { 1, 4, 2, 5 } }, { 4, { 8, 4, 3, 3 } }, false, { 0 } },
        { AL_OP_CONV, { 3, { 1, 4, 5 } }, { 3, { 8, 4, 3 } }, false, { 0 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct al_graph *g = net_new();
        uint32_t a = net_input(g, "a", &cases[i].a), b = net_input(g, "b", &cases[i].b);
        uint32_t y = net_node(g, cases[i].op, "y", INPUTS(a, b), NO_ATTRS);
        enum al_status s = al_graph_infer_node(g, 0, NULL);
        assert_int_equal(s == AL_OK, cases[i].fits);
        if (s == AL_OK)
            assert_true(al_shape_equal(&al_graph_value(g, y)->shape, &cases[i].y));
        al_graph_free(g);
    }
}

static void a_shape_that_depends_on_data_is_refused_and_named(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 4));
    struct al_value v = { .name = "n",
                          .dtype = AL_I64,
                          .has_shape = true,
                          .shape = { 1, { 2 } },
                          .producer = AL_NO_NODE };
    struct al_error err;
    uint32_t n;

    (void)state;
    assert_int_equal(al_graph_add_value(g, &v, &n, NULL), AL_OK);
    (void)net_node(g, AL_OP_RESHAPE, "y", INPUTS(x, n), NO_ATTRS);
    assert_int_equal(al_graph_infer_node(g, 0, &err), AL_UNSUPPORTED);
    assert_non_null(strstr(err.text, "node 'y' (Reshape): input 1 depends on the data"));
    al_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_attributes_and_new_inputs_mean_the_same),
        cmocka_unit_test(reshapes_resolve_zero_and_minus_one),
        cmocka_unit_test(numbers_that_do_not_fit_are_refused),
        cmocka_unit_test(pooling_and_resizing_have_their_sizes),
        cmocka_unit_test(operands_broadcast_or_are_refused),
        cmocka_unit_test(products_check_their_inner_dimension),
        cmocka_unit_test(a_shape_that_depends_on_data_is_refused_and_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
