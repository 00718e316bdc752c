#include "tools/trial.h"

#include <stdlib.h>
#include <string.h>

#include "tools/clock.h"
#include "tools/parallel.h"

enum {
    MIN_ROUNDS = 3
};

struct rounds {
    const struct tl_trial_params *p;
    struct tl_runner **runners; /* [n_threads] */
    struct tl_answer **answers; /* [n_threads][batch] */
    uint64_t *elapsed_ns;       /* [n_threads] of the trial at hand */
    struct tl_trial *trial;
};

static size_t input_bytes(const struct al_model *m, size_t i)
{
    const struct al_tensor_info info = al_model_input(m, i);
    const struct al_tensor t = { .dtype = info.dtype, .shape = info.shape };

    return al_tensor_bytes(&t);
}

enum al_status tl_inputs_init(struct tl_inputs *in, const struct al_model *m,
                              size_t n_rows, struct al_error *err)
{
    size_t row_bytes = 0;

    for (size_t i = 0; i < al_model_n_inputs(m); i++)
        row_bytes += input_bytes(m, i);
    *in = (struct tl_inputs){ .n_rows = n_rows,
                              .n_inputs = al_model_n_inputs(m),
                              .row_bytes = row_bytes,
                              .data = calloc(n_rows, row_bytes) };
    if (!in->data)
        return al_fail(err, AL_NO_MEMORY, "%zu inputs of %zu bytes", n_rows, row_bytes);
    return AL_OK;
}

void tl_inputs_done(struct tl_inputs *in)
{
    free(in->data);
    memset(in, 0, sizeof(*in));
}

static void copy_in(struct tl_runner *r, const struct tl_trial_params *p, size_t from,
                    size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *at = tl_inputs_row(p->inputs, from + i);

        for (size_t k = 0; k < p->inputs->n_inputs; k++) {
            const size_t bytes = input_bytes(p->model, k);

            memcpy(tl_runner_input(r, i, k), at, bytes);
            at += bytes;
        }
    }
}

/* One thread's share of a round: every input once. */
static enum al_status run_round(void *arg, size_t worker, size_t item,
                                struct al_error *err)
{
    struct rounds *r = arg;
    const size_t n_rows = r->p->inputs->n_rows, batch = r->trial->batch;
    struct tl_answer *answers = r->answers[item];
    uint64_t elapsed = 0;

    (void)worker;
    (void)err;
    for (size_t from = 0; from < n_rows; from += batch) {
        const size_t n = n_rows - from < batch ? n_rows - from : batch;

        copy_in(r->runners[item], r->p, from, n);
        const uint64_t start = tl_now_ns();

        tl_runner_run(r->runners[item], n, &r->trial->rule, answers);
        elapsed += tl_now_ns() - start;
        if (item == 0 && r->trial->answers)
            memcpy(r->trial->answers + from, answers, n * sizeof(*answers));
    }
    r->elapsed_ns[item] = elapsed;
    return AL_OK;
}

/* One round of one trial on all threads; microseconds per row. */
static enum al_status run_trial(struct rounds *r, struct tl_trial *trial, double *ret_us,
                                struct al_error *err)
{
    const size_t n_threads = r->p->n_threads;
    uint64_t sum = 0;

    r->trial = trial;
    const enum al_status s = tl_parallel(n_threads, n_threads, run_round, r, err);

    for (size_t i = 0; i < n_threads; i++)
        sum += r->elapsed_ns[i];
    *ret_us = (double)sum / 1e3 / (double)r->p->inputs->n_rows /
              ((double)n_threads * (double)n_threads);
    return s;
}

static enum al_status run_rounds(struct rounds *r, struct tl_trial *trials,
                                 size_t n_trials, struct al_error *err)
{
    const uint64_t end = tl_now_ns() + (uint64_t)(r->p->seconds * 1e9);

    for (size_t round = 0; round < MIN_ROUNDS || tl_now_ns() < end; round++) {
        for (size_t t = 0; t < n_trials; t++) {
            double us;
            const enum al_status s = run_trial(r, &trials[t], &us, err);

            if (s != AL_OK)
                return s;
            tl_series_add(&trials[t].us, us);
        }
    }
    return AL_OK;
}

enum al_status tl_trials_run(const struct tl_trial_params *p, struct tl_trial *trials,
                             size_t n_trials, struct al_error *err)
{
    const size_t n = p->n_threads;
    struct rounds r = { .p = p,
                        .runners = calloc(n, sizeof(*r.runners)),
                        .answers = calloc(n, sizeof(*r.answers)),
                        .elapsed_ns = calloc(n, sizeof(*r.elapsed_ns)) };
    enum al_status s = AL_OK;
    size_t batch = 1;

    for (size_t t = 0; t < n_trials; t++)
        batch = trials[t].batch > batch ? trials[t].batch : batch;
    if (!r.runners || !r.answers || !r.elapsed_ns)
        s = al_fail(err, AL_NO_MEMORY, "%zu threads", n);
    for (size_t i = 0; s == AL_OK && i < n; i++) {
        s = tl_runner_new(p->model, batch, &r.runners[i], err);
        if (s == AL_OK && !(r.answers[i] = calloc(batch, sizeof(**r.answers))))
            s = al_fail(err, AL_NO_MEMORY, "%zu answers", batch);
    }
    if (s == AL_OK)
        s = run_rounds(&r, trials, n_trials, err);
    for (size_t i = 0; r.runners && r.answers && i < n; i++) {
        tl_runner_free(r.runners[i]);
        free(r.answers[i]);
    }
    free(r.runners);
    free(r.answers);
    free(r.elapsed_ns);
    return s;
}
