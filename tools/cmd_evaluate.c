/* alight evaluate — accuracy, share and time of every level of a package's ladder on
 * labelled pictures that its thresholds were not chosen on. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/feed.h"
#include "tools/model.h"
#include "tools/output.h"
#include "tools/parallel.h"
#include "tools/report.h"
#include "tools/survey.h"
#include "tools/trial.h"

struct values {
    struct tl_model_args model;
    const char *data;
    const char *answers;
    size_t limit;
    size_t timed;
    double seconds;
    bool json;
};

static const struct values defaults = { .timed = 1000, .seconds = 3 };

static const struct tl_option options[] = {
    TL_MODEL_OPTIONS(struct values, "MODEL", "package folder"),
    { "--data", TL_STRING, offsetof(struct values, data), "SET",
      "labelled pictures: folder of class folders, tar of it, or IDX 'images,labels'",
      .required = true },
    { "--answers", TL_STRING, offsetof(struct values, answers), "FILE",
      "write every picture's answer at every level, a JSON object a line" },
    { "--limit", TL_SIZE, offsetof(struct values, limit), "N",
      "use N samples, evenly spread; 0 for all", 0, 1e9 },
    { "--timed", TL_SIZE, offsetof(struct values, timed), "N",
      "pictures to time, evenly spread", 1, 1e6 },
    { "--seconds", TL_REAL, offsetof(struct values, seconds), "S",
      "time to time them for", 0, 3600 },
    { "--json", TL_FLAG, offsetof(struct values, json), NULL, "report as JSON" },
};

/* What one level did. */
struct finding {
    struct al_outcome outcome;
    double low, high;           /* Wilson interval of the accuracy, 95 % */
    double loss;                /* net: the full model's accuracy minus this one's */
    double loss_low, loss_high; /* its interval, 95 % */
    struct tl_spread us;
};

struct evaluation {
    const struct pk_package *package;
    struct tl_survey survey;
    struct finding findings[AL_MAX_LEVELS];
    size_t n_timed;
    size_t n_rounds;
    bool calibrated_on; /* by these very pictures the thresholds were chosen */
};

static const struct tl_costs no_costs; /* time is measured by running */

/* Where a surveyed row leaves under a rule. */
static uint32_t exit_of(const struct tl_survey *s, size_t row,
                        const struct al_exit_rule *rule)
{
    const struct al_ladder_data data = tl_survey_data(s, &no_costs);

    return al_ladder_exit(&data, row, rule);
}

static void find_outcomes(struct evaluation *e)
{
    const struct al_policy *policy = &e->package->policy;
    const struct al_ladder_data data = tl_survey_data(&e->survey, &no_costs);

    for (uint32_t l = 0; l < policy->n_levels; l++) {
        const struct al_exit_rule rule = al_policy_rule(policy, l);
        struct finding *f = &e->findings[l];

        al_ladder_outcome(&data, &rule, &f->outcome);
        al_wilson_interval((uint64_t)llround(f->outcome.accuracy * (double)data.n_rows),
                           data.n_rows, &f->low, &f->high);
        f->loss = f->outcome.full_accuracy - f->outcome.accuracy;
        al_net_loss_interval(data.n_rows, f->outcome.n_losses, f->outcome.n_wins,
                             &f->loss_low, &f->loss_high);
    }
}

/* A real run must leave where the survey says, with the class it says. */
static enum al_status check_answers(const struct evaluation *e, const struct tl_trial *t,
                                    struct al_error *err)
{
    const struct tl_survey *s = &e->survey;

    for (size_t i = 0; i < e->n_timed; i++) {
        const struct tl_answer *a = &t->answers[i];
        const size_t row = tl_feed_pick(s->n_rows, e->n_timed, i);
        const uint32_t k = exit_of(s, row, &t->rule);

        if (a->exit != k || a->top != s->top[row * s->n_exits + k])
            return al_fail(err, AL_INTERNAL,
                           "sample %zu left at exit %u as class %u when run, but asking "
                           "every exit says exit %u, class %u",
                           row, a->exit, a->top, k, s->top[row * s->n_exits + k]);
    }
    return AL_OK;
}

static enum al_status run_trials(struct evaluation *e, const struct tl_inputs *inputs,
                                 double seconds, struct tl_trial *trials,
                                 struct al_error *err)
{
    const struct al_policy *policy = &e->package->policy;
    const struct tl_trial_params params = {
        .model = e->package->model, .inputs = inputs, .n_threads = 1, .seconds = seconds
    };
    enum al_status s = AL_OK;

