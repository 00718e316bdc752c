/* alight inspect — what a model is made of: inputs, stages and exits, work and memory,
 * and the plan it runs by. */
#include <stdio.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/model.h"
#include "tools/printable.h"
#include "tools/report.h"

struct values {
    struct tl_model_args model;
    bool plan;
    bool json;
};

static const struct values defaults = { .plan = false };

static const struct tl_option options[] = {
    TL_MODEL_OPTIONS(struct values, "MODEL", "package folder or .onnx file"),
    { "--plan", TL_FLAG, offsetof(struct values, plan), NULL,
      "list every step with the kernel chosen for it" },
    { "--json", TL_FLAG, offsetof(struct values, json), NULL, "report as JSON" },
};

/* The part of the network a row runs, for sums. */
struct work {
    uint64_t trunk, branch; /* multiply-adds */
};

static struct work total_work(const struct al_model *m)
{
    struct work w = { 0, 0 };

    for (size_t k = 0; k < al_model_n_stages(m); k++) {
        const struct al_stage_info info = al_model_stage(m, k);

        w.trunk += info.trunk_macs;
        w.branch += info.branch_macs;
    }
    return w;
}

static json_t *tensor_json(const struct al_tensor_info *t)
{
    json_t *dims = json_array();

    for (size_t i = 0; i < t->shape.rank; i++)
        dims = tl_json_added(dims,
                             json_integer(i == 0 && t->batched ? -1 : t->shape.dims[i]));
    return json_pack("{s:o, s:s, s:o}", "name", tl_json_text(t->name), "type",
                     al_dtype_name(t->dtype), "shape", dims);
}

static json_t *tensors_json(const struct al_model *m, size_t n,
                            struct al_tensor_info (*get)(const struct al_model *, size_t))
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++) {
        const struct al_tensor_info info = get(m, i);

        array = tl_json_added(array, tensor_json(&info));
    }
    return array;
}

static json_t *stages_json(const struct al_model *m)
{
    json_t *array = json_array();

    for (size_t k = 0; k < al_model_n_stages(m); k++) {
        const struct al_stage_info info = al_model_stage(m, k);

        array = tl_json_added(array, json_pack("{s:o, s:I, s:I, s:I}", "exit",
                                               tl_json_text(info.exit_name), "classes",
                                               (json_int_t)info.n_classes, "trunk_macs",
                                               (json_int_t)info.trunk_macs, "branch_macs",
                                               (json_int_t)info.branch_macs));
    }
    return array;
}

static json_t *candidates_json(const struct al_step_info *s)
{
    json_t *array = json_array();

    for (size_t i = 0; i < s->n_candidates; i++)
        array =
            tl_json_added(array, json_pack("{s:s, s:f}", "kernel", s->candidates[i].name,
                                           "us", (double)s->candidates[i].ns / 1e3));
    return array;
}

static json_t *plan_json(const struct al_model *m)
{
    json_t *array = json_array();
    char shape[128];

    for (size_t i = 0; i < al_model_n_steps(m); i++) {
        const struct al_step_info s = al_model_step(m, i);

        array = tl_json_added(
            array,
            json_pack("{s:o, s:s, s:s, s:i, s:b, s:s, s:I, s:I, s:o}", "node",
                      tl_json_text(s.node), "op", s.op, "kernel", s.kernel, "stage",
                      (int)s.stage, "branch", s.branch, "shape",
                      al_shape_text(&s.shape, shape, sizeof(shape)), "macs",
                      (json_int_t)s.macs, "weight_bytes", (json_int_t)s.weight_bytes,
                      "candidates", candidates_json(&s)));
    }
    return array;
}

static json_t *report_json(const struct values *v, const struct tl_model *m)
{
    const struct al_model *model = m->model;
    json_t *report = json_pack(
        "{s:o, s:o, s:o, s:o, s:I, s:I, s:s}", "model",
        tl_json_text(m->package ? m->package->name : v->model.path), "inputs",
        tensors_json(model, al_model_n_inputs(model), al_model_input), "outputs",
        tensors_json(model, al_model_n_outputs(model), al_model_output), "stages",
        stages_json(model), "weight_bytes", (json_int_t)al_model_weight_bytes(model),
        "row_bytes", (json_int_t)al_model_row_bytes(model), "cpu",
        al_engine_cpu_name(al_engine_cpu_flags()));

    if (report && m->package)
        (void)json_object_set_new(report, "levels",
                                  json_integer(m->package->policy.n_levels));
    if (report && v->plan)
        (void)json_object_set_new(report, "plan", plan_json(model));
    return report;
}

