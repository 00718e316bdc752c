/* step_eval.c — every other operator, by its reference evaluation on plain tensors. */
#include <string.h>

#include "engine/base/arena.h"
#include "engine/exec/eval.h"
#include "engine/exec/family.h"
#include "engine/exec/memory.h"

#define OMITTED UINT32_MAX

/* A tensor of the evaluation and the operand of the step that holds its elements. */
struct operand {
    struct al_tensor tensor; /* without data */
    uint32_t index;          /* into al_step.in or out, or OMITTED */
};

struct eval_args {
    al_eval_fn eval;
    struct al_node node; /* a copy: the graph is gone when steps run */
    const struct operand *in, *out;
    size_t n_in, n_out;
    uint32_t add; /* index into al_step.in, or OMITTED */
    bool has_epilogue;
    size_t eval_scratch_bytes;
};

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    (void)b;
    (void)n;
    return true;
}

/* ---- running ---- */

static void fill_tensors(struct al_tensor *to, const struct operand *from, size_t n,
                         const struct al_place *places, const struct al_lane *lane)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i].tensor;
        if (from[i].index != OMITTED)
            to[i].data = al_at(&places[from[i].index], lane);
    }
}

static void run_eval(const struct al_step *s, struct al_run *r)
{
    const struct eval_args *a = s->args;
    struct al_tensor *tensors = (void *)(r->scratch + a->eval_scratch_bytes);
    struct al_eval e = { .node = &a->node,
                         .in = tensors,
                         .n_in = a->n_in,
                         .out = tensors + a->n_in,
                         .n_out = a->n_out,
                         .scratch = r->scratch };

    for (size_t i = 0; i < r->n; i++) {
        const struct al_lane *lane = &r->lanes[i];

        fill_tensors(tensors, a->in, a->n_in, s->in, lane);
        fill_tensors(e.out, a->out, a->n_out, s->out, lane);
        a->eval(&e);
        if (a->has_epilogue)
            al_eval_epilogue(&a->node.post, e.out[0].data,
                             a->add == OMITTED ? NULL : al_at(&s->in[a->add], lane),
                             al_tensor_count(&e.out[0]));
    }
}

/* ---- building ---- */

static const void *copy_bytes(struct al_builder *b, const void *from, size_t bytes)
{
    void *to = al_build_alloc(b, bytes + 1, 1);

    if (to && bytes)
        memcpy(to, from, bytes);
    return to;
}

static bool copy_attr(struct al_builder *b, struct al_attr *a)
{
    a->name = al_arena_strndup(b->p.arena, a->name, strlen(a->name));
    a->s = a->s ? al_arena_strndup(b->p.arena, a->s, strlen(a->s)) : "";
    a->ints = copy_bytes(b, a->ints, a->ints ? a->n * sizeof(*a->ints) : 0);
    a->floats = copy_bytes(b, a->floats, a->floats ? a->n * sizeof(*a->floats) : 0);
    if (a->type == AL_ATTR_TENSOR) {
        size_t bytes = al_tensor_bytes(&a->tensor);
        char *data = al_build_alloc(b, bytes + 1, 1);

        if (!data)
            return false;
        if (bytes)
            memcpy(data, a->tensor.data, bytes);
        a->tensor.data = data;
    }
    return a->name && a->s && a->ints && a->floats;
}

static enum al_status copy_node(struct al_builder *b, const struct al_node *n,
                                struct al_node *ret, struct al_error *err)
{
    struct al_attr *attrs = al_build_alloc(b, n->n_attrs + 1, sizeof(*attrs));
    bool whole = attrs != NULL;

    for (size_t i = 0; whole && i < n->n_attrs; i++) {
        attrs[i] = n->attrs[i];
        whole = copy_attr(b, &attrs[i]);
    }
    *ret = *n;
    ret->attrs = attrs;
    ret->name = al_arena_strndup(b->p.arena, n->name, strlen(n->name));
    ret->inputs = copy_bytes(b, n->inputs, n->n_inputs * sizeof(*n->inputs));
    ret->outputs = copy_bytes(b, n->outputs, n->n_outputs * sizeof(*n->outputs));
    if (!whole || !ret->name || !ret->inputs || !ret->outputs)
        return al_fail(err, AL_NO_MEMORY, "a node");
    return AL_OK;
}

/* Operands of `values`; the present ones are the step's, in order. */
static const struct operand *operands_of(struct al_builder *b, const uint32_t *values,
                                         size_t n)
{
    struct operand *operands = al_build_alloc(b, n + 1, sizeof(*operands));
    uint32_t next = 0;

    for (size_t i = 0; operands && i < n; i++) {
        operands[i].index = OMITTED;
        if (values[i] == AL_NO_VALUE)
            continue;
        const struct al_value *v = al_value_of(b, values[i]);
        operands[i].tensor = (struct al_tensor){ v->dtype, v->shape, NULL };
        operands[i].index = next++;
    }
    return operands;
}

static enum al_status finish(struct al_builder *b, struct al_draft *d,
                             struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    struct eval_args *a = al_build_alloc(b, 1, sizeof(*a));

    if (!a)
        return al_fail(err, AL_NO_MEMORY, "a step");
    enum al_status s = copy_node(b, n, &a->node, err);
    if (s != AL_OK)
        return s;
    a->eval = al_eval_find(b->p.graph, n, err);
    if (!a->eval)
        return AL_UNSUPPORTED;
    a->n_in = n->n_inputs;
    a->n_out = n->n_outputs;
    a->in = operands_of(b, n->inputs, n->n_inputs);
    a->out = operands_of(b, n->outputs, n->n_outputs);
    if (!a->in || !a->out)
        return al_fail(err, AL_NO_MEMORY, "a step");
    a->add = n->post.add == AL_NO_VALUE ? OMITTED : d->step.n_in - 1;
    a->has_epilogue = n->post.add != AL_NO_VALUE || n->post.act != AL_ACT_NONE;
    a->eval_scratch_bytes = (al_eval_scratch_bytes(b->p.graph, n) + AL_MEMORY_ALIGN - 1) &
                            ~(AL_MEMORY_ALIGN - 1);
    d->step.scratch_bytes =
        a->eval_scratch_bytes + (a->n_in + a->n_out) * sizeof(struct al_tensor);
    d->step.run = run_eval;
    d->step.args = a;
    d->step.kernel = "reference";
    return AL_OK;
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    uint32_t *in = al_build_temporary(b, n->n_inputs + 1, sizeof(*in));
    uint32_t *out = al_build_temporary(b, n->n_outputs, sizeof(*out));
    size_t n_in = 0, n_out = 0;
    struct al_draft *d;
    enum al_status s = AL_OK;

    if (!in || !out)
        return al_fail(err, AL_NO_MEMORY, "a step");
    for (size_t i = 0; s == AL_OK && i < n->n_inputs; i++)
        if (n->inputs[i] != AL_NO_VALUE)
            s = al_build_read(b, n->inputs[i], AL_FORM_PLAIN, &in[n_in++], err);
    if (s == AL_OK && n->post.add != AL_NO_VALUE)
        s = al_build_read(b, n->post.add, AL_FORM_PLAIN, &in[n_in++], err);
    for (size_t i = 0; s == AL_OK && i < n->n_outputs; i++)
        if (n->outputs[i] != AL_NO_VALUE)
            s = al_build_write(b, n->outputs[i], AL_FORM_PLAIN, &out[n_out++], err);
    if (s == AL_OK)
        s = al_build_step(b, id, in, n_in, out, n_out, finish, &d, err);
    return s;
}

const struct al_family al_family_eval = { fits, lower };
