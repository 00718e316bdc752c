/* load.c — from an ONNX file's bytes to a model that runs: import, infer and fold, clean
 * and fuse, cut into stages, plan. */
#include <string.h>

#include "engine/base/arena.h"
#include "engine/exec/build.h"
#include "engine/exec/choose.h"
#include "engine/exec/eval.h"
#include "engine/graph/graph.h"
#include "engine/kern/cpu.h"
#include "engine/model.h"
#include "engine/onnx/import.h"
#include "engine/pass/pass.h"
#include "engine/pass/stages.h"

#define DEFAULT_ROWS         32
/* Of packed weights, at least, unless all are fewer. */
#define GATHER_BYTES         ((size_t)32 << 20)
#define DEFAULT_MEMORY_BYTES ((size_t)4 << 30)
/* Work slices of a group of rows: they should stay in the last-level cache that workers
 * share, and yet rows of one group share the weights they load (measured on ResNet-50,
 * DenseNet-121, SqueezeNet, MobileNetV2, AlexNet, GoogLeNet: within 4 % of the best). */
#define GROUP_BYTES          ((size_t)14 << 20)
#define BLOCK_WIDE           16
#define BLOCK_NARROW         8

/* What exists only while a model loads. */
struct loading {
    const struct al_model_params *params;
    struct al_graph *graph;
    struct al_choice *choice;
    uint32_t exits[AL_MAX_STAGES], gates[AL_MAX_STAGES];
    struct al_stages stages;
    struct al_model *model;
};

static size_t limit_of(const struct al_model_params *p)
{
    return p->memory_limit_bytes ? p->memory_limit_bytes : DEFAULT_MEMORY_BYTES;
}

static enum al_status import(struct loading *l, struct al_error *err)
{
    const struct al_model_params *p = l->params;
    struct al_onnx_shape shapes[AL_MAX_STAGES];
    struct al_onnx_params onnx = { .bytes = p->onnx,
                                   .n_bytes = p->onnx_bytes,
                                   .shapes = shapes,
                                   .n_shapes = p->n_shapes,
                                   .limit_bytes = limit_of(p),
                                   .forget = p->forget,
                                   .forget_arg = p->forget_arg };

    if (p->n_shapes > AL_MAX_STAGES)
        return al_fail(err, AL_TOO_LARGE, "%zu input shapes, at most %d", p->n_shapes,
                       AL_MAX_STAGES);
    for (size_t i = 0; i < p->n_shapes; i++)
        shapes[i] = (struct al_onnx_shape){ p->shapes[i].tensor, p->shapes[i].shape };
    return al_onnx_import(&onnx, &l->graph, err);
}

/* ---- exits ---- */

static bool is_output(const struct al_graph *g, uint32_t value)
{
    size_t n;
    const uint32_t *outputs = al_graph_outputs(g, &n);

    for (size_t i = 0; i < n; i++)
        if (outputs[i] == value)
            return true;
    return false;
}

/* Passes keep the names of graph outputs; so what the model is cut at must be one. */
static enum al_status keep_as_output(struct al_graph *g, const char *name,
                                     struct al_error *err)
{
    uint32_t value = al_graph_find(g, name);

    if (value == AL_NO_VALUE)
        return al_fail(err, AL_NOT_FOUND, "the graph has no tensor '%s'", name);
    return is_output(g, value) ? AL_OK : al_graph_add_output(g, value, err);
}

static enum al_status keep_exits(struct loading *l, struct al_error *err)
{
    const struct al_model_params *p = l->params;

    if (p->n_exits > AL_MAX_STAGES)
        return al_fail(err, AL_TOO_LARGE, "%zu exits, at most %d", p->n_exits,
                       AL_MAX_STAGES);
    for (size_t k = 0; k < p->n_exits; k++) {
        enum al_status s = keep_as_output(l->graph, p->exits[k].tensor, err);
        if (s == AL_OK && p->exits[k].gate)
            s = keep_as_output(l->graph, p->exits[k].gate, err);
        if (s != AL_OK)
            return al_error_prefix(err, s, "exit '%s'", p->exits[k].name);
    }
    return AL_OK;
}

static enum al_status check_exit(const struct al_value *v, struct al_error *err)
{
    char text[128];

    if (v->dtype != AL_F32)
        return al_fail(err, AL_INVALID, "tensor '%s' holds %s, not F32", v->name,
                       al_dtype_name(v->dtype));
    if (v->shape.rank != 2 || v->shape.dims[0] != 1 || v->shape.dims[1] < 1)
        return al_fail(err, AL_INVALID, "tensor '%s' is %s, not [1,classes]", v->name,
                       al_shape_text(&v->shape, text, sizeof(text)));
    return AL_OK;
}