static void print_tensor(const char *what, const struct al_tensor_info *t)
{
    char shape[128];

    (void)printf("%-8s %-20s %s %s%s\n", what, tl_printable(t->name).text,
                 al_dtype_name(t->dtype), al_shape_text(&t->shape, shape, sizeof(shape)),
                 t->batched ? " a row, any number of rows" : "");
}

static void print_stages(const struct al_model *m)
{
    uint64_t trunk = 0, branches = 0;
    const double full = (double)total_work(m).trunk;

    (void)printf("\n%-5s %-20s %8s %14s %14s %12s\n", "stage", "exit", "classes",
                 "trunk MACs", "branch MACs", "MACs to there");
    for (size_t k = 0; k < al_model_n_stages(m); k++) {
        const struct al_stage_info s = al_model_stage(m, k);

        trunk += s.trunk_macs;
        branches += s.branch_macs;
        (void)printf("%-5zu %-20s %8zu %14llu %14llu %10.1f %%\n", k,
                     tl_printable(s.exit_name).text, s.n_classes,
                     (unsigned long long)s.trunk_macs, (unsigned long long)s.branch_macs,
                     full > 0 ? 100 * (double)(trunk + branches) / full : 100.0);
    }
}

/* The kernels that were measured for a step, the chosen one first. */
static void print_candidates(const struct al_step_info *s)
{
    for (size_t chosen = 2; chosen-- > 0;)
        for (size_t i = 0; i < s->n_candidates; i++) {
            const struct al_candidate *c = &s->candidates[i];

            if (!c->ns || (strcmp(c->name, s->kernel) == 0) != (chosen == 1))
                continue;
            (void)printf("%38s %-24s %8.1f us %7.1f GF/s\n", chosen ? "chosen" : "not",
                         c->name, (double)c->ns / 1e3,
                         2 * (double)s->macs / (double)c->ns);
        }
}

static void print_plan(const struct al_model *m)
{
    (void)printf("\n%-6s %-24s %-20s %-16s %-16s %12s %10s\n", "part", "node", "op",
                 "kernel", "shape", "MACs", "weights");
    for (size_t i = 0; i < al_model_n_steps(m); i++) {
        const struct al_step_info s = al_model_step(m, i);
        char shape[128];

        (void)printf("%u%-5s %-24.24s %-20.20s %-16s %-16s %12llu %10zu\n", s.stage,
                     s.branch ? "b" : "", tl_printable(s.node).text, s.op, s.kernel,
                     al_shape_text(&s.shape, shape, sizeof(shape)),
                     (unsigned long long)s.macs, s.weight_bytes);
        print_candidates(&s);
    }
}

static void print_report(const struct values *v, const struct tl_model *m)
{
    const struct al_model *model = m->model;
    const struct work w = total_work(model);

    (void)printf("%s\n", m->package ? m->package->name : v->model.path);
    for (size_t i = 0; i < al_model_n_inputs(model); i++) {
        const struct al_tensor_info t = al_model_input(model, i);

        print_tensor("input", &t);
    }
    for (size_t i = 0; i < al_model_n_outputs(model); i++) {
        const struct al_tensor_info t = al_model_output(model, i);

        print_tensor("output", &t);
    }
    (void)printf(
        "work     %.3f million multiply-adds a row, branches %.3f million more\n",
        (double)w.trunk / 1e6, (double)w.branch / 1e6);
    (void)printf("memory   %.1f KiB of packed weights, %.1f KiB a row\n",
                 (double)al_model_weight_bytes(model) / 1024,
                 (double)al_model_row_bytes(model) / 1024);
    (void)printf("cpu      %s\n", al_engine_cpu_name(al_engine_cpu_flags()));
    if (m->package)
        (void)printf("policy   %s\n", m->package->has_policy
                                          ? "calibrated"
                                          : "none; 'alight calibrate' makes one");
    print_stages(model);
    if (v->plan)
        print_plan(model);
}

static enum al_status check(const void *values, struct al_error *err)
{
    return tl_model_check(&((const struct values *)values)->model, err);
}

static enum al_status run(const void *values, struct al_error *err)
{
    const struct values *v = values;
    struct tl_model m;
    enum al_status s = tl_model_open(&v->model, &m, err);

    if (s != AL_OK)
        return s;
    if (v->json)
        s = tl_report_json(report_json(v, &m), err);
    else
        print_report(v, &m);
    tl_model_done(&m);
    return s;
}

const struct tl_command tl_cmd_inspect = {
    .name = "inspect",
    .summary = "stages, exits, work, memory and plan of a model",
    .description =
        "Shows what a model is made of and how it would be run on this machine.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .defaults = &defaults,
    .values_size = sizeof(defaults),
    .check = check,
    .run = run,
};
