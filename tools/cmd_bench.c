/* alight bench — microseconds a row: batch sizes and levels against each other. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/clock.h"
#include "tools/commands.h"
#include "tools/feed.h"
#include "tools/model.h"
#include "tools/parallel.h"
#include "tools/report.h"
#include "tools/team.h"
#include "tools/trial.h"

struct values {
    struct tl_model_args model;
    const char *data;
    struct tl_reals batches;
    struct tl_reals levels;
    size_t rows;
    size_t threads;
    size_t team;
    double seconds;
    bool json;
};

static const struct values defaults = {
    .batches = { 1, { 1 } },
    .levels = { 1, { 0 } },
    .threads = 1,
    .team = 1,
    .seconds = 2,
};

static const struct tl_option options[] = {
    TL_MODEL_OPTIONS(struct values, "MODEL", "package folder or .onnx file"),
    { "--batch", TL_REALS, offsetof(struct values, batches), "N,...", "rows a run", 1,
      4096 },
    { "--max-loss", TL_REALS, offsetof(struct values, levels), "LOSS,...",
      "levels to run by; 0 never leaves early, others need --data", 0, 1 },
    { "--data", TL_STRING, offsetof(struct values, data), "SET",
      "pictures to run instead of noise, as for evaluate" },
    { "--rows", TL_SIZE, offsetof(struct values, rows), "N",
      "different rows to run over; 0: 1000 pictures, or the largest batch of noise", 0,
      1e6 },
    { "--threads", TL_SIZE, offsetof(struct values, threads), "N",
      "threads, each with runs of its own; at most the processors", 1, 256 },
    { "--team", TL_SIZE, offsetof(struct values, team), "N",
      "threads that share each run; time is then what passes on the clock", 1, 256 },
    { "--seconds", TL_REAL, offsetof(struct values, seconds), "S",
      "time for all measurements together", 0, 3600 },
    { "--json", TL_FLAG, offsetof(struct values, json), NULL, "report as JSON" },
};

struct bench {
    const struct values *values;
    struct tl_model model;
    double load_ms; /* to read and load the model */
    struct tl_inputs inputs;
    struct tl_trial *trials; /* [batches][levels] */
    size_t n_trials;
};

static size_t largest_batch(const struct values *v)
{
    double n = 1;

    for (size_t b = 0; b < v->batches.n; b++)
        n = v->batches.v[b] > n ? v->batches.v[b] : n;
    return (size_t)n;
}

/* Uniform noise in [0, 1) where the input is of floats, zeros where it is not. */
static enum al_status make_noise(struct bench *b, struct al_error *err)
{
    const size_t n_rows = b->values->rows ? b->values->rows : largest_batch(b->values);
    const struct al_model *m = b->model.model;
    uint64_t seed = 1;
    enum al_status s = tl_inputs_init(&b->inputs, m, n_rows, err);

    for (size_t i = 0; s == AL_OK && i < al_model_n_inputs(m); i++)
        if (al_model_input(m, i).dtype != AL_F32)
            return AL_OK;
    for (size_t at = 0; s == AL_OK && at < n_rows * b->inputs.row_bytes / 4; at++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        ((float *)(void *)b->inputs.data)[at] = (float)(seed >> 40) * 0x1p-24F;
    }
    return s;
}

static enum al_status load_pictures(struct bench *b, struct al_error *err)
{
    const size_t n_rows = b->values->rows ? b->values->rows : 1000;
    struct tl_data *data = NULL;

    if (!b->model.package || !b->model.package->takes_images)
        return al_fail(err, AL_INVALID, "--data needs a package that takes pictures");
    enum al_status s = tl_feed_open(b->model.package, b->values->data, 0, &data, err);

    if (s == AL_OK)
        s = tl_feed_inputs(b->model.package, data, n_rows, &b->inputs, err);
    tl_data_free(data);
    return s;
}

static enum al_status find_rule(const struct bench *b, double max_loss,
                                struct al_exit_rule *ret, struct al_error *err)
{
    *ret = al_exit_rule_full();
    if (max_loss <= 0)
        return AL_OK;
    if (!b->model.package || !b->values->data)
        return al_fail(err, AL_INVALID,
                       "--max-loss %g needs a package and --data: noise leaves where no "
                       "picture would",
                       max_loss);
    if (!b->model.package->has_policy)
        return al_fail(
            err, AL_INVALID,
            "--max-loss %g: the package has no policy.json, 'alight calibrate' "
            "makes one",
            max_loss);
    const struct al_policy *policy = &b->model.package->policy;

    *ret = al_policy_rule(policy, al_policy_pick(policy, max_loss));
    return AL_OK;
}

static enum al_status make_trials(struct bench *b, struct al_error *err)
{
    const struct values *v = b->values;
    const size_t max_rows = al_model_max_rows(b->model.model);

