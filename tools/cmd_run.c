/* alight run — any model on .npy inputs: every output as .npy. A model whose inputs leave
 * the leading dimension open runs for every row of it, --batch at a time, and the rows
 * are stacked again. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/check.h"
#include "tools/commands.h"
#include "tools/model.h"
#include "tools/npy.h"
#include "tools/printable.h"
#include "tools/report.h"
#include "tools/runner.h"

enum {
    MAX_INPUTS = TL_MAX_LIST,
    MAX_PATH = 4096
};

struct values {
    struct tl_model_args model;
    struct tl_strings inputs;
    size_t batch;
    const char *output_dir;
    bool json;
};

static const struct values defaults = { .batch = 1, .output_dir = "." };

static const struct tl_option options[] = {
    TL_MODEL_OPTIONS(struct values, "MODEL", "package folder or .onnx file"),
    { "--input", TL_STRINGS, offsetof(struct values, inputs), "NAME=FILE.npy",
      "an input's values; once for each input" },
    { "--batch", TL_SIZE, offsetof(struct values, batch), "N",
      "rows run together; their bits are the same alone", 1, 4096 },
    { "--output-dir", TL_STRING, offsetof(struct values, output_dir), "FOLDER",
      "where <output's name>.npy go; made if missing" },
    { "--json", TL_FLAG, offsetof(struct values, json), NULL,
      "list the outputs as JSON" },
};

/* The inputs as given. */
struct given {
    size_t n;
    char *name[MAX_INPUTS];
    struct al_tensor tensor[MAX_INPUTS]; /* data owned */
};

struct job {
    const struct values *values;
    struct given given;
    struct tl_model model;
    struct tl_runner *runner;
    size_t n_rows;
    bool stacked; /* some input holds rows: so does every output with a leading 1 */
};

/* Bytes of NAME in "NAME=FILE.npy"; 0: it is not of that form. */
static size_t name_bytes(const char *text)
{
    const char *equals = strrchr(text, '=');

    return equals ? (size_t)(equals - text) : 0;
}

static bool same_name(const char *a, const char *b)
{
    return name_bytes(a) == name_bytes(b) && memcmp(a, b, name_bytes(a)) == 0;
}

static enum al_status check(const void *values, struct al_error *err)
{
    const struct values *v = values;

    for (size_t i = 0; i < v->inputs.n; i++) {
        const char *text = v->inputs.v[i];

        if (name_bytes(text) == 0)
            return al_fail(err, AL_INVALID, "--input: '%s' is not NAME=FILE.npy", text);
        for (size_t k = 0; k < i; k++)
            if (same_name(v->inputs.v[k], text))
                return al_fail(err, AL_INVALID, "--input: '%.*s' is given twice",
                               (int)name_bytes(text), text);
    }
    return tl_model_check(&v->model, err);
}

static enum al_status read_input(struct given *g, const char *text, struct al_error *err)
{
    const size_t n = name_bytes(text);
    const enum al_status s = tl_npy_read(text + n + 1, &g->tensor[g->n], err);

    if (s != AL_OK)
        return s;
    g->name[g->n] = strndup(text, n);
    g->n++;
    return g->name[g->n - 1] ? AL_OK : al_fail(err, AL_NO_MEMORY, "%s", text);
}

static void given_done(struct given *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free(g->name[i]);
        free(g->tensor[i].data);
    }
}

static enum al_status load_for(struct job *j, bool by_row, struct al_error *err)
{
    struct al_input_shape shapes[MAX_INPUTS];

    for (size_t i = 0; i < j->given.n; i++) {
        shapes[i] = (struct al_input_shape){ j->given.name[i], j->given.tensor[i].shape };
        if (by_row && shapes[i].shape.rank > 0)
            shapes[i].shape.dims[0] = 1;
    }
    return tl_model_open_file(&j->values->model, shapes, j->given.n, &j->model, err);
}

/* Whether what rows compute can be stacked: every output leads with the row. */
static bool outputs_stack(const struct al_model *m)
{
    for (size_t i = 0; i < al_model_n_outputs(m); i++) {
        const struct al_shape shape = al_model_output(m, i).shape;

        if (shape.rank == 0 || shape.dims[0] != 1)
            return false;
    }
    return true;
}

/* Loads the model for single rows; where its leading dimensions are fixed to the arrays'
 * own, or an output mixes rows, for the arrays as a whole. */
static enum al_status load(struct job *j, struct al_error *err)
{
    if (load_for(j, true, NULL) == AL_OK) {
        if (outputs_stack(j->model.model))
            return AL_OK;
        tl_model_done(&j->model);
    }
    return load_for(j, false, err);
}

static const struct al_tensor *find_given(const struct given *g, const char *name)
{
    for (size_t i = 0; i < g->n; i++) {
        if (strcmp(g->name[i], name) == 0)
            return &g->tensor[i];
    }
    return NULL;
}

/* Whether `t` is rows of what the model takes; `*ret_rows` how many. */
static bool fits(const struct al_tensor_info *want, const struct al_tensor *t,
                 size_t *ret_rows)
{
    struct al_shape row = t->shape;

    *ret_rows = 1;
    if (want->batched && row.rank > 0) {
        *ret_rows = (size_t)row.dims[0];
        row.dims[0] = 1;
    }
    return al_shape_equal(&row, &want->shape) && t->dtype == want->dtype;
}

