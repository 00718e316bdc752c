/* What the ONNX operator tests (tests/model) do not reach: conversions at the edges,
 * indices from nowhere, epilogues, strided broadcasting. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/exec/eval_impl.h"
#include "tests/unit/net.h"

static void half_floats_round_to_nearest_even(void **state)
{
    static const struct {
        double v;
        uint16_t bits;
    } cases[] = {
        { 0, 0 },
        { -0.0, 0x8000 },
        { 1, 0x3c00 },
        { -2, 0xc000 },
        { 65504, 0x7bff },
        { 65519, 0x7bff },
        { 65520, 0x7c00 },
        { 0x1p-14, 0x0400 },
        { 0x1p-24, 1 },
        { 0x1p-25, 0 },
        { 0x1.8p-24, 2 },
        { 1 + 0x1p-11, 0x3c00 },
        { 1 + 0x1.8p-10, 0x3c02 },
        { 2 - 0x1p-12, 0x4000 },
        { 0x1p-14 - 0x1p-26, 0x0400 },
        { (double)-INFINITY, 0xfc00 },
    };
    uint16_t bits = 0;
    struct al_tensor t = { .dtype = AL_F16, .data = &bits };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        al_store_double(&t, 0, cases[i].v);
        assert_int_equal(bits, cases[i].bits);
    }
}

static void every_half_float_survives_the_way_through_double(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= UINT16_MAX; i++) {
        uint16_t half = (uint16_t)i, back = 0, brain = 0;
        struct al_tensor from = { .dtype = AL_F16, .data = &half };
        struct al_tensor to = { .dtype = AL_F16, .data = &back };
        double v = al_load_double(&from, 0);
        al_store_double(&to, 0, v);
        if (isnan(v))
            assert_true((back & 0x7c00) == 0x7c00 && (back & 0x3ff));
        else
            assert_int_equal(back, half);
        from.dtype = to.dtype = AL_BF16;
        to.data = &brain;
        v = al_load_double(&from, 0);
        al_store_double(&to, 0, v);
        if (!isnan(v))
            assert_int_equal(brain, half);
    }
}

static void floats_outside_an_integer_type_are_clamped(void **state)
{
    static const struct {
        enum al_dtype to;
        double v;
        int64_t want;
    } cases[] = {
        { AL_U8, 300, 255 },
        { AL_U8, -1, 0 },
        { AL_I8, -1e9, -128 },
        { AL_I8, 127.9, 127 },
        { AL_I32, 1e300, INT32_MAX },
        { AL_I64, 1e300, INT64_MAX },
        { AL_I64, -1e300, INT64_MIN },
        { AL_U64, 1e300, -1 },
        { AL_U32, 4294967295.0, 4294967295 },
        { AL_I16, (double)NAN, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t room = 0;
        struct al_tensor t = { .dtype = cases[i].to, .data = &room };
        al_store_double(&t, 0, cases[i].v);
        assert_int_equal(al_load_int(&t, 0), cases[i].want);
    }
}

static void gather_clamps_indices_from_nowhere(void **state)
{
    struct al_graph *g = net_new();
    uint32_t table = net_floats(g, SHAPE(3), (float[]){ 10, 20, 30 });
    uint32_t at = net_ints(g, SHAPE(5), (int64_t[]){ -1, 0, INT64_MAX, INT64_MIN, -3 });
    uint32_t y = net_node(g, AL_OP_GATHER, "y", INPUTS(table, at), NO_ATTRS);
    static const float want[] = { 30, 10, 30, 10, 10 };
    float got[5];

    (void)state;
    net_output(g, y);
    assert_int_equal(al_graph_infer_node(g, 0, NULL), AL_OK);
    assert_int_equal(net_run(g, 0, got, 5), 5);
    assert_memory_equal(got, want, sizeof(want));
    al_graph_free(g);
}

static void epilogues_add_first_and_activate_then(void **state)
{
    static const struct {
        struct al_epilogue post;
        float want;
    } cases[] = {
        { { .act = AL_ACT_NONE }, -3 },
        { { .act = AL_ACT_RELU }, 0 },
        { { .act = AL_ACT_CLIP, .a = -2, .b = 2 }, -2 },
        { { .act = AL_ACT_LEAKY_RELU, .a = 0.5F }, -1.5F },
        { { .act = AL_ACT_HARD_SWISH }, 0 },
        { { .act = AL_ACT_SIGMOID }, 0.0474258736F },
        { { .act = AL_ACT_TANH }, -0.995054781F },
        { { .act = AL_ACT_GELU }, -0.00404969409F },
        { { .act = AL_ACT_GELU_TANH }, -0.00363737741F },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        float y = 2, add = -5;
        al_eval_epilogue(&cases[i].post, &y, &add, 1);
        assert_float_equal(y, cases[i].want, 1e-6);
    }
}

/* A walk visits every output once and finds the operand elements that broadcasting
 * says. */
static void note(const struct al_run *run, const void *arg)
{
    int *const *visited = arg;

    for (size_t i = 0; i < run->n; i++)
        visited[0][run->at + i] = (int)(run->off[0] + i * run->step[0]) * 100 +
                                  (int)(run->off[1] + i * run->step[1]);
}

static void walks_follow_broadcasting(void **state)
{
    struct al_shape out = { 3, { 2, 3, 4 } }, a = { 3, { 2, 1, 4 } }, b = { 2, { 3, 1 } };
    int visited[24];
    int *arg = visited;
    struct al_walk w;

    (void)state;
    memset(visited, 0xff, sizeof(visited));
    al_walk_init(&w, &out, (const struct al_shape *const[]){ &a, &b }, 2);
    al_walk_run(&w, note, &arg);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++)
                assert_int_equal(visited[(i * 3 + j) * 4 + k], (i * 4 + k) * 100 + j);
}

static void whole_operands_are_one_run(void **state)
{
    struct al_shape s = { 4, { 1, 3, 4, 5 } };
    struct al_walk w;

    (void)state;
    al_walk_init(&w, &s, (const struct al_shape *const[]){ &s, &s }, 2);
    assert_int_equal(w.rank, 1);
    assert_int_equal(w.dims[0], 60);
}

static void a_type_without_an_evaluation_is_refused(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_ints(g, SHAPE(3), (int64_t[]){ 1, 2, 3 });
    struct al_error err;

    (void)state;
    (void)net_node(g, AL_OP_EXP, "y", INPUTS(x), NO_ATTRS);
    assert_int_equal(al_graph_infer_node(g, 0, NULL), AL_OK);
    assert_null(al_eval_find(g, al_graph_node(g, 0), &err));
    assert_non_null(strstr(err.text, "'y' (Exp): element type I64"));
    al_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_floats_round_to_nearest_even),
        cmocka_unit_test(every_half_float_survives_the_way_through_double),
        cmocka_unit_test(floats_outside_an_integer_type_are_clamped),
        cmocka_unit_test(gather_clamps_indices_from_nowhere),
        cmocka_unit_test(epilogues_add_first_and_activate_then),
        cmocka_unit_test(walks_follow_broadcasting),
        cmocka_unit_test(whole_operands_are_one_run),
        cmocka_unit_test(a_type_without_an_evaluation_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
