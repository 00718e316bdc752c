#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/graph/graph.h"

#define LIMIT ((size_t)16 << 20)

static uint32_t value(struct al_graph *g, const char *name)
{
    struct al_value v = { .name = name, .producer = AL_NO_NODE };
    uint32_t id = AL_NO_VALUE;

    assert_int_equal(al_graph_add_value(g, &v, &id, NULL), AL_OK);
    return id;
}

static uint32_t input(struct al_graph *g, const char *name)
{
    uint32_t id = value(g, name);

    assert_int_equal(al_graph_add_input(g, id, NULL), AL_OK);
    return id;
}

static uint32_t node(struct al_graph *g, enum al_op op, uint32_t a, uint32_t b,
                     uint32_t out)
{
    uint32_t inputs[2] = { a, b };
    struct al_node n = { .op = op,
                         .name = al_graph_value(g, out)->name,
                         .opset = 13,
                         .n_inputs = b == AL_NO_VALUE ? 1 : 2,
                         .inputs = inputs,
                         .n_outputs = 1,
                         .outputs = &out };
    uint32_t id = AL_NO_NODE;

    assert_int_equal(al_graph_add_node(g, &n, &id, NULL), AL_OK);
    return id;
}

static void every_operator_is_found_by_its_name(void **state)
{
    (void)state;
    for (int op = AL_OP_NONE + 1; op < AL_N_OPS; op++)
        assert_int_equal(al_op_find(al_op_info((enum al_op)op)->name), op);
    assert_int_equal(al_op_find("Convolution"), AL_OP_NONE);
}

static void values_are_found_by_name_among_many(void **state)
{
    struct al_graph *g = al_graph_new(LIMIT);
    char name[32];

    (void)state;
    assert_int_equal(al_graph_find(g, "v0"), AL_NO_VALUE);
    for (uint32_t i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "v%u", i);
        assert_int_equal(value(g, name), i);
    }
    assert_int_equal(al_graph_find(g, "v0"), 0);
    assert_int_equal(al_graph_find(g, "v999"), 999);
    assert_int_equal(al_graph_find(g, "v1000"), AL_NO_VALUE);
    assert_int_equal(al_graph_n_values(g), 1000);
    al_graph_free(g);
}

static void a_name_is_taken_once(void **state)
{
    struct al_graph *g = al_graph_new(LIMIT);
    struct al_value v = { .name = "x", .producer = AL_NO_NODE };
    struct al_error err;
    uint32_t id;

    (void)state;
    (void)value(g, "x");
    assert_int_equal(al_graph_add_value(g, &v, &id, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "'x'"));
    v.name = NULL;
    assert_int_equal(al_graph_add_value(g, &v, &id, &err), AL_OK);
    assert_int_equal(al_graph_add_value(g, &v, &id, &err), AL_OK);
    al_graph_free(g);
}

static void a_value_has_one_producer(void **state)
{
    struct al_graph *g = al_graph_new(LIMIT);
    uint32_t x = input(g, "x");
    uint32_t y = value(g, "y");
    struct al_node n = { .op = AL_OP_RELU,
                         .name = "again",
                         .n_inputs = 1,
                         .inputs = &x,
                         .n_outputs = 1,
                         .outputs = &y };
    uint32_t id;

    (void)state;
    (void)node(g, AL_OP_RELU, x, AL_NO_VALUE, y);
    assert_int_equal(al_graph_add_node(g, &n, &id, NULL), AL_INVALID);
    al_graph_free(g);
}

static void memory_stops_at_the_limit(void **state)
{
    struct al_graph *g = al_graph_new(8192);
    struct al_error err;
    enum al_status s = AL_OK;

    (void)state;
    for (int i = 0; i < 1000 && s == AL_OK; i++) {
        struct al_value v = { .producer = AL_NO_NODE };
        uint32_t id;
        s = al_graph_add_value(g, &v, &id, &err);
    }
    assert_int_equal(s, AL_NO_MEMORY);
    al_graph_free(g);
}

