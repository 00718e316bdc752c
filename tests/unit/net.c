#include "tests/unit/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/exec/eval.h"

#define LIMIT ((size_t)64 << 20)

struct al_graph *net_new(void)
{
    struct al_graph *g = al_graph_new(LIMIT);

    assert_non_null(g);
    return g;
}

/* Numbers of a linear congruential generator, mapped to -0.5 .. 0.5. */
static void fill(float *data, size_t n, uint32_t seed)
{
    uint32_t state = seed * 2654435761U + 1;

    for (size_t i = 0; i < n; i++) {
        state = state * 1664525U + 1013904223U;
        data[i] = (float)(state >> 8) / 16777216.0F - 0.5F;
    }
}

static uint32_t add_value(struct al_graph *g, const char *name, enum al_dtype dtype,
                          const struct al_shape *shape, const void *data)
{
    struct al_value v = { .name = name, .dtype = dtype, .producer = AL_NO_NODE };
    uint32_t id;

    if (shape) {
        v.shape = *shape;
        v.has_shape = true;
    }
    v.data = data;
    assert_int_equal(al_graph_add_value(g, &v, &id, NULL), AL_OK);
    return id;
}

uint32_t net_input(struct al_graph *g, const char *name, const struct al_shape *shape)
{
    uint32_t id = add_value(g, name, AL_F32, shape, NULL);

    assert_int_equal(al_graph_add_input(g, id, NULL), AL_OK);
    return id;
}

static uint32_t add_constant(struct al_graph *g, enum al_dtype dtype,
                             const struct al_shape *shape, const void *data)
{
    struct al_tensor t = { .dtype = dtype, .shape = *shape };
    void *copy = al_arena_alloc(al_graph_arena(g), al_tensor_bytes(&t), 1);

    assert_non_null(copy);
    if (data)
        memcpy(copy, data, al_tensor_bytes(&t));
    else
        fill(copy, al_tensor_count(&t), (uint32_t)al_graph_n_values(g));
    return add_value(g, NULL, dtype, shape, copy);
}

uint32_t net_weights(struct al_graph *g, const struct al_shape *shape)
{
    return add_constant(g, AL_F32, shape, NULL);
}

uint32_t net_floats(struct al_graph *g, const struct al_shape *shape, const float *data)
{
    return add_constant(g, AL_F32, shape, data);
}

uint32_t net_ints(struct al_graph *g, const struct al_shape *shape, const int64_t *data)
{
    return add_constant(g, AL_I64, shape, data);
}

uint32_t net_node(struct al_graph *g, enum al_op op, const char *name,
                  const uint32_t *inputs, size_t n_inputs, const struct al_attr *attrs,
                  size_t n_attrs)
{
    uint32_t out = add_value(g, name, AL_NO_DTYPE, NULL, NULL), id;
    struct al_node n = { .op = op,
                         .name = name,
                         .opset = 13,
                         .n_inputs = n_inputs,
                         .inputs = inputs,
                         .n_outputs = 1,
                         .outputs = &out,
                         .n_attrs = n_attrs,
                         .attrs = attrs };

    assert_int_equal(al_graph_add_node(g, &n, &id, NULL), AL_OK);
    return out;
}

void net_output(struct al_graph *g, uint32_t value)
{
    assert_int_equal(al_graph_add_output(g, value, NULL), AL_OK);
}

/* ---- running ---- */

static const struct al_tensor *input_of(const struct al_tensor *all, uint32_t id)
{
    static const struct al_tensor none;

    return id == AL_NO_VALUE ? &none : &all[id];
}

static void run_node(struct al_graph *g, const struct al_node *n, struct al_tensor *all)
{
    struct al_tensor in[16], out[16];
    struct al_error err = { 0 };

    assert_true(n->n_inputs <= 16 && n->n_outputs <= 16);
    for (size_t i = 0; i < n->n_inputs; i++)
        in[i] = *input_of(all, n->inputs[i]);
    for (size_t i = 0; i < n->n_outputs; i++)
        out[i] = *input_of(all, n->outputs[i]);
    if (al_eval_node(g, n, in, out, &err) != AL_OK)
        fail_msg("%s", err.text);
    if (n->post.act != AL_ACT_NONE || n->post.add != AL_NO_VALUE)
        al_eval_epilogue(&n->post, out[0].data, input_of(all, n->post.add)->data,
                         al_tensor_count(&out[0]));
}

size_t net_run(struct al_graph *g, size_t i, float *ret, size_t max)
{
    size_t n_values = al_graph_n_values(g), n_nodes, n;
    struct al_tensor *all = calloc(n_values, sizeof(*all));
    const uint32_t *order;

    assert_non_null(all);
    for (uint32_t id = 0; id < n_values; id++) {
        const struct al_value *v = al_graph_value(g, id);
        all[id] = al_graph_tensor(g, id);
        if (v->data || !v->has_shape)
            continue;
        all[id].data = calloc(al_tensor_bytes(&all[id]) + 1, 1);
        if (al_graph_is_input(g, id))
            fill(all[id].data, al_tensor_count(&all[id]), id + 77);
    }
    assert_int_equal(al_graph_sort(g, &order, &n_nodes, NULL), AL_OK);
    for (size_t k = 0; k < n_nodes; k++)
        run_node(g, al_graph_node(g, order[k]), all);
    const struct al_tensor *y = &all[al_graph_outputs(g, &n)[i]];
    n = al_tensor_count(y);
    assert_int_equal(y->dtype, AL_F32);
    memcpy(ret, y->data, (n < max ? n : max) * sizeof(*ret));
    for (uint32_t id = 0; id < n_values; id++)
        if (!al_graph_value(g, id)->data)
            free(all[id].data);
    free(all);
    return n;
}

size_t net_count(const struct al_graph *g, enum al_op op)
{
    size_t n = 0;

    for (uint32_t i = 0; i < al_graph_n_nodes(g); i++)
        n += al_graph_node(g, i)->op == op;
    return n;
}

size_t net_n_nodes(const struct al_graph *g)
{
    return al_graph_n_nodes(g) - net_count(g, AL_OP_NONE);
}