    e->n_timed = inputs->n_rows;
    for (uint32_t l = 0; s == AL_OK && l < policy->n_levels; l++) {
        trials[l].rule = al_policy_rule(policy, l);
        trials[l].batch = 1;
        trials[l].answers = calloc(inputs->n_rows, sizeof(*trials[l].answers));
        if (!trials[l].answers)
            s = al_fail(err, AL_NO_MEMORY, "%zu answers", inputs->n_rows);
    }
    if (s == AL_OK)
        s = tl_trials_run(&params, trials, policy->n_levels, err);
    for (uint32_t l = 0; s == AL_OK && l < policy->n_levels; l++) {
        s = check_answers(e, &trials[l], err);
        e->findings[l].us = tl_series_spread(&trials[l].us);
        e->n_rounds = trials[l].us.n;
    }
    return s;
}

static enum al_status find_times(struct evaluation *e, const struct tl_data *data,
                                 const struct values *v, struct al_error *err)
{
    const uint32_t n_levels = e->package->policy.n_levels;
    struct tl_trial *trials = calloc(n_levels, sizeof(*trials));
    struct tl_inputs inputs = { .n_rows = 0 };

    if (!trials)
        return al_fail(err, AL_NO_MEMORY, "%u trials", n_levels);
    enum al_status s = tl_feed_inputs(e->package, data, v->timed, &inputs, err);

    if (s == AL_OK)
        s = run_trials(e, &inputs, v->seconds, trials, err);
    for (uint32_t l = 0; l < n_levels; l++)
        free(trials[l].answers);
    tl_inputs_done(&inputs);
    free(trials);
    return s;
}

static json_t *answer_json(const struct evaluation *e, const struct tl_sample *sample,
                           size_t row, uint32_t level)
{
    const struct al_policy *policy = &e->package->policy;
    const struct al_exit_rule rule = al_policy_rule(policy, level);
    const uint32_t k = exit_of(&e->survey, row, &rule);
    const size_t at = row * e->survey.n_exits + k;

    return json_pack("{s:I, s:o, s:i, s:f, s:i, s:i, s:i, s:o, s:f}", "index",
                     (json_int_t)sample->index, "name", tl_json_text(sample->name),
                     "label", (int)sample->label, "max_loss",
                     policy->levels[level].max_loss, "level", (int)level, "class",
                     (int)e->survey.top[at], "exit", (int)k, "exit_name",
                     tl_json_text(al_model_stage(e->package->model, k).exit_name),
                     "score", (double)e->survey.score[at]);
}

static bool write_answer(json_t *answer, FILE *f)
{
    const bool ok = answer && json_dumpf(answer, f, JSON_REAL_PRECISION(9)) == 0 &&
                    fputc('\n', f) != EOF;

    json_decref(answer);
    return ok;
}

static enum al_status write_answers(const struct evaluation *e,
                                    const struct tl_data *data, struct tl_output *out,
                                    struct al_error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < e->survey.n_rows; i++) {
        const struct tl_sample sample = tl_data_sample(data, i);

        for (uint32_t l = 0; ok && l < e->package->policy.n_levels; l++)
            ok = write_answer(answer_json(e, &sample, i, l), out->file);
    }
    if (!ok && ferror(out->file) == 0) {
        tl_output_drop(out);
        return al_fail(err, AL_NO_MEMORY, "answers");
    }
    return tl_output_commit(out, err);
}

static json_t *finding_json(const struct evaluation *e, uint32_t l)
{
    const struct finding *f = &e->findings[l];
    const struct al_outcome *o = &f->outcome;
    const uint32_t n_exits = e->survey.n_exits;

    return json_pack(
        "{s:f, s:f, s:[f, f], s:f, s:[f, f], s:I, s:I, s:o, s:o, s:o, s:f}", "max_loss",
        e->package->policy.levels[l].max_loss, "accuracy", o->accuracy, "accuracy_95",
        f->low, f->high, "loss", f->loss, "loss_95", f->loss_low, f->loss_high, "losses",
        (json_int_t)o->n_losses, "wins", (json_int_t)o->n_wins, "share",
        tl_json_reals(o->share, n_exits), "exit_accuracy",
        tl_json_reals(o->exit_accuracy, n_exits), "us", tl_json_spread(&f->us),
        "speed_up", e->findings[0].us.median / f->us.median);
}

static json_t *report_json(const struct evaluation *e)
{
    const struct pk_package *p = e->package;
    json_t *levels = json_array();

    for (uint32_t l = 0; l < p->policy.n_levels; l++)
        levels = tl_json_added(levels, finding_json(e, l));
    return json_pack("{s:o, s:i, s:s, s:s, s:I, s:b, s:o, s:I, s:I, s:o}", "model",
                     tl_json_text(p->name), "version", (int)p->version, "precision",
                     al_precision_name(al_model_precision(p->model)), "certified_in",
                     al_precision_name(p->certified_in), "rows",
                     (json_int_t)e->survey.n_rows, "calibrated_on", e->calibrated_on,
                     "exits", tl_json_exit_names(p->model), "timed_rows",
                     (json_int_t)e->n_timed, "rounds", (json_int_t)e->n_rounds, "levels",
                     levels);
}