static void sorting_puts_producers_before_readers(void **state)
{
    struct al_graph *g = al_graph_new(LIMIT);
    uint32_t x = input(g, "x");
    uint32_t a = value(g, "a");
    uint32_t b = value(g, "b");
    uint32_t c = value(g, "c");
    uint32_t last = node(g, AL_OP_ADD, a, b, c);
    uint32_t middle = node(g, AL_OP_RELU, a, AL_NO_VALUE, b);
    uint32_t first = node(g, AL_OP_RELU, x, AL_NO_VALUE, a);
    uint32_t removed = node(g, AL_OP_RELU, x, AL_NO_VALUE, value(g, "d"));
    const uint32_t *order;
    size_t n;

    (void)state;
    al_graph_remove_node(g, removed);
    assert_int_equal(al_graph_sort(g, &order, &n, NULL), AL_OK);
    assert_int_equal(n, 3);
    assert_int_equal(order[0], first);
    assert_int_equal(order[1], middle);
    assert_int_equal(order[2], last);
    al_graph_free(g);
}

static void a_cycle_is_refused_and_named(void **state)
{
    struct al_graph *g = al_graph_new(LIMIT);
    uint32_t x = input(g, "x");
    uint32_t a = value(g, "a");
    uint32_t b = value(g, "b");
    struct al_error err;
    const uint32_t *order;
    size_t n;

    (void)state;
    (void)node(g, AL_OP_ADD, x, b, a);
    (void)node(g, AL_OP_RELU, a, AL_NO_VALUE, b);
    assert_int_equal(al_graph_sort(g, &order, &n, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "cycle"));
    al_graph_free(g);
}

static void a_cycle_through_an_epilogue_is_refused(void **state)
{
    struct al_graph *g = al_graph_new(LIMIT);
    uint32_t x = input(g, "x");
    uint32_t a = value(g, "a");
    uint32_t b = value(g, "b");
    uint32_t first = node(g, AL_OP_RELU, x, AL_NO_VALUE, a);
    const uint32_t *order;
    size_t n;

    (void)state;
    (void)node(g, AL_OP_RELU, a, AL_NO_VALUE, b);
    al_graph_node_mut(g, first)->post.add = b;
    assert_int_equal(al_graph_sort(g, &order, &n, NULL), AL_INVALID);
    al_graph_free(g);
}

static void a_value_from_nowhere_is_refused(void **state)
{
    struct al_graph *g = al_graph_new(LIMIT);
    uint32_t ghost = value(g, "ghost");
    struct al_error err;
    const uint32_t *order;
    size_t n;

    (void)state;
    (void)node(g, AL_OP_RELU, ghost, AL_NO_VALUE, value(g, "y"));
    assert_int_equal(al_graph_sort(g, &order, &n, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "'ghost'"));
    al_graph_free(g);
}

static void uses_count_inputs_epilogues_and_outputs(void **state)
{
    struct al_graph *g = al_graph_new(LIMIT);
    uint32_t x = input(g, "x");
    uint32_t y = value(g, "y");
    uint32_t n = node(g, AL_OP_ADD, x, x, y);

    (void)state;
    assert_int_equal(al_graph_n_uses(g, x), 2);
    assert_int_equal(al_graph_n_uses(g, y), 0);
    al_graph_node_mut(g, n)->post.add = x;
    assert_int_equal(al_graph_add_output(g, y, NULL), AL_OK);
    assert_int_equal(al_graph_n_uses(g, x), 3);
    assert_int_equal(al_graph_n_uses(g, y), 1);
    al_graph_free(g);
}