static enum al_status check_gate(const struct al_value *v, struct al_error *err)
{
    if (v->dtype != AL_F32 || al_value_count(v) != 1)
        return al_fail(err, AL_INVALID, "gate '%s' is not one number of type F32",
                       v->name);
    return AL_OK;
}

static enum al_status find_exits(struct loading *l, struct al_error *err)
{
    const struct al_model_params *p = l->params;
    enum al_status s = AL_OK;

    for (size_t k = 0; s == AL_OK && k < p->n_exits; k++) {
        const struct al_exit_spec *e = &p->exits[k];

        l->exits[k] = al_graph_find(l->graph, e->tensor);
        l->gates[k] = e->gate ? al_graph_find(l->graph, e->gate) : AL_NO_VALUE;
        s = check_exit(al_graph_value(l->graph, l->exits[k]), err);
        if (s == AL_OK && e->gate)
            s = check_gate(al_graph_value(l->graph, l->gates[k]), err);
        if (s != AL_OK)
            return al_error_prefix(err, s, "exit '%s'", e->name);
    }
    return s;
}

/* ---- the plan ---- */

/* Blocks of 16 channels suit wide layers; networks whose layers are mostly narrower would
 * compute with half-empty vectors. */
static int32_t block_by_rule(const struct al_graph *g, const struct al_stages *st)
{
    double wide = 0, narrow = 0;

    for (size_t i = 0; i < st->n_nodes; i++) {
        const struct al_node *n = al_graph_node(g, st->nodes[i]);
        if (n->op != AL_OP_CONV)
            continue;
        const struct al_value *y = al_graph_value(g, n->outputs[0]);
        const struct al_value *w = al_graph_value(g, n->inputs[1]);
        if (y->shape.rank != 4 || w->shape.rank != 4)
            continue;
        int64_t c = y->shape.dims[1];
        double per_channel = (double)al_value_count(w) *
                             (double)(y->shape.dims[2] * y->shape.dims[3]) / (double)c;
        wide += per_channel * (double)((c + 15) / 16 * 16);
        narrow += per_channel * (double)((c + 7) / 8 * 8) * 1.25;
    }
    return wide <= narrow ? BLOCK_WIDE : BLOCK_NARROW;
}

static size_t constant_bytes(const struct al_graph *g)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < al_graph_n_values(g); i++) {
        const struct al_value *v = al_graph_value(g, i);

        if (v->data)
            bytes += al_tensor_bytes(&(struct al_tensor){ v->dtype, v->shape, NULL });
    }
    return bytes;
}

/* A run reads the packed weights from first to last, some once only: what lies side by
 * side in huge pages comes fast. ResNet-110 takes 1.25 times as long without. */
static void gather_weights(const struct loading *l)
{
    const size_t bytes = constant_bytes(l->graph);

    al_arena_gather(l->model->arena, bytes < GATHER_BYTES ? bytes : GATHER_BYTES);
}

static enum al_status plan(struct loading *l, unsigned cpu_flags, struct al_error *err)
{
    const struct al_model_params *p = l->params;
    struct al_build_params build = {
        .graph = l->graph,
        .stages = &l->stages,
        .exits = p->n_exits ? l->exits : NULL,
        .gates = p->n_exits ? l->gates : NULL,
        .arena = l->model->arena,
        .precision = (enum al_conv_precision)p->precision,
        .cpu_flags = cpu_flags,
        .block = cpu_flags & AL_CPU_AVX512 ? block_by_rule(l->graph, &l->stages)
                                           : BLOCK_NARROW,
        .max_rows = l->model->max_rows,
        .limit_bytes = limit_of(p),
        .choice = l->choice,
    };

    gather_weights(l);
    return al_plan_build(&build, &l->model->plan, err);
}

/* ---- descriptions ---- */

static enum al_status describe_values(struct loading *l, const uint32_t *values, size_t n,
                                      struct al_tensor_info **ret, struct al_error *err)
{
    struct al_arena *arena = l->model->arena;
    struct al_tensor_info *infos = al_arena_alloc(arena, n + 1, sizeof(*infos));

    for (size_t i = 0; infos && i < n; i++) {
        const struct al_value *v = al_graph_value(l->graph, values[i]);

        infos[i] = (struct al_tensor_info){
            .name = al_arena_strndup(arena, v->name, strlen(v->name)),
            .dtype = v->dtype,
            .shape = v->shape,
            .batched = v->batched,
        };
        if (!infos[i].name)
            infos = NULL;
    }
    *ret = infos;
    return infos ? AL_OK : al_fail(err, AL_NO_MEMORY, "descriptions of %zu tensors", n);
}