static void print_finding(const struct evaluation *e, uint32_t l)
{
    const struct finding *f = &e->findings[l];

    tl_print_percent(e->package->policy.levels[l].max_loss, 8);
    tl_print_percent(f->outcome.accuracy, 10);
    (void)printf("  [%.2f, %.2f]", 100 * f->low, 100 * f->high);
    tl_print_percent(f->loss, 9);
    (void)printf("  [%.2f, %.2f]", 100 * f->loss_low, 100 * f->loss_high);
    (void)printf("%10.1f [%.1f, %.1f]%8.2fx  ", f->us.median, f->us.low, f->us.high,
                 e->findings[0].us.median / f->us.median);
    for (uint32_t k = 0; k < e->survey.n_exits; k++) {
        tl_print_percent(f->outcome.share[k], 10);
        tl_print_percent(f->outcome.exit_accuracy[k], 10);
    }
    (void)putchar('\n');
}

static void print_report(const struct evaluation *e)
{
    const struct pk_package *p = e->package;

    (void)printf("%s version %u: %zu rows%s\n\n", p->name, p->version, e->survey.n_rows,
                 p->has_policy ? "" : "; no policy.json, run 'alight calibrate' for one");
    if (p->certified_in != al_model_precision(p->model))
        (void)printf("note: the levels were certified in precision %s, this is %s\n\n",
                     al_precision_name(p->certified_in),
                     al_precision_name(al_model_precision(p->model)));
    if (e->calibrated_on)
        (void)printf(
            "note: the thresholds were chosen on these very pictures: no figure "
            "here tells of others\n\n");
    (void)printf(
        "max loss  accuracy  [95 %% interval]   loss  [95 %%]   us a row [quartiles]  "
        "speed-up  share and accuracy of exits");
    tl_print_exit_names(p->model, 14);
    for (uint32_t l = 0; l < p->policy.n_levels; l++)
        print_finding(e, l);
    (void)printf(
        "\nloss: of accuracy, against the full model. Processor time, batch 1, one thread, branches "
        "and decisions\nincluded, %zu pictures, median of %zu rounds in turn.\n",
        e->n_timed, e->n_rounds);
}

/* Surveys, times and reports; `answers` is open if they are asked for. */
static enum al_status evaluate(const struct values *v, struct evaluation *e,
                               const struct tl_data *data, struct tl_output *answers,
                               struct al_error *err)
{
    char id[65];
    enum al_status s = tl_survey_run(e->package, data, e->package->policy.score,
                                     tl_usable_cpus(), &e->survey, err);

    if (s != AL_OK)
        return s;
    tl_survey_identify(&e->survey, e->package, id);
    e->calibrated_on = strcmp(id, e->package->policy.calibration_id) == 0;
    find_outcomes(e);
    s = find_times(e, data, v, err);
    if (s == AL_OK && v->answers)
        s = write_answers(e, data, answers, err);
    if (s == AL_OK && v->json)
        s = tl_report_json(report_json(e), err);
    else if (s == AL_OK)
        print_report(e);
    tl_survey_done(&e->survey);
    return s;
}

static enum al_status check(const void *values, struct al_error *err)
{
    return tl_model_check(&((const struct values *)values)->model, err);
}

static enum al_status run(const void *values, struct al_error *err)
{
    const struct values *v = values;
    struct tl_data *data = NULL;
    struct tl_output answers = { .file = NULL };
    struct tl_model m;
    enum al_status s = tl_model_open_classifier(&v->model, &m, err);

    if (s != AL_OK)
        return s;
    struct evaluation *e = calloc(1, sizeof(*e));

    if (!e)
        s = al_fail(err, AL_NO_MEMORY, "evaluation");
    if (s == AL_OK)
        s = tl_feed_open(m.package, v->data, v->limit, &data, err);
    if (s == AL_OK && v->answers)
        s = tl_output_open(v->answers, &answers, err); /* a wrong path shows early */
    if (s == AL_OK) {
        e->package = m.package;
        s = evaluate(v, e, data, &answers, err);
    }
    tl_output_drop(&answers);
    free(e);
    tl_data_free(data);
    tl_model_done(&m);
    return s;
}

const struct tl_command tl_cmd_evaluate = {
    .name = "evaluate",
    .summary = "accuracy, share and time of every level on labelled pictures",
    .description =
        "Reports for every level of the package's ladder how accurate it is (with Wilson's\n"
        "95 % interval), how much it gives up against the full model, who leaves where, and\n"
        "what a picture costs. Use pictures that neither training nor calibration has seen.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .defaults = &defaults,
    .values_size = sizeof(defaults),
    .check = check,
    .run = run,
};
