/* alight calibrate — certifies the ladder of a package on labelled pictures that it was
 * not trained on, and writes it to policy.json. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/commands.h"
#include "tools/feed.h"
#include "tools/model.h"
#include "tools/output.h"
#include "tools/parallel.h"
#include "tools/report.h"
#include "tools/survey.h"

struct values {
    struct tl_model_args model;
    const char *data;
    const char *score;
    const char *loss;
    double confidence;
    struct tl_reals levels;
    size_t limit;
    double seconds;
    bool dry_run;
    bool json;
};

static const struct values defaults = {
    .score = "margin",
    .loss = "net",
    .confidence = 0.95,
    .levels = { 4, { 0.005, 0.01, 0.02, 0.05 } },
    .seconds = 1,
};

static const struct tl_option options[] = {
    TL_MODEL_OPTIONS(struct values, "MODEL", "package folder"),
    { "--data", TL_STRING, offsetof(struct values, data), "SET",
      "labelled pictures: folder of class folders, tar of it, or IDX 'images,labels'",
      .required = true },
    { "--confidence", TL_REAL, offsetof(struct values, confidence), "P",
      "with which all levels hold together", 0.5, 0.999999 },
    { "--levels", TL_REALS, offsetof(struct values, levels), "LOSS,...",
      "accuracy each level may give up", 1e-6, 0.5 },
    { "--score", TL_STRING, offsetof(struct values, score), "NAME",
      "margin, max_prob or entropy" },
    { "--loss", TL_STRING, offsetof(struct values, loss), "NAME",
      "what levels bound: net, the accuracy given up; one-sided, right answers lost" },
    { "--limit", TL_SIZE, offsetof(struct values, limit), "N",
      "use N samples, evenly spread; 0 for all", 0, 1e9 },
    { "--seconds", TL_REAL, offsetof(struct values, seconds), "S",
      "time to measure the exits' costs for", 0, 3600 },
    { "--dry-run", TL_FLAG, offsetof(struct values, dry_run), NULL,
      "print the ladder, write nothing" },
    { "--json", TL_FLAG, offsetof(struct values, json), NULL, "report as JSON" },
};

static json_t *level_json(const struct al_policy *p, const struct al_level *l)
{
    return json_pack("{s:f, s:o, s:o, s:f, s:i, s:i, s:f}", "max_loss", l->max_loss,
                     "threshold", tl_json_real((double)l->threshold[0]), "share",
                     tl_json_reals(l->share, p->n_exits), "cost_us", l->cost, "losses",
                     (int)l->n_losses, "wins", (int)l->n_wins, "p_value", l->p_value);
}

static json_t *report_json(const struct pk_package *pkg, const struct tl_survey *s,
                           const struct tl_costs *c, const struct al_policy *p)
{
    json_t *levels = json_array(), *accuracy = json_array();

    for (uint32_t l = 0; l < p->n_levels; l++)
        levels = tl_json_added(levels, level_json(p, &p->levels[l]));
    for (uint32_t k = 0; k < p->n_exits; k++)
        accuracy = tl_json_added(accuracy, json_real(tl_survey_accuracy(s, k)));
    return json_pack("{s:o, s:i, s:i, s:s, s:s, s:f, s:s, s:o, s:o, s:o, s:f, s:o}",
                     "model", tl_json_text(pkg->name), "version", (int)pkg->version,
                     "rows", (int)p->n_calibration, "score", al_score_name(p->score),
                     "loss", al_loss_name(p->loss), "confidence", p->confidence,
                     "calibration", p->calibration_id, "exits",
                     tl_json_exit_names(pkg->model), "exit_accuracy", accuracy,
                     "exit_cost_us", tl_json_reals(c->exit, p->n_exits), "full_cost_us",
                     c->full, "levels", levels);
}

static void print_exits(const struct pk_package *pkg, const struct tl_survey *s,
                        const struct tl_costs *c)
{
    uint32_t best = s->n_exits - 1;

    (void)printf("%-24s", "exit");
    tl_print_exit_names(pkg->model, 12);
    (void)printf("%-24s", "accuracy if all left");
    for (uint32_t k = 0; k < s->n_exits; k++)
        tl_print_percent(tl_survey_accuracy(s, k), 12);
    (void)printf("\n%-24s", "microseconds to there");
    for (uint32_t k = 0; k < s->n_exits; k++)
        (void)printf("%12.1f", c->exit[k]);
    (void)printf(
        "\nwithout branches %.1f us (batch 1, one thread, median of %zu rounds)\n\n",
        c->full, c->n_rounds);
    for (uint32_t k = 0; k < s->n_exits; k++) {
        if (tl_survey_accuracy(s, k) > tl_survey_accuracy(s, best))
            best = k;
    }
    if (best + 1 < s->n_exits)
        (void)printf(
            "note: exit '%s' alone is more accurate than the last: the layers "
            "behind it could be dropped\n\n",
            al_model_stage(pkg->model, best).exit_name);
}

static void print_levels(const struct pk_package *pkg, const struct al_policy *p)
{
    (void)printf("%-9s%9s%9s%11s%10s%10s%10s  leaving at", "max loss", "losses", "wins",
                 "p-value", "leave at", "cost us", "speed-up");
    tl_print_exit_names(pkg->model, 12);
    for (uint32_t l = 0; l < p->n_levels; l++) {
        const struct al_level *level = &p->levels[l];

        tl_print_percent(level->max_loss, 8);
        (void)printf(" %9u%9u%11.3g", level->n_losses, level->n_wins, level->p_value);
        if (isfinite(level->threshold[0]))
            (void)printf("%10.6f", (double)level->threshold[0]);
        else
            (void)printf("%10s", "never");
        (void)printf("%10.1f%9.2fx  %10s", level->cost, p->levels[0].cost / level->cost,
                     "");
        for (uint32_t k = 0; k < p->n_exits; k++)
            tl_print_percent(level->share[k], 12);
        (void)putchar('\n');
    }
}

static enum al_status report(const struct values *v, const struct pk_package *pkg,
                             const struct tl_survey *s, const struct tl_costs *c,
                             const struct al_policy *p, struct al_error *err)
{
    if (v->json)
        return tl_report_json(report_json(pkg, s, c, p), err);
    (void)printf(
        "%s version %u: %u rows, %s score, %s loss, all levels hold with confidence %g\n\n",
        pkg->name, pkg->version, p->n_calibration, al_score_name(p->score),
        al_loss_name(p->loss), p->confidence);
    print_exits(pkg, s, c);
    print_levels(pkg, p);
    if (!v->dry_run)
        (void)printf("\nwritten to %s/%u/policy.json\n", pkg->dir, pkg->version);
    return AL_OK;
}

static struct al_ladder_params params_of(const struct values *v)
{
    return (struct al_ladder_params){ .score = al_score_find(v->score),
                                      .loss = al_loss_find(v->loss),
                                      .confidence = v->confidence,
                                      .n_levels = v->levels.n,
                                      .max_loss = v->levels.v };
}

static enum al_status open_policy(const struct pk_package *pkg, struct tl_output *ret,
                                  struct al_error *err)
{
    char *path = pk_policy_path(pkg);

    if (!path)
        return al_fail(err, AL_NO_MEMORY, "policy of %s", pkg->name);
    const enum al_status s = tl_output_open(path, ret, err);

    free(path);
    return s;
}

/* `out` is open unless nothing is to be written. */
static enum al_status certify(const struct values *v, const struct pk_package *pkg,
                              const struct tl_survey *survey,
                              const struct tl_costs *costs, struct tl_output *out,
                              struct al_error *err)
{
    const struct al_ladder_data data = tl_survey_data(survey, costs);
    const struct al_ladder_params params = params_of(v);
    struct al_policy policy;
    enum al_status s = al_ladder_certify(&data, &params, &policy, err);

