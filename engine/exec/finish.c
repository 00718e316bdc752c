#include "engine/exec/place.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/exec/memory.h"

static const struct al_place *copy_places(struct al_builder *b, const uint32_t *buffers,
                                          size_t n)
{
    struct al_place *places = al_build_alloc(b, n + 1, sizeof(*places));

    for (size_t i = 0; places && i < n; i++)
        places[i] = b->buffers[buffers[i]].place;
    return places;
}

/* "Conv+Add+Relu": the operator and what is fused with it. */
static char *op_text(struct al_builder *b, const struct al_draft *d)
{
    static const char *const acts[] = {
        [AL_ACT_NONE] = "",
        [AL_ACT_RELU] = "+Relu",
        [AL_ACT_CLIP] = "+Clip",
        [AL_ACT_LEAKY_RELU] = "+LeakyRelu",
        [AL_ACT_HARD_SWISH] = "+HardSwish",
        [AL_ACT_SIGMOID] = "+Sigmoid",
        [AL_ACT_TANH] = "+Tanh",
        [AL_ACT_GELU] = "+Gelu",
        [AL_ACT_GELU_TANH] = "+Gelu",
    };
    const struct al_node *n = al_graph_node(b->p.graph, d->node);
    char text[64];
    int length = snprintf(text, sizeof(text), "%s%s%s%s", al_op_info(n->op)->name,
                          n->post.add == AL_NO_VALUE ? "" : "+Add", acts[n->post.act],
                          d->suffix ? d->suffix : "");

    return al_arena_strndup(b->p.arena, text, (size_t)length);
}

/* The step's texts; the graph's own will be gone. */
static enum al_status describe(struct al_builder *b, struct al_draft *d,
                               struct al_error *err)
{
    struct al_arena *arena = b->p.arena;
    const char *name;

    if (d->node == AL_NO_NODE) { /* a reorder of the buffer's value */
        name = al_value_of(b, b->buffers[d->out[0]].value)->name;
        d->step.op = "Reorder";
    } else {
        name = al_graph_node(b->p.graph, d->node)->name;
        d->step.op = op_text(b, d);
    }
    d->step.node = al_arena_strndup(arena, name, strlen(name));
    if (!d->step.node || !d->step.op)
        return al_fail(err, AL_NO_MEMORY, "a step's name");
    return AL_OK;
}

/* What a run needs beside its rows; the next thread's scratch is aligned, too. */
static enum al_status reserve(struct al_plan *plan, const struct al_step *s,
                              size_t limit_bytes, struct al_error *err)
{
    const size_t mask = AL_MEMORY_ALIGN - 1;

    if (s->scratch_bytes > limit_bytes ||
        s->n_pointers > (limit_bytes - s->scratch_bytes) / sizeof(void *))
        return al_fail(err, AL_TOO_LARGE,
                       "%zu bytes of scratch and %zu pointers, the limit is %zu bytes",
                       s->scratch_bytes, s->n_pointers, limit_bytes);

    if (s->scratch_bytes > plan->scratch_bytes)
        plan->scratch_bytes = (s->scratch_bytes + mask) & ~mask;
    if (s->n_pointers > plan->n_pointers)
        plan->n_pointers = s->n_pointers;
    return AL_OK;
}

static enum al_status finish_steps(struct al_builder *b, struct al_plan *plan,
                                   struct al_error *err)
{
    struct al_step *steps = al_build_alloc(b, b->n_drafts + 1, sizeof(*steps));

    if (!steps)
        return al_fail(err, AL_NO_MEMORY, "plan of %zu steps", b->n_drafts);
    for (size_t i = 0; i < b->n_drafts; i++) {
        struct al_draft *d = &b->drafts[i];

        if (d->elided)
            continue;
        d->step.in = copy_places(b, d->in, d->step.n_in);
        d->step.out = copy_places(b, d->out, d->step.n_out);
        if (!d->step.in || !d->step.out)
            return al_fail(err, AL_NO_MEMORY, "step %zu", i);
        enum al_status s = describe(b, d, err);
        if (s == AL_OK)
            s = d->finish(b, d, err);
        if (s != AL_OK)
            return al_error_prefix(err, s, "%s '%s'", d->step.op, d->step.node);
        s = reserve(plan, &d->step, b->p.limit_bytes, err);
        if (s != AL_OK)
            return al_error_prefix(err, s, "%s '%s'", d->step.op, d->step.node);
        steps[plan->n_steps++] = d->step;
    }
    plan->steps = steps;
    return AL_OK;
}

static void index_parts(struct al_plan *plan)
{
    size_t i = 0;

    for (uint32_t slot = 0; slot <= plan->n_stages * AL_N_PARTS; slot++) {
        while (i < plan->n_steps && plan->steps[i].slot < slot)
            i++;
        plan->part_begin[slot] = i;
    }
}

static enum al_status places_of(struct al_builder *b, const uint32_t *values, size_t n,
                                struct al_place **ret, struct al_error *err)
{
    struct al_place *places = al_build_alloc(b, n + 1, sizeof(*places));

    if (!places)
        return al_fail(err, AL_NO_MEMORY, "places of %zu values", n);
    for (size_t i = 0; i < n; i++)
        places[i] = b->buffers[al_build_find(b, values[i], AL_FORM_PLAIN)].place;
    *ret = places;
    return AL_OK;
}

static struct al_place result_place(struct al_builder *b, uint32_t value, uint32_t slot)
{
    b->slot = slot;
    return b->buffers[al_build_find(b, value, AL_FORM_PLAIN)].place;
}

/* Where exits, gates and probabilities are; the latter end the row's carry. */
static void place_results(struct al_builder *b, struct al_plan *plan)
{
    for (uint32_t k = 0; k < b->p.stages->n_stages; k++) {
        uint32_t slot = k * AL_N_PARTS;
        size_t bytes = al_value_count(al_value_of(b, b->p.exits[k])) * sizeof(float);

        plan->exits[k] = result_place(b, b->p.exits[k], slot + AL_PART_BRANCH);
        if (b->p.gates && b->p.gates[k] != AL_NO_VALUE)
            plan->gates[k] = result_place(b, b->p.gates[k], slot + AL_PART_GATE);
        plan->probs[k] = (struct al_place){ AL_HOME_CARRY, plan->carry_bytes, NULL };
        plan->carry_bytes += (bytes + AL_MEMORY_ALIGN - 1) & ~(AL_MEMORY_ALIGN - 1);
    }
}

enum al_status al_finish_all(struct al_builder *b, struct al_plan *plan,
                             struct al_error *err)
{
    size_t n_inputs, n_outputs;
    const uint32_t *inputs = al_graph_inputs(b->p.graph, &n_inputs);
    const uint32_t *outputs = al_graph_outputs(b->p.graph, &n_outputs);
    enum al_status s;

    plan->kern = b->kern;
    plan->n_pointers = 1;
    plan->n_stages = b->p.stages->n_stages;
    s = finish_steps(b, plan, err);
    if (s != AL_OK)
        return s;
    index_parts(plan);
    b->slot = 0;
    s = places_of(b, inputs, n_inputs, &plan->inputs, err);
    if (s != AL_OK)
        return s;
    if (b->p.exits) {
        place_results(b, plan);
        return AL_OK;
    }
    b->slot = AL_PART_BRANCH;
    return places_of(b, outputs, n_outputs, &plan->outputs, err);
}