static enum al_status describe(struct loading *l, struct al_error *err)
{
    struct al_model *m = l->model;
    const uint32_t *inputs = al_graph_inputs(l->graph, &m->n_inputs);
    const uint32_t *outputs = al_graph_outputs(l->graph, &m->n_outputs);
    enum al_status s = describe_values(l, inputs, m->n_inputs, &m->inputs, err);

    if (l->params->n_exits)
        m->n_outputs = 0;
    if (s == AL_OK)
        s = describe_values(l, outputs, m->n_outputs, &m->outputs, err);
    return s;
}

static bool computes_in_bf16(const struct al_plan *plan)
{
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].precision == AL_CONV_BF16)
            return true;
    return false;
}

static enum al_status describe_stages(struct loading *l, struct al_error *err)
{
    struct al_model *m = l->model;

    m->n_exits = l->params->n_exits;
    for (size_t i = 0; i < m->plan.n_steps; i++) {
        const struct al_step *step = &m->plan.steps[i];
        struct al_stage_info *info = &m->stages[step->slot / AL_N_PARTS];

        if (step->slot % AL_N_PARTS == AL_PART_TRUNK)
            info->trunk_macs += step->macs;
        else
            info->branch_macs += step->macs;
    }
    for (size_t k = 0; k < m->n_exits; k++) {
        const struct al_exit_spec *e = &l->params->exits[k];
        const char *name = al_arena_strndup(m->arena, e->name, strlen(e->name));

        if (!name)
            return al_fail(err, AL_NO_MEMORY, "exit '%s'", e->name);
        m->stages[k].exit_name = name;
        m->stages[k].n_classes =
            (size_t)al_graph_value(l->graph, l->exits[k])->shape.dims[1];
        m->has_gate[k] = e->gate != NULL;
        m->probabilities[k] = e->probabilities;
    }
    return AL_OK;
}

/* ---- loading ---- */

static enum al_status prepare_graph(struct loading *l, struct al_error *err)
{
    enum al_status s = import(l, err);

    if (s == AL_OK)
        s = keep_exits(l, err);
    if (s == AL_OK)
        s = al_pass_all(l->graph, al_eval_node, err);
    if (s == AL_OK)
        s = find_exits(l, err);
    if (s == AL_OK)
        s = al_pass_stages(l->graph, l->params->n_exits, l->exits, l->gates, &l->stages,
                           err);
    return s;
}

static enum al_status new_model(struct loading *l, struct al_error *err)
{
    const struct al_model_params *p = l->params;
    struct al_arena *arena = al_arena_new(limit_of(p));
    struct al_model *m = arena ? al_arena_alloc(arena, 1, sizeof(*m)) : NULL;

    if (!m) {
        al_arena_free(arena);
        return al_fail(err, AL_NO_MEMORY, "a model");
    }
    m->arena = arena;
    m->max_rows = p->max_rows ? p->max_rows : DEFAULT_ROWS;
    m->max_threads = p->max_threads ? p->max_threads : 1;
    l->model = m;
    return AL_OK;
}

static size_t group_of(const struct al_model *m)
{
    size_t work = m->plan.work_bytes ? m->plan.work_bytes : 1;
    size_t rows = GROUP_BYTES / work;

    if (rows < 1)
        return 1;
    return rows < m->max_rows ? rows : m->max_rows;
}

static enum al_status build_model(struct loading *l, struct al_error *err)
{
    unsigned cpu_flags = al_cpu_detect() & l->params->cpu_mask;
    enum al_status s = new_model(l, err);

    if (s != AL_OK)
        return s;
    l->choice = al_choice_new(&(struct al_choice_params){
        .cpu_flags = cpu_flags,
        .precision = (enum al_conv_precision)l->params->precision,
        .now_ns = l->params->now_ns,
        .file = l->params->choice_file,
    });
    if (!l->choice)
        return al_fail(err, AL_NO_MEMORY, "a model");
    s = plan(l, cpu_flags, err);
    if (s == AL_OK)
        s = describe(l, err);
    if (s == AL_OK)
        s = describe_stages(l, err);
    l->model->group_rows = group_of(l->model);
    l->model->precision = l->params->precision;
    if (s == AL_OK && l->params->precision == AL_PRECISION_BF16 &&
        !computes_in_bf16(&l->model->plan))
        l->model->precision = AL_PRECISION_DEFAULT;
    return s;
}

enum al_status al_model_load(const struct al_model_params *p, struct al_model **ret,
                             struct al_error *err)
{
    struct loading l = { .params = p };
    enum al_status s = prepare_graph(&l, err);

    if (s == AL_OK)
        s = build_model(&l, err);
    if (s == AL_OK) {
        al_choice_save(l.choice);
        *ret = l.model;
    } else {
        al_model_free(l.model);
    }
    al_choice_free(l.choice);
    al_graph_free(l.graph);
    return s;
}