static void replacing_an_output_keeps_its_name(void **state)
{
    struct al_graph *g = al_graph_new(LIMIT);
    uint32_t x = input(g, "x");
    uint32_t a = value(g, "a");
    uint32_t y = value(g, "y");
    size_t n;

    (void)state;
    (void)node(g, AL_OP_RELU, x, AL_NO_VALUE, a);
    uint32_t identity = node(g, AL_OP_IDENTITY, a, AL_NO_VALUE, y);
    assert_int_equal(al_graph_add_output(g, y, NULL), AL_OK);
    assert_int_equal(al_graph_replace_uses(g, y, a, NULL), AL_OK);
    al_graph_remove_node(g, identity);
    assert_int_equal(al_graph_outputs(g, &n)[0], a);
    assert_string_equal(al_graph_value(g, a)->name, "y");
    assert_int_equal(al_graph_find(g, "y"), a);
    assert_int_equal(al_graph_find(g, "a"), y);
    al_graph_free(g);
}

static void an_input_or_output_never_loses_its_name(void **state)
{
    struct al_graph *g = al_graph_new(LIMIT);
    uint32_t x = input(g, "x");
    uint32_t a = value(g, "a");
    uint32_t b = value(g, "b");

    (void)state;
    (void)node(g, AL_OP_IDENTITY, x, AL_NO_VALUE, a);
    (void)node(g, AL_OP_IDENTITY, a, AL_NO_VALUE, b);
    assert_int_equal(al_graph_add_output(g, a, NULL), AL_OK);
    assert_int_equal(al_graph_add_output(g, b, NULL), AL_OK);
    assert_int_equal(al_graph_replace_uses(g, a, x, NULL), AL_UNSUPPORTED);
    assert_int_equal(al_graph_replace_uses(g, b, a, NULL), AL_UNSUPPORTED);
    assert_int_equal(al_graph_find(g, "a"), a);
    al_graph_free(g);
}

static void attributes_answer_by_name_and_type(void **state)
{
    int64_t pads[] = { 1, 2 };
    struct al_attr attrs[] = {
        { .name = "axis", .type = AL_ATTR_INT, .i = -1 },
        { .name = "alpha", .type = AL_ATTR_FLOAT, .f = 0.5f },
        { .name = "mode", .type = AL_ATTR_STRING, .s = "edge" },
        { .name = "pads", .type = AL_ATTR_INTS, .ints = pads, .n = 2 },
    };
    struct al_node n = { .n_attrs = 4, .attrs = attrs };
    const int64_t *ints;
    size_t n_ints;

    (void)state;
    assert_int_equal(al_node_int(&n, "axis", 7), -1);
    assert_int_equal(al_node_int(&n, "alpha", 7), 7);
    assert_true(al_node_float(&n, "alpha", 0) > 0.4f);
    assert_string_equal(al_node_string(&n, "mode", "constant"), "edge");
    assert_string_equal(al_node_string(&n, "other", "constant"), "constant");
    assert_true(al_node_ints(&n, "pads", &ints, &n_ints));
    assert_int_equal(n_ints, 2);
    assert_int_equal(ints[1], 2);
    assert_false(al_node_ints(&n, "axis", &ints, &n_ints));
}

/* ---- windows ---- */

struct window_case {
    int64_t in, kernel, stride, dilation, pad_begin, pad_end;
    int ceil_mode;
    const char *auto_pad;
    int64_t out, want_begin, want_end, want_excess;
};

static enum al_status window_of(const struct window_case *c, struct al_window *w,
                                struct al_error *err)
{
    int64_t kernel[2] = { c->kernel, c->kernel };
    int64_t strides[2] = { c->stride, c->stride };
    int64_t dilations[2] = { c->dilation, c->dilation };
    int64_t pads[4] = { c->pad_begin, c->pad_begin, c->pad_end, c->pad_end };
    struct al_attr attrs[] = {
        { .name = "kernel_shape", .type = AL_ATTR_INTS, .ints = kernel, .n = 2 },
        { .name = "strides", .type = AL_ATTR_INTS, .ints = strides, .n = 2 },
        { .name = "dilations", .type = AL_ATTR_INTS, .ints = dilations, .n = 2 },
        { .name = "pads", .type = AL_ATTR_INTS, .ints = pads, .n = 4 },
        { .name = "ceil_mode", .type = AL_ATTR_INT, .i = c->ceil_mode },
        { .name = "auto_pad", .type = AL_ATTR_STRING, .s = c->auto_pad },
    };
    struct al_node n = { .n_attrs = 6, .attrs = attrs };
    struct al_shape s = { .rank = 4, .dims = { 1, 3, c->in, c->in } };

