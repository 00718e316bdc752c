#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/exec/build.h"
#include "engine/exec/choose.h"
#include "engine/exec/eval.h"
#include "engine/exec/memory.h"
#include "engine/pass/pass.h"
#include "engine/pass/stages.h"
#include "tests/unit/net.h"

/* The plan of the graph in portable code; it is of no use later but for its sizes. */
static enum al_status build(struct al_graph *g, size_t limit_bytes, struct al_plan *ret,
                            struct al_error *err)
{
    struct al_arena *arena = al_arena_new((size_t)64 << 20);
    struct al_choice *choice = al_choice_new(&(struct al_choice_params){ 0 });
    struct al_stages stages;

    assert_non_null(arena);
    assert_non_null(choice);
    assert_int_equal(al_pass_all(g, al_eval_node, NULL), AL_OK);
    assert_int_equal(al_pass_stages(g, 0, NULL, NULL, &stages, NULL), AL_OK);
    enum al_status s =
        al_plan_build(&(struct al_build_params){ .graph = g,
                                                 .stages = &stages,
                                                 .arena = arena,
                                                 .block = 8,
                                                 .max_rows = 1,
                                                 .limit_bytes = limit_bytes,
                                                 .choice = choice },
                      ret, err);
    al_choice_free(choice);
    al_arena_free(arena);
    al_graph_free(g);
    return s;
}

/* Attention of one query and one key, which is packed as 16. */
static struct al_graph *wide_attention(void)
{
    struct al_graph *g = net_new();
    uint32_t q = net_input(g, "q", SHAPE(1, 1, 1, 65536));
    uint32_t v = net_input(g, "v", SHAPE(1, 1, 1, 4));

    net_output(g, net_node(g, AL_OP_ATTENTION, "y", INPUTS(q, q, v), NO_ATTRS));
    return g;
}

static void the_scratch_of_a_step_counts_against_the_limit(void **state)
{
    struct al_plan plan = { 0 };
    struct al_error err;

    (void)state;
    assert_int_equal(build(wide_attention(), (size_t)1 << 20, &plan, &err), AL_TOO_LARGE);
    assert_non_null(strstr(err.text, "scratch"));
    assert_int_equal(build(wide_attention(), (size_t)8 << 20, &plan, &err), AL_OK);
    assert_true(plan.scratch_bytes > (size_t)1 << 20);
}

static void the_lists_of_a_step_count_against_the_limit(void **state)
{
    struct al_graph *g = net_new();
    uint32_t x = net_input(g, "x", SHAPE(1, 200000, 1));
    struct al_plan plan = { 0 };
    struct al_error err;

    (void)state;
    x = net_node(g, AL_OP_MATMUL, "m", INPUTS(x, net_weights(g, SHAPE(1, 1))), NO_ATTRS);
    net_output(g, net_node(g, AL_OP_REDUCE_MAX, "y", INPUTS(x), ATTRS(INTS("axes", 1))));
    assert_int_equal(build(g, 1000000, &plan, &err), AL_TOO_LARGE);
    assert_non_null(strstr(err.text, "pointers"));
}

static void the_scratch_of_every_thread_is_aligned(void **state)
{
    struct al_graph *g = net_new();
    struct al_plan plan = { 0 };

    (void)state;
    net_output(g, net_node(g, AL_OP_SOFTPLUS, "y", INPUTS(net_input(g, "x", SHAPE(1, 5))),
                           NO_ATTRS));
    assert_int_equal(build(g, (size_t)1 << 20, &plan, NULL), AL_OK);
    assert_true(plan.scratch_bytes > 0);
    assert_int_equal(plan.scratch_bytes % AL_MEMORY_ALIGN, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scratch_of_a_step_counts_against_the_limit),
        cmocka_unit_test(the_lists_of_a_step_count_against_the_limit),
        cmocka_unit_test(the_scratch_of_every_thread_is_aligned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
