#include "tools/trial.h"

#include <stdlib.h>
#include <string.h>

#include "tools/clock.h"
#include "tools/parallel.h"

enum {
    MIN_ROUNDS = 3,
    MIN_SLOTS = 16,
};

/* One thread's own things. */
struct lane {
    struct tl_runner *runner;
    struct tl_answer *answers; /* [n_slots] */
    uint64_t elapsed_ns;       /* of the round at hand */
};

struct rounds {
    const struct tl_trial_params *p;
    struct lane *lanes; /* [n_threads] */
    size_t n_slots;     /* rows that a lane has memory for */
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
                              .data = calloc(n_rows, row_bytes + 1) };
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

/* Work shared by a team costs what passes until it is done. */
static uint64_t read_clock(const struct tl_trial_params *p)
{
    return p->team ? tl_now_ns() : tl_thread_ns();
}

/* Runs `n` rows that lie in the lane's memory, a batch at a time; nanoseconds. */
static uint64_t run_window(struct rounds *r, struct lane *lane, size_t n)
{
    const size_t batch = r->trial->batch;
    const uint64_t start = read_clock(r->p);

    for (size_t i = 0; i < n; i += batch)
        tl_runner_run(lane->runner, i, n - i < batch ? n - i : batch, &r->trial->rule,
                      lane->answers + i);
    return read_clock(r->p) - start;
}

/* One thread's share of a round: every input once. */
static enum al_status run_round(void *arg, size_t worker, size_t item,
                                struct al_error *err)
{
    struct rounds *r = arg;
    struct lane *lane = &r->lanes[item];
    const size_t n_rows = r->p->inputs->n_rows;
    const size_t window = r->n_slots / r->trial->batch * r->trial->batch;

    (void)worker;
    (void)err;
    lane->elapsed_ns = 0;
    for (size_t from = 0; from < n_rows; from += window) {
        const size_t n = n_rows - from < window ? n_rows - from : window;

        copy_in(lane->runner, r->p, from, n);
        lane->elapsed_ns += run_window(r, lane, n);
        if (item == 0 && r->trial->answers)
            memcpy(r->trial->answers + from, lane->answers, n * sizeof(*lane->answers));
    }
    return AL_OK;
}

/* One round of one trial on all threads; microseconds per row of them all together. */
static enum al_status run_trial(struct rounds *r, struct tl_trial *trial, double *ret_us,
                                struct al_error *err)
{
    const size_t n_threads = r->p->n_threads;
    uint64_t sum = 0;

    r->trial = trial;
    const enum al_status s = tl_parallel(n_threads, n_threads, run_round, r, err);

    for (size_t i = 0; i < n_threads; i++)
        sum += r->lanes[i].elapsed_ns;
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

static enum al_status make_lanes(struct rounds *r, struct al_error *err)
{
    enum al_status s = AL_OK;

    r->lanes = calloc(r->p->n_threads, sizeof(*r->lanes));
    if (!r->lanes)
        return al_fail(err, AL_NO_MEMORY, "%zu threads", r->p->n_threads);
    for (size_t i = 0; s == AL_OK && i < r->p->n_threads; i++) {
        s = tl_runner_new(r->p->model, r->n_slots, &r->lanes[i].runner, err);
        if (s == AL_OK)
            tl_runner_set_team(r->lanes[i].runner, r->p->team);
        r->lanes[i].answers = calloc(r->n_slots, sizeof(*r->lanes[i].answers));
        if (s == AL_OK && !r->lanes[i].answers)
            s = al_fail(err, AL_NO_MEMORY, "%zu answers", r->n_slots);
    }
    return s;
}

static void free_lanes(struct rounds *r)
{
    for (size_t i = 0; r->lanes && i < r->p->n_threads; i++) {
        tl_runner_free(r->lanes[i].runner);
        free(r->lanes[i].answers);
    }
    free(r->lanes);
}

enum al_status tl_trials_run(const struct tl_trial_params *p, struct tl_trial *trials,
                             size_t n_trials, struct al_error *err)
{
    struct rounds r = { .p = p, .n_slots = MIN_SLOTS };

    for (size_t t = 0; t < n_trials; t++)
        r.n_slots = trials[t].batch > r.n_slots ? trials[t].batch : r.n_slots;
    enum al_status s = make_lanes(&r, err);

    if (s == AL_OK)
        s = run_rounds(&r, trials, n_trials, err);
    free_lanes(&r);
    return s;
}