    return al_node_window(&n, &s, NULL, w, err);
}

static void windows_have_the_size_onnx_says(void **state)
{
    static const struct window_case cases[] = {
        { 5, 3, 1, 1, 0, 0, 0, "NOTSET", 3, 0, 0, 0 },
        { 5, 3, 2, 1, 1, 1, 0, "NOTSET", 3, 1, 1, 0 },
        { 6, 3, 2, 1, 0, 0, 0, "NOTSET", 2, 0, 0, 0 },
        { 6, 3, 2, 1, 0, 0, 1, "NOTSET", 3, 0, 1, 1 },
        { 7, 3, 1, 2, 0, 0, 0, "NOTSET", 3, 0, 0, 0 },
        { 5, 3, 2, 1, 0, 0, 0, "SAME_UPPER", 3, 1, 1, 0 },
        { 6, 3, 2, 1, 0, 0, 0, "SAME_UPPER", 3, 0, 1, 0 },
        { 6, 3, 2, 1, 0, 0, 0, "SAME_LOWER", 3, 1, 0, 0 },
        { 6, 3, 1, 1, 4, 4, 0, "VALID", 4, 0, 0, 0 },
        /* the third window would start behind the input: dropped */
        { 2, 1, 2, 1, 0, 1, 1, "NOTSET", 1, 0, 1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct al_window w = { 0 };
        assert_int_equal(window_of(&cases[i], &w, NULL), AL_OK);
        for (size_t axis = 0; axis < 2; axis++) {
            assert_int_equal(w.out[axis], cases[i].out);
            assert_int_equal(w.pad_begin[axis], cases[i].want_begin);
            assert_int_equal(w.pad_end[axis], cases[i].want_end);
            assert_int_equal(w.excess[axis], cases[i].want_excess);
        }
    }
}

static void windows_that_make_no_sense_are_refused(void **state)
{
    static const struct window_case cases[] = {
        { 2, 3, 1, 1, 0, 0, 0, "NOTSET", 0, 0, 0, 0 },
        { 5, 0, 1, 1, 0, 0, 0, "NOTSET", 0, 0, 0, 0 },
        { 5, 3, 0, 1, 0, 0, 0, "NOTSET", 0, 0, 0, 0 },
        { 5, 3, 1, INT64_MAX, 0, 0, 0, "NOTSET", 0, 0, 0, 0 },
        { 5, 3, 1, 1, -1, 0, 0, "NOTSET", 0, 0, 0, 0 },
        { 0, 1, 1, 1, 0, 0, 0, "NOTSET", 0, 0, 0, 0 },
        { 5, 3, 1, 1, 0, 0, 0, "SAME", 0, 0, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct al_window w;
        assert_int_not_equal(window_of(&cases[i], &w, NULL), AL_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_is_found_by_its_name),
        cmocka_unit_test(values_are_found_by_name_among_many),
        cmocka_unit_test(a_name_is_taken_once),
        cmocka_unit_test(a_value_has_one_producer),
        cmocka_unit_test(memory_stops_at_the_limit),
        cmocka_unit_test(sorting_puts_producers_before_readers),
        cmocka_unit_test(a_cycle_is_refused_and_named),
        cmocka_unit_test(a_cycle_through_an_epilogue_is_refused),
        cmocka_unit_test(a_value_from_nowhere_is_refused),
        cmocka_unit_test(uses_count_inputs_epilogues_and_outputs),
        cmocka_unit_test(replacing_an_output_keeps_its_name),
        cmocka_unit_test(an_input_or_output_never_loses_its_name),
        cmocka_unit_test(attributes_answer_by_name_and_type),
        cmocka_unit_test(windows_have_the_size_onnx_says),
        cmocka_unit_test(windows_that_make_no_sense_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
