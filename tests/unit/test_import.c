/* The files are the fuzz target's seeds, made by tests/fuzz/make_onnx_corpus.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/graph/graph.h"
#include "engine/onnx/import.h"

static size_t n_forgotten;

/* What the import has done with may vanish at once. */
static void wipe(void *arg, const void *bytes, size_t n)
{
    char *file = arg;

    memset(file + ((const char *)bytes - file), 0xee, n);
    n_forgotten += n;
}

static enum al_status import_with(const char *name, const struct al_onnx_shape *shape,
                                  size_t limit, struct al_graph **ret,
                                  struct al_error *err)
{
    char path[512];
    static char bytes[1 << 16];
    struct al_onnx_params p = {
        .bytes = bytes, .limit_bytes = limit, .forget = wipe, .forget_arg = bytes
    };

    (void)snprintf(path, sizeof(path), "%s/%s.onnx", ONNX_CORPUS, name);
    FILE *f = fopen(path, "rbe");
    assert_non_null(f);
    p.n_bytes = fread(bytes, 1, sizeof(bytes), f);
    (void)fclose(f);
    p.shapes = shape;
    p.n_shapes = shape ? 1 : 0;
    enum al_status s = al_onnx_import(&p, ret, err);
    memset(bytes, 0xff, sizeof(bytes)); /* the graph borrows nothing */
    return s;
}

static struct al_graph *import(const char *name)
{
    struct al_graph *g = NULL;
    struct al_error err = { 0 };

    if (import_with(name, NULL, (size_t)16 << 20, &g, &err) != AL_OK)
        fail_msg("%s: %s", name, err.text);
    return g;
}

static const struct al_value *named(const struct al_graph *g, const char *name)
{
    uint32_t id = al_graph_find(g, name);

    assert_int_not_equal(id, AL_NO_VALUE);
    return al_graph_value(g, id);
}

static void nodes_weights_and_attributes_arrive(void **state)
{
    n_forgotten = 0;
    struct al_graph *g = import("conv_bn_relu");
    const struct al_node *conv = al_graph_node(g, 0);
    const struct al_value *w = named(g, "w");
    const int64_t *pads;
    size_t n;

    (void)state;
    assert_int_equal(al_graph_n_nodes(g), 3);
    assert_int_equal(conv->op, AL_OP_CONV);
    assert_int_equal(conv->opset, 13);
    assert_true(al_node_ints(conv, "pads", &pads, &n));
    assert_int_equal(n, 4);
    assert_int_equal(pads[3], 1);
    assert_int_equal(w->dtype, AL_F32);
    assert_int_equal(w->shape.rank, 4);
    assert_float_equal(((const float *)w->data)[0], -0.5F, 0);
    assert_true(n_forgotten > 0);
    assert_string_equal(al_graph_value(g, al_graph_outputs(g, &n)[0])->name, "y");
    al_graph_free(g);
}

static void an_open_leading_dimension_is_one_row(void **state)
{
    struct al_graph *g = import("conv_bn_relu");
    const struct al_value *x = named(g, "x");

    (void)state;
    assert_true(x->batched);
    assert_int_equal(x->shape.dims[0], 1);
    assert_int_equal(x->shape.dims[3], 8);
    al_graph_free(g);
}

static void a_shape_fills_open_dimensions_only(void **state)
{
    struct al_onnx_shape five = { "x", { 4, { 5, 3, 8, 8 } } };
    struct al_onnx_shape wide = { "x", { 4, { 1, 3, 8, 9 } } };
    struct al_onnx_shape flat = { "x", { 2, { 1, 3 } } };
    struct al_graph *g = NULL;
    struct al_error err;

    (void)state;
    assert_int_equal(import_with("conv_bn_relu", &five, 1 << 20, &g, &err), AL_OK);
    assert_int_equal(named(g, "x")->shape.dims[0], 5);
    assert_false(named(g, "x")->batched);
    al_graph_free(g);
    assert_int_equal(import_with("conv_bn_relu", &wide, 1 << 20, &g, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "dimension 3 is 8 in the file, 9 was asked"));
    assert_int_equal(import_with("conv_bn_relu", &flat, 1 << 20, &g, &err), AL_INVALID);
}

