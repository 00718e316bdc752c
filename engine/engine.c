#include "engine/engine.h"

#include <string.h>

#include "engine/base/arena.h"
#include "engine/kern/cpu.h"
#include "engine/model.h"

static const char *const precision_names[AL_N_PRECISIONS] = {
#define X(id, name) [AL_PRECISION_##id] = (name),
    AL_PRECISION_LIST(X)
#undef X
};

const char *al_precision_name(enum al_precision p)
{
    return precision_names[p];
}

enum al_precision al_precision_find(const char *name)
{
    int i = 0;

    while (i < AL_N_PRECISIONS && strcmp(precision_names[i], name) != 0)
        i++;
    return (enum al_precision)i;
}

size_t al_model_n_inputs(const struct al_model *m)
{
    return m->n_inputs;
}

size_t al_model_n_outputs(const struct al_model *m)
{
    return m->n_outputs;
}

size_t al_model_n_stages(const struct al_model *m)
{
    return m->plan.n_stages;
}

size_t al_model_n_steps(const struct al_model *m)
{
    return m->plan.n_steps;
}

size_t al_model_max_rows(const struct al_model *m)
{
    return m->max_rows;
}

size_t al_model_weight_bytes(const struct al_model *m)
{
    size_t bytes = 0;

    for (size_t i = 0; i < m->plan.n_steps; i++)
        bytes += m->plan.steps[i].weight_bytes;
    return bytes;
}

enum al_precision al_model_precision(const struct al_model *m)
{
    return m->precision;
}

struct al_tensor_info al_model_input(const struct al_model *m, size_t i)
{
    return m->inputs[i];
}

struct al_tensor_info al_model_output(const struct al_model *m, size_t i)
{
    return m->outputs[i];
}

struct al_stage_info al_model_stage(const struct al_model *m, size_t k)
{
    return m->stages[k];
}

struct al_step_info al_model_step(const struct al_model *m, size_t i)
{
    const struct al_step *s = &m->plan.steps[i];

    return (struct al_step_info){
        .kind = s->kind,
        .node = s->node,
        .op = s->op,
        .kernel = s->kernel,
        .stage = s->slot / AL_N_PARTS,
        .branch = s->slot % AL_N_PARTS != AL_PART_TRUNK,
        .shape = s->shape,
        .macs = s->macs,
        .weight_bytes = s->weight_bytes,
        .candidates = s->candidates,
        .n_candidates = s->n_candidates,
    };
}

size_t al_model_row_bytes(const struct al_model *m)
{
    return m->plan.carry_bytes;
}

/* Inputs, outputs and probabilities lie in the row's own memory. */
static char *in_row(const struct al_place *p, const void *row)
{
    struct al_lane lane = { .home[AL_HOME_CARRY] = (char *)(uintptr_t)row };

    return al_at(p, &lane);
}

void *al_row_input(const struct al_model *m, void *row, size_t i)
{
    return in_row(&m->plan.inputs[i], row);
}

const void *al_row_output(const struct al_model *m, const void *row, size_t i)
{
    return in_row(&m->plan.outputs[i], row);
}

const float *al_row_probs(const struct al_model *m, const void *row, size_t k)
{
    return (const float *)(const void *)in_row(&m->plan.probs[k], row);
}

void al_model_free(struct al_model *m)
{
    if (m)
        al_arena_free(m->arena);
}

unsigned al_engine_cpu_flags(void)
{
    return al_cpu_detect();
}

bool al_engine_cpu_mask(const char *text, unsigned *ret_mask)
{
    return al_cpu_parse_mask(text, ret_mask);
}

const char *al_engine_cpu_name(unsigned flags)
{
    return al_cpu_name(flags);
}
