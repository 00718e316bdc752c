/* runner.h — rows through a model's stages until each has left, on the calling
 * thread or with the help of a team. One runner a thread; all of its memory is got when
 * it is made. */
#ifndef TL_RUNNER_H
#define TL_RUNNER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/engine.h"

struct tl_runner;

struct tl_answer {
    uint32_t exit; /* where the row left */
    uint32_t top;  /* its class there */
    float score;
};

AL_MUST_CHECK enum al_status tl_runner_new(const struct al_model *m, size_t n_rows,
                                           struct tl_runner **ret, struct al_error *err);
/* Shares every further run among `team`, which must outlive the runner. */
void tl_runner_set_team(struct tl_runner *r, struct al_team *team);
void tl_runner_free(struct tl_runner *r);

/* Where row i's input goes; write it before every run. */
void *tl_runner_input(struct tl_runner *r, size_t i, size_t input);
const void *tl_runner_output(const struct tl_runner *r, size_t i, size_t output);

/* Runs `n` rows from `first` on by `rule`; after each stage those that stay go on as a
 * smaller batch. `answers` [n] is by row. */
void tl_runner_run(struct tl_runner *r, size_t first, size_t n,
                   const struct al_exit_rule *rule, struct tl_answer *answers);
/* What every exit says about row 0: `answers` [stages]. An exit whose gate keeps the row
 * out says nothing: class TL_NO_CLASS, score -INFINITY, which no threshold lets leave. */
#define TL_NO_CLASS UINT32_MAX
void tl_runner_ask_all(struct tl_runner *r, enum al_score score,
                       struct tl_answer *answers);

#endif