    b->n_trials = v->batches.n * v->levels.n;
    b->trials = calloc(b->n_trials, sizeof(*b->trials));
    if (!b->trials)
        return al_fail(err, AL_NO_MEMORY, "%zu trials", b->n_trials);
    for (size_t i = 0; i < b->n_trials; i++) {
        struct tl_trial *t = &b->trials[i];
        const enum al_status s =
            find_rule(b, v->levels.v[i % v->levels.n], &t->rule, err);

        if (s != AL_OK)
            return s;
        t->batch = (size_t)v->batches.v[i / v->levels.n];
        if (t->batch > max_rows)
            return al_fail(err, AL_INVALID,
                           "--batch %zu: the model runs %zu rows at most", t->batch,
                           max_rows);
    }
    return AL_OK;
}

static enum al_status report(const struct bench *b, struct al_error *err)
{
    const struct values *v = b->values;
    json_t *list = v->json ? json_array() : NULL;

    if (!v->json)
        (void)printf("%-6s %-9s %12s %24s %8s\n", "batch", "max loss", "us a row",
                     "quartiles", "rounds");
    for (size_t i = 0; i < b->n_trials; i++) {
        const struct tl_spread us = tl_series_spread(&b->trials[i].us);
        const double max_loss = v->levels.v[i % v->levels.n];

        if (v->json)
            list = tl_json_added(list, json_pack("{s:I, s:f, s:I, s:o}", "batch",
                                                 (json_int_t)b->trials[i].batch,
                                                 "max_loss", max_loss, "rounds",
                                                 (json_int_t)b->trials[i].us.n, "us",
                                                 tl_json_spread(&us)));
        else
            (void)printf("%-6zu %-9g %12.2f %12.2f %11.2f %8zu\n", b->trials[i].batch,
                         max_loss, us.median, us.low, us.high, b->trials[i].us.n);
    }
    return v->json
               ? tl_report_json(json_pack("{s:o, s:f, s:I, s:I, s:I, s:o}", "model",
                                          tl_json_text(v->model.path), "load_ms",
                                          b->load_ms, "threads", (json_int_t)v->threads,
                                          "team", (json_int_t)v->team, "rows",
                                          (json_int_t)b->inputs.n_rows, "trials", list),
                                err)
               : AL_OK;
}

static enum al_status measure(struct bench *b, struct al_team *team, struct al_error *err)
{
    const struct tl_trial_params p = { .model = b->model.model,
                                       .inputs = &b->inputs,
                                       .team = team,
                                       .n_threads = b->values->threads,
                                       .seconds = b->values->seconds };
    const enum al_status s = tl_trials_run(&p, b->trials, b->n_trials, err);

    return s == AL_OK ? report(b, err) : s;
}

static enum al_status check(const void *values, struct al_error *err)
{
    const struct values *v = values;
    const size_t most = v->threads > v->team ? v->threads : v->team;

    for (size_t b = 0; b < v->batches.n; b++) {
        if (floor(v->batches.v[b]) < v->batches.v[b])
            return al_fail(err, AL_INVALID, "--batch: %g is not a whole number",
                           v->batches.v[b]);
    }
    if (v->threads > 1 && v->team > 1)
        return al_fail(err, AL_INVALID, "either --threads or --team");
    if (most > tl_usable_cpus())
        return al_fail(err, AL_INVALID, "%zu threads: there are %zu processors to use",
                       most, tl_usable_cpus());
    return tl_model_check(&v->model, err);
}

static enum al_status open_model(const struct tl_model_args *args, struct bench *b,
                                 struct al_error *err)
{
    const uint64_t start = tl_now_ns();
    const enum al_status s = tl_model_open(args, &b->model, err);

    b->load_ms = (double)(tl_now_ns() - start) / 1e6;
    return s;
}

static enum al_status run(const void *values, struct al_error *err)
{
    const struct values *v = values;
    struct tl_model_args args = v->model;
    struct bench b = { .values = v };
    struct al_team *team = NULL;
    enum al_status s;

    args.max_threads = v->team;
    s = open_model(&args, &b, err);
    if (s == AL_OK)
        s = make_trials(&b, err);
    if (s == AL_OK)
        s = v->data ? load_pictures(&b, err) : make_noise(&b, err);
    if (s == AL_OK && v->team > 1)
        s = tl_team_new(v->team, &team, err);
    if (s == AL_OK)
        s = measure(&b, team, err);
    tl_team_free(team);
    free(b.trials);
    tl_inputs_done(&b.inputs);
    tl_model_done(&b.model);
    return s;
}

const struct tl_command tl_cmd_bench = {
    .name = "bench",
    .summary = "microseconds a row at given batch sizes and levels",
    .description =
        "Times a model in this process: processor time, all settings in turn over the same\n"
        "rows, branches and decisions included. A bare .onnx file computes all of its outputs.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .defaults = &defaults,
    .values_size = sizeof(defaults),
    .check = check,
    .run = run,
};