static enum al_status check_input(struct job *j, size_t i, struct al_error *err)
{
    const struct al_tensor_info want = al_model_input(j->model.model, i);
    const struct al_tensor *t = find_given(&j->given, want.name);
    char is[128], should[128];
    size_t n_rows;

    (void)al_shape_text(&want.shape, should, sizeof(should));
    if (!t)
        return al_fail(err, AL_INVALID,
                       "input '%s' is missing: --input %s=FILE.npy of %s %s", want.name,
                       want.name, al_dtype_name(want.dtype), should);
    if (!fits(&want, t, &n_rows))
        return al_fail(err, AL_INVALID, "input '%s' is %s %s; the model takes %s %s%s",
                       want.name, al_dtype_name(t->dtype),
                       al_shape_text(&t->shape, is, sizeof(is)),
                       al_dtype_name(want.dtype), should,
                       want.batched ? ", any number of rows" : "");
    if (want.batched && j->stacked && n_rows != j->n_rows)
        return al_fail(err, AL_INVALID, "input '%s' has %zu rows, another one %zu",
                       want.name, n_rows, j->n_rows);
    if (want.batched) {
        j->stacked = true;
        j->n_rows = n_rows;
    }
    return AL_OK;
}

static enum al_status check_inputs(struct job *j, struct al_error *err)
{
    const size_t n = al_model_n_inputs(j->model.model);
    enum al_status s = AL_OK;

    j->n_rows = 1;
    for (size_t i = 0; s == AL_OK && i < n; i++)
        s = check_input(j, i, err);
    for (size_t g = 0; s == AL_OK && g < j->given.n; g++) {
        bool known = false;

        for (size_t i = 0; i < n; i++)
            known |=
                strcmp(al_model_input(j->model.model, i).name, j->given.name[g]) == 0;
        if (!known)
            return al_fail(err, AL_INVALID, "the model has no input '%s'",
                           j->given.name[g]);
    }
    return s;
}

/* Row `row` of the inputs becomes the runner's row `slot`. */
static void fill_row(const struct job *j, size_t row, size_t slot)
{
    for (size_t i = 0; i < al_model_n_inputs(j->model.model); i++) {
        const struct al_tensor_info want = al_model_input(j->model.model, i);
        const struct al_tensor *t = find_given(&j->given, want.name);
        const size_t bytes = al_tensor_bytes(t) / (want.batched ? j->n_rows : 1);
        const uint8_t *from = t->data;

        memcpy(tl_runner_input(j->runner, slot, i),
               from + (want.batched ? row * bytes : 0), bytes);
    }
}

static size_t output_bytes(const struct al_tensor_info *info)
{
    const struct al_tensor t = { .dtype = info->dtype, .shape = info->shape };

    return al_tensor_bytes(&t);
}

static bool is_stacked(const struct job *j, const struct al_tensor_info *output)
{
    return j->stacked && output->shape.rank > 0 && output->shape.dims[0] == 1;
}

/* Room for all rows of every output. */
static enum al_status make_outputs(const struct job *j, struct al_tensor *outputs,
                                   struct al_error *err)
{
    for (size_t i = 0; i < al_model_n_outputs(j->model.model); i++) {
        const struct al_tensor_info info = al_model_output(j->model.model, i);
        size_t bytes;

        outputs[i] = (struct al_tensor){ .dtype = info.dtype, .shape = info.shape };
        if (is_stacked(j, &info))
            outputs[i].shape.dims[0] = (int64_t)j->n_rows;
        if (!al_mul(output_bytes(&info), j->n_rows, &bytes) ||
            !(outputs[i].data = malloc(bytes + 1)))
            return al_fail(err, AL_NO_MEMORY, "output '%s' of %zu rows", info.name,
                           j->n_rows);
    }
    return AL_OK;
}

/* The runner's row `slot` becomes row `row` of the outputs. */
static void keep_row(const struct job *j, size_t row, size_t slot,
                     const struct al_tensor *outputs)
{
    for (size_t i = 0; i < al_model_n_outputs(j->model.model); i++) {
        const struct al_tensor_info info = al_model_output(j->model.model, i);
        const size_t bytes = output_bytes(&info);

        memcpy((uint8_t *)outputs[i].data + (is_stacked(j, &info) ? row * bytes : 0),
               tl_runner_output(j->runner, slot, i), bytes);
    }
}

static enum al_status run_rows(const struct job *j, const struct al_tensor *outputs,
                               struct al_error *err)
{
    const struct al_exit_rule rule = al_exit_rule_full();
    const size_t batch = j->values->batch;
    struct tl_answer *answers = calloc(batch, sizeof(*answers));

