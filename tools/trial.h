/* trial.h — what rules and batch sizes cost, measured against each other. All trials run
 * over the same inputs, round and round in turn, so that whatever else the machine does
 * meets them alike. Costs are processor time: nothing in a run waits, so on a machine
 * with nothing else to do it is the time that passes. Inside the clock: trunk, branches,
 * softmax, score, decision and the closing of ranks; outside: copying inputs in, for a
 * few rows at a time, so that a row's input is as warm as one just decoded. */
#ifndef TL_TRIAL_H
#define TL_TRIAL_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/engine.h"
#include "tools/runner.h"
#include "tools/series.h"

/* Inputs held in memory, one after the other. */
struct tl_inputs {
    size_t n_rows;
    size_t n_inputs; /* of the model */
    size_t row_bytes;
    uint8_t
        *data; /* owned; [n_rows][row_bytes], the model's inputs one after the other */
};

/* Room for `n_rows`, zeroed. */
AL_MUST_CHECK enum al_status tl_inputs_init(struct tl_inputs *in,
                                            const struct al_model *m, size_t n_rows,
                                            struct al_error *err);
void tl_inputs_done(struct tl_inputs *in);
static inline uint8_t *tl_inputs_row(const struct tl_inputs *in, size_t i)
{
    return in->data + i * in->row_bytes;
}

struct tl_trial {
    struct al_exit_rule rule;
    size_t batch;              /* rows a run */
    struct tl_series us;       /* microseconds per row, one value a round */
    struct tl_answer *answers; /* [n_rows] of the last round, or NULL */
};

struct tl_trial_params {
    const struct al_model *model;
    const struct tl_inputs *inputs;
    struct al_team *team; /* shares every run, and time is then what passes; or NULL */
    size_t n_threads; /* each runs all inputs; us is then per row of them all together */
    double seconds;   /* rounds go on for about that long, but at least 3 are made */
};

AL_MUST_CHECK enum al_status tl_trials_run(const struct tl_trial_params *p,
                                           struct tl_trial *trials, size_t n_trials,
                                           struct al_error *err);

#endif