    if (s != AL_OK)
        return s;
    tl_survey_identify(survey, pkg, policy.calibration_id);
    if (!v->dry_run)
        s = pk_policy_write(pkg, &policy, out->file, err);
    if (s == AL_OK && !v->dry_run)
        s = tl_output_commit(out, err);
    return s == AL_OK ? report(v, pkg, survey, costs, &policy, err) : s;
}

static enum al_status calibrate(const struct values *v, const struct pk_package *pkg,
                                struct al_error *err)
{
    struct tl_survey survey = { .n_rows = 0 };
    struct tl_costs costs = { .full = 0 };
    struct tl_data *data = NULL;
    struct tl_output out = { .file = NULL };
    enum al_status s = tl_feed_open(pkg, v->data, v->limit, &data, err);

    if (s == AL_OK && !v->dry_run)
        s = open_policy(pkg, &out, err); /* what cannot be written shows early */
    if (s == AL_OK)
        s = tl_survey_run(pkg, data, al_score_find(v->score), tl_usable_cpus(), &survey,
                          err);
    if (s == AL_OK)
        s = tl_costs_measure(pkg, data, v->seconds, &costs, err);
    if (s == AL_OK)
        s = certify(v, pkg, &survey, &costs, &out, err);
    tl_output_drop(&out);
    tl_survey_done(&survey);
    tl_data_free(data);
    return s;
}

static enum al_status check(const void *values, struct al_error *err)
{
    const struct values *v = values;
    const struct al_ladder_params params = params_of(v);
    enum al_status s;

    if (params.score == AL_N_SCORES)
        return al_fail(err, AL_INVALID,
                       "--score: '%s' is none of margin, max_prob, entropy", v->score);
    if (params.loss == AL_N_LOSSES)
        return al_fail(err, AL_INVALID, "--loss: '%s' is neither net nor one-sided",
                       v->loss);
    s = al_ladder_check_params(&params, err);
    if (s != AL_OK)
        return al_error_prefix(err, s, "--levels");
    return tl_model_check(&v->model, err);
}

static enum al_status run(const void *values, struct al_error *err)
{
    const struct values *v = values;
    struct tl_model_args args = v->model;
    struct tl_model m;

    args.without_policy = true; /* that of another network must not stand in the way */
    enum al_status s = tl_model_open_classifier(&args, &m, err);

    if (s != AL_OK)
        return s;
    s = calibrate(v, m.package, err);
    tl_model_done(&m);
    return s;
}

const struct tl_command tl_cmd_calibrate = {
    .name = "calibrate",
    .summary = "certify how early pictures may leave, and write policy.json",
    .description =
        "Runs labelled pictures through all exits, measures what each exit costs, and finds\n"
        "for every level the cheapest threshold that gives up at most that much accuracy,\n"
        "certified by Learn-then-Test with exact tests. Use pictures the model\n"
        "was not trained on and that no accuracy is reported on; 5000 or more.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .defaults = &defaults,
    .values_size = sizeof(defaults),
    .check = check,
    .run = run,
};