    if (!answers)
        return al_fail(err, AL_NO_MEMORY, "%zu answers", batch);
    for (size_t first = 0; first < j->n_rows; first += batch) {
        const size_t left = j->n_rows - first;
        const size_t n = left < batch ? left : batch;

        for (size_t i = 0; i < n; i++)
            fill_row(j, first + i, i);
        tl_runner_run(j->runner, 0, n, &rule, answers);
        for (size_t i = 0; i < n; i++)
            keep_row(j, first + i, i, outputs);
    }
    free(answers);
    return AL_OK;
}

/* An output's name as a file's: what a folder could trip over becomes '_'. */
static void output_path(const char *folder, const char *name, char *buf, size_t size)
{
    const int n = snprintf(buf, size, "%s/", folder);
    const size_t from = (size_t)n < size ? (size_t)n : size - 1;

    (void)snprintf(buf + from, size - from, "%s.npy", name);
    for (char *c = buf + from; *c; c++) {
        if (*c == '/' || (c == buf + from && *c == '.'))
            *c = '_';
    }
}

/* Writes output i, unless an earlier one has the same file. */
static enum al_status write_output(const struct job *j, size_t i, const char *path,
                                   const struct al_tensor *output, struct al_error *err)
{
    char other[MAX_PATH];

    for (size_t k = 0; k < i; k++) {
        output_path(j->values->output_dir, al_model_output(j->model.model, k).name, other,
                    sizeof(other));
        if (strcmp(other, path) == 0)
            return al_fail(err, AL_UNSUPPORTED, "outputs '%s' and '%s' would both be %s",
                           al_model_output(j->model.model, k).name,
                           al_model_output(j->model.model, i).name, path);
    }
    return tl_npy_write(path, output, err);
}

static enum al_status write_outputs(const struct job *j, const struct al_tensor *outputs,
                                    json_t *list, struct al_error *err)
{
    const char *folder = j->values->output_dir;

    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return al_fail(err, AL_IO, "%s: %s", folder, strerrordesc_np(errno));
    for (size_t i = 0; i < al_model_n_outputs(j->model.model); i++) {
        const char *name = al_model_output(j->model.model, i).name;
        char path[MAX_PATH], shape[128];

        output_path(folder, name, path, sizeof(path));
        const enum al_status s = write_output(j, i, path, &outputs[i], err);

        if (s != AL_OK)
            return s;
        (void)al_shape_text(&outputs[i].shape, shape, sizeof(shape));
        if (list &&
            json_array_append_new(
                list, json_pack("{s:o, s:o, s:s, s:s}", "name", tl_json_text(name),
                                "file", tl_json_text(path), "type",
                                al_dtype_name(outputs[i].dtype), "shape", shape)) != 0)
            return al_fail(err, AL_NO_MEMORY, "report");
        if (!list)
            (void)printf("%s %s %s\n", tl_printable(path).text,
                         al_dtype_name(outputs[i].dtype), shape);
    }
    return AL_OK;
}

static enum al_status produce(const struct job *j, struct al_error *err)
{
    const size_t n = al_model_n_outputs(j->model.model);
    struct al_tensor *outputs = calloc(n + 1, sizeof(*outputs));
    json_t *list = j->values->json ? json_array() : NULL;

    if (!outputs || (j->values->json && !list)) {
        free(outputs);
        json_decref(list);
        return al_fail(err, AL_NO_MEMORY, "%zu outputs", n);
    }
    enum al_status s = make_outputs(j, outputs, err);

    if (s == AL_OK)
        s = run_rows(j, outputs, err);
    if (s == AL_OK)
        s = write_outputs(j, outputs, list, err);
    for (size_t i = 0; i < n; i++)
        free(outputs[i].data);
    free(outputs);
    if (s == AL_OK && list)
        return tl_report_json(list, err);
    json_decref(list);
    return s;
}

static enum al_status check_batch(const struct job *j, struct al_error *err)
{
    const size_t most = al_model_max_rows(j->model.model);

    return j->values->batch <= most
               ? AL_OK
               : al_fail(err, AL_INVALID, "--batch %zu: the model runs %zu rows at most",
                         j->values->batch, most);
}

static enum al_status run(const void *values, struct al_error *err)
{
    const struct values *v = values;
    struct job j = { .values = v };
    enum al_status s = AL_OK;

    for (size_t i = 0; s == AL_OK && i < v->inputs.n; i++)
        s = read_input(&j.given, v->inputs.v[i], err);
    if (s == AL_OK)
        s = load(&j, err);
    if (s == AL_OK)
        s = check_inputs(&j, err);
    if (s == AL_OK)
        s = check_batch(&j, err);
    if (s == AL_OK)
        s = tl_runner_new(j.model.model, v->batch, &j.runner, err);
    if (s == AL_OK)
        s = produce(&j, err);
    tl_runner_free(j.runner);
    tl_model_done(&j.model);
    given_done(&j.given);
    return s;
}

const struct tl_command tl_cmd_run = {
    .name = "run",
    .summary = "run any ONNX model on .npy inputs, write every output as .npy",
    .description =
        "Feeds .npy arrays to a model and writes what it computes, one file an output. Where\n"
        "the model leaves an input's leading dimension open, that input may hold any number\n"
        "of rows; other open dimensions take the array's.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .defaults = &defaults,
    .values_size = sizeof(defaults),
    .check = check,
    .run = run,
};
