#include "tools/survey.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "tools/feed.h"
#include "tools/parallel.h"
#include "tools/runner.h"
#include "tools/trial.h"

enum {
    COST_ROWS = 64
};

/* One thread's own things. */
struct surveyor {
    struct tl_runner *runner;
    struct tl_buffer buf;
};

struct field_work {
    const struct pk_package *package;
    const struct tl_data *data;
    enum al_score score;
    struct surveyor *surveyors; /* [n_threads] */
    struct tl_survey *survey;
};

static void digest_picture(const struct tl_buffer *picture, uint32_t label, uint8_t *ret)
{
    const uint8_t number[4] = { (uint8_t)label, (uint8_t)(label >> 8),
                                (uint8_t)(label >> 16), (uint8_t)(label >> 24) };
    struct sha256_ctx sha;

    sha256_init(&sha);
    sha256_update(&sha, sizeof(number), number);
    sha256_update(&sha, picture->size, picture->data);
    sha256_digest(&sha, SHA256_DIGEST_SIZE, ret);
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, SHA256_DIGEST_SIZE);
}

static enum al_status survey_row(void *arg, size_t worker, size_t item,
                                 struct al_error *err)
{
    struct field_work *f = arg;
    struct surveyor *me = &f->surveyors[worker];
    struct tl_survey *survey = f->survey;
    struct tl_answer answers[AL_MAX_EXITS];
    const uint32_t label = tl_data_sample(f->data, item).label;
    const enum al_status s = tl_feed_row(f->package, f->data, item, &me->buf,
                                         tl_runner_input(me->runner, 0, 0), err);

    if (s != AL_OK)
        return s;
    digest_picture(&me->buf, label, survey->pictures + item * SHA256_DIGEST_SIZE);
    tl_runner_ask_all(me->runner, f->score, answers);
    for (uint32_t k = 0; k < survey->n_exits; k++) {
        const size_t at = item * survey->n_exits + k;

        survey->score[at] = answers[k].score;
        survey->top[at] = answers[k].top;
        survey->correct[at] = answers[k].top == label;
    }
    return AL_OK;
}

static enum al_status survey_init(struct tl_survey *s, size_t n_rows, size_t n_exits,
                                  struct al_error *err)
{
    *s = (struct tl_survey){ .n_rows = n_rows,
                             .n_exits = (uint32_t)n_exits,
                             .score = calloc(n_rows * n_exits, sizeof(*s->score)),
                             .top = calloc(n_rows * n_exits, sizeof(*s->top)),
                             .correct = calloc(n_rows * n_exits, sizeof(*s->correct)),
                             .pictures = calloc(n_rows, SHA256_DIGEST_SIZE) };
    if (!s->score || !s->top || !s->correct || !s->pictures)
        return al_fail(err, AL_NO_MEMORY, "survey of %zu rows", n_rows);
    return AL_OK;
}

enum al_status tl_survey_run(const struct pk_package *p, const struct tl_data *d,
                             enum al_score score, size_t n_threads, struct tl_survey *ret,
                             struct al_error *err)
{
    struct surveyor *surveyors = calloc(n_threads, sizeof(*surveyors));
    struct field_work f = {
        .package = p, .data = d, .score = score, .surveyors = surveyors, .survey = ret
    };
    enum al_status s =
        survey_init(ret, tl_data_count(d), al_model_n_stages(p->model), err);

    if (s == AL_OK && !surveyors)
        s = al_fail(err, AL_NO_MEMORY, "%zu threads", n_threads);
    for (size_t i = 0; s == AL_OK && i < n_threads; i++)
        s = tl_runner_new(p->model, 1, &surveyors[i].runner, err);
    if (s == AL_OK)
        s = tl_parallel(n_threads, ret->n_rows, survey_row, &f, err);
    for (size_t i = 0; surveyors && i < n_threads; i++) {
        tl_runner_free(surveyors[i].runner);
        tl_buffer_done(&surveyors[i].buf);
    }
    free(surveyors);
    if (s != AL_OK)
        tl_survey_done(ret);
    else
        qsort(ret->pictures, ret->n_rows, SHA256_DIGEST_SIZE, by_bytes);
    return s;
}

void tl_survey_done(struct tl_survey *s)
{
    free(s->score);
    free(s->top);
    free(s->correct);
    free(s->pictures);
    memset(s, 0, sizeof(*s));
}

double tl_survey_accuracy(const struct tl_survey *s, uint32_t k)
{
    size_t n_right = 0;

    for (size_t i = 0; i < s->n_rows; i++)
        n_right += s->correct[i * s->n_exits + k];
    return (double)n_right / (double)s->n_rows;
}

void tl_survey_identify(const struct tl_survey *s, const struct pk_package *p,
                        char ret[65])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sha;

    sha256_init(&sha);
    sha256_update(&sha, strlen(p->model_sha256), (const uint8_t *)p->model_sha256);
    sha256_update(&sha, s->n_rows * SHA256_DIGEST_SIZE, s->pictures);
    sha256_digest(&sha, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

/* Looks at every branch before exit k and leaves there whatever it scores. */
static struct al_exit_rule leave_at(uint32_t k)
{
    struct al_exit_rule rule = al_exit_rule_full();

    for (uint32_t j = 0; j < k; j++)
        rule.threshold[j] = FLT_MAX;
    rule.max_exit = k;
    return rule;
}

enum al_status tl_costs_measure(const struct pk_package *p, const struct tl_data *d,
                                double seconds, struct tl_costs *ret,
                                struct al_error *err)
{
    const uint32_t n_exits = (uint32_t)al_model_n_stages(p->model);
    struct tl_trial *trials = calloc(n_exits + 1, sizeof(*trials));
    struct tl_inputs inputs = { .n_rows = 0 };
    struct tl_trial_params params = {
        .model = p->model, .inputs = &inputs, .n_threads = 1, .seconds = seconds
    };

    if (!trials)
        return al_fail(err, AL_NO_MEMORY, "%u trials", n_exits + 1);
    for (uint32_t k = 0; k <= n_exits; k++) {
        trials[k].batch = 1;
        trials[k].rule = k < n_exits ? leave_at(k) : al_exit_rule_full();
    }
    enum al_status s = tl_feed_inputs(p, d, COST_ROWS, &inputs, err);

    if (s == AL_OK)
        s = tl_trials_run(&params, trials, n_exits + 1, err);
    for (uint32_t k = 0; s == AL_OK && k < n_exits; k++)
        ret->exit[k] = tl_series_spread(&trials[k].us).median;
    if (s == AL_OK) {
        ret->full = tl_series_spread(&trials[n_exits].us).median;
        ret->n_rounds = trials[n_exits].us.n;
    }
    tl_inputs_done(&inputs);
    free(trials);
    return s;
}

struct al_ladder_data tl_survey_data(const struct tl_survey *s, const struct tl_costs *c)
{
    return (struct al_ladder_data){ .n_rows = s->n_rows,
                                    .n_exits = s->n_exits,
                                    .score = s->score,
                                    .correct = s->correct,
                                    .cost = c->exit,
                                    .full_cost = c->full };
}