static void every_sound_file_is_accepted(void **state)
{
    static const char *const names[] = { "conv_bn_relu", "residual",
                                         "flatten_gemm", "shape_computation",
                                         "slices",       "pooling_and_resizing",
                                         "folding",      "constant_convolution",
                                         "old_forms",    "instance_and_layer_norm" };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        al_graph_free(import(names[i]));
}

static void every_refusal_says_what_and_where(void **state)
{
    static const struct {
        const char *name;
        enum al_status status;
        const char *text[2];
    } cases[] = {
        { "empty", AL_INVALID, { "no graph", "" } },
        { "cut_1", AL_INVALID, { "damaged or cut short", "byte 0" } },
        { "cut_60", AL_INVALID, { "damaged or cut short", "" } },
        { "cycle", AL_INVALID, { "'b' (Relu)", "cycle" } },
        { "self_loop", AL_INVALID, { "'y' (Add)", "cycle" } },
        { "produced_twice", AL_INVALID, { "'y'", "produced twice" } },
        { "missing_initialiser",
          AL_INVALID,
          { "'y' (Conv)", "'w', which nothing produces" } },
        { "produced_input", AL_INVALID, { "'x'", "produced twice" } },
        { "unknown_attribute", AL_UNSUPPORTED, { "'y' (Relu)", "attribute 'slope'" } },
        { "attribute_type",
          AL_INVALID,
          { "'y' (Softmax)", "'axis' is a float, not an integer" } },
        { "attribute_twice", AL_INVALID, { "'y' (Softmax)", "'axis' is given twice" } },
        { "unknown_operator", AL_UNSUPPORTED, { "'y' (Frobnicate)", "not supported" } },
        { "too_few_inputs", AL_INVALID, { "'y' (Conv)", "1 inputs, not 2 to 3" } },
        { "opset_99", AL_UNSUPPORTED, { "operator set 99", "7 to 22" } },
        { "huge_claim", AL_INVALID, { "'w'", "raw_data has 0" } },
        { "overflowing_dims", AL_INVALID, { "'w'", "dimension 0 is 2147483648" } },
        { "negative_dim", AL_INVALID, { "'w'", "dimension 0 is -1" } },
        { "nine_dims", AL_UNSUPPORTED, { "'w'", "9 dimensions" } },
        { "strings", AL_UNSUPPORTED, { "'w'", "element type 8" } },
        { "input_dims", AL_INVALID, { "'x'", "dimension 0 is 1099511627776" } },
        { "subgraph", AL_UNSUPPORTED, { "(If)", "'then_branch' holds a subgraph" } },
        { "nested_subgraphs", AL_UNSUPPORTED, { "holds a subgraph", "" } },
        { "external_data", AL_UNSUPPORTED, { "'w'", "outside the file" } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct al_graph *g = NULL;
        struct al_error err = { 0 };
        enum al_status s = import_with(cases[i].name, NULL, (size_t)16 << 20, &g, &err);
        if (s != cases[i].status || !strstr(err.text, cases[i].text[0]) ||
            !strstr(err.text, cases[i].text[1]))
            fail_msg("%s: %s: %s", cases[i].name, al_status_text(s), err.text);
        assert_null(g);
    }
}

static void a_model_larger_than_its_limit_is_refused(void **state)
{
    struct al_graph *g = NULL;
    struct al_error err;

    (void)state;
    assert_int_equal(import_with("flatten_gemm", NULL, 4096, &g, &err), AL_NO_MEMORY);
    assert_null(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_weights_and_attributes_arrive),
        cmocka_unit_test(an_open_leading_dimension_is_one_row),
        cmocka_unit_test(a_shape_fills_open_dimensions_only),
        cmocka_unit_test(every_sound_file_is_accepted),
        cmocka_unit_test(every_refusal_says_what_and_where),
        cmocka_unit_test(a_model_larger_than_its_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
