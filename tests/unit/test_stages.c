#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/graph/graph.h"
#include "engine/pass/stages.h"

/* A graph of Relu and Add nodes, one letter a value: "xa" is a = Relu(x), "abc" is
 * c = Add(a, b). Node i makes the last letter of word i. */
struct net {
    struct al_graph *g;
    uint32_t value[128];
};

static uint32_t value_of(struct net *net, char letter)
{
    uint32_t *id = &net->value[(unsigned char)letter];

    if (*id == AL_NO_VALUE) {
        char name[2] = { letter, '\0' };
        struct al_value v = { .name = name, .dtype = AL_F32, .producer = AL_NO_NODE };
        assert_int_equal(al_graph_add_value(net->g, &v, id, NULL), AL_OK);
    }
    return *id;
}

static struct net net_of(const char *const *words, const char *outputs)
{
    struct net net = { .g = al_graph_new(1 << 20) };

    assert_non_null(net.g);
    for (size_t i = 0; i < 128; i++)
        net.value[i] = AL_NO_VALUE;
    assert_int_equal(al_graph_add_input(net.g, value_of(&net, 'x'), NULL), AL_OK);
    for (; *words; words++) {
        uint32_t in[2], out, id;
        size_t n = 0;

        for (; (*words)[n + 1]; n++)
            in[n] = value_of(&net, (*words)[n]);
        out = value_of(&net, (*words)[n]);
        struct al_node node = { .op = n == 1 ? AL_OP_RELU : AL_OP_ADD,
                                .name = *words,
                                .opset = 13,
                                .n_inputs = n,
                                .inputs = in,
                                .n_outputs = 1,
                                .outputs = &out };
        assert_int_equal(al_graph_add_node(net.g, &node, &id, NULL), AL_OK);
    }
    for (; *outputs; outputs++)
        assert_int_equal(al_graph_add_output(net.g, value_of(&net, *outputs), NULL),
                         AL_OK);
    return net;
}

/* The cut as text: "T0:ab B0:c T1:d". */
static void assert_cut(struct net *net, const char *exits, const char *gates,
                       const char *expected)
{
    static const char part_names[AL_N_PARTS] = { 'T', 'G', 'B' };
    uint32_t exit_ids[AL_MAX_STAGES], gate_ids[AL_MAX_STAGES];
    struct al_stages st;
    struct al_error err = { 0 };
    char text[256];
    size_t n = 0;
    size_t n_exits = 0;

    for (; exits[n_exits]; n_exits++) {
        exit_ids[n_exits] = value_of(net, exits[n_exits]);
        gate_ids[n_exits] =
            gates && gates[n_exits] != ' ' ? value_of(net, gates[n_exits]) : AL_NO_VALUE;
    }
    if (al_pass_stages(net->g, n_exits, exit_ids, gate_ids, &st, &err) != AL_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < st.n_nodes; i++) {
        const struct al_node *node = al_graph_node(net->g, st.nodes[i]);
        const char *name = al_graph_value(net->g, node->outputs[0])->name;

        if (i == 0 || st.slots[i] != st.slots[i - 1])
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%c%u:", i ? " " : "",
                                  part_names[st.slots[i] % AL_N_PARTS],
                                  (unsigned)(st.slots[i] / AL_N_PARTS));
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", name);
    }
    text[n] = '\0';
    assert_string_equal(text, expected);
    al_graph_free(net->g);
}

static void trunk_and_branches_are_told_apart(void **state)
{
    const char *const words[] = { "xa", "ab", "bp", "pq", "bc", "cr", "cd", NULL };
    struct net net = net_of(words, "qrd");

    (void)state;
    assert_cut(&net, "qrd", NULL, "T0:ab B0:pq T1:c B1:r T2:d");
}

static void one_exit_has_only_a_trunk(void **state)
{
    const char *const words[] = { "xa", "ab", NULL };
    struct net net = net_of(words, "b");

    (void)state;
    assert_cut(&net, "b", NULL, "T0:ab");
}

static void what_no_exit_needs_is_left_out(void **state)
{
    const char *const words[] = { "xa", "au", "uv", "ab", NULL };
    struct net net = net_of(words, "bv");

    (void)state;
    assert_cut(&net, "b", NULL, "T0:ab");
}

static void a_plain_graph_is_one_trunk_for_all_outputs(void **state)
{
    const char *const words[] = { "xa", "au", "ab", "aw", NULL };
    struct net net = net_of(words, "bu");

    (void)state;
    assert_cut(&net, "", NULL, "T0:aub");
}

static void a_branch_that_a_later_exit_reads_is_trunk(void **state)
{
    const char *const words[] = { "xa", "ap", "pq", "ab", "bqd", NULL };
    struct net net = net_of(words, "qd");

    (void)state;
    assert_cut(&net, "qd", NULL, "T0:apq T1:bd");
}

static void a_gate_has_its_own_part(void **state)
{
    const char *const words[] = { "xa", "ag", "gh", "ap", "ab", NULL };
    struct net net = net_of(words, "phb");

    (void)state;
    assert_cut(&net, "pb", "h ", "T0:a G0:gh B0:p T1:b");
}

static void what_gate_and_branch_share_is_trunk(void **state)
{
    const char *const words[] = { "xa", "as", "sh", "sp", "ab", NULL };
    struct net net = net_of(words, "phb");

    (void)state;
    assert_cut(&net, "pb", "h ", "T0:as G0:h B0:p T1:b");
}

static void a_node_runs_in_the_first_stage_that_needs_it(void **state)
{
    const char *const words[] = { "xa", "ab", "bc", "ap", "acq", "cd", NULL };
    struct net net = net_of(words, "pqd");

    (void)state;
    assert_cut(&net, "pqd", NULL, "T0:a B0:p T1:bc B1:q T2:d");
}

static void assert_refused(const char *exits, const char *text)
{
    const char *const words[] = { "xa", "ap", "pb", "bd", NULL };
    struct net net = net_of(words, "pd");
    uint32_t ids[2] = { value_of(&net, exits[0]), value_of(&net, exits[1]) };
    struct al_stages st;
    struct al_error err = { 0 };

    assert_int_equal(al_pass_stages(net.g, 2, ids, NULL, &st, &err), AL_INVALID);
    assert_string_equal(err.text, text);
    al_graph_free(net.g);
}

static void exits_out_of_order_or_twice_are_refused(void **state)
{
    (void)state;
    assert_refused("dp",
                   "exit 'p' is needed by 'd': exits must be listed earliest first");
    assert_refused("pp", "exit 'p' is listed twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trunk_and_branches_are_told_apart),
        cmocka_unit_test(one_exit_has_only_a_trunk),
        cmocka_unit_test(what_no_exit_needs_is_left_out),
        cmocka_unit_test(a_plain_graph_is_one_trunk_for_all_outputs),
        cmocka_unit_test(a_branch_that_a_later_exit_reads_is_trunk),
        cmocka_unit_test(a_gate_has_its_own_part),
        cmocka_unit_test(what_gate_and_branch_share_is_trunk),
        cmocka_unit_test(a_node_runs_in_the_first_stage_that_needs_it),
        cmocka_unit_test(exits_out_of_order_or_twice_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
