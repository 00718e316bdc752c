/* survey.h — what every exit says about every sample of a data set. */
#ifndef TL_SURVEY_H
#define TL_SURVEY_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/engine.h"
#include "package/package.h"
#include "tools/data.h"

struct tl_survey {
    size_t n_rows;
    uint32_t n_exits;
    float *score;      /* [n_rows][n_exits]; -INFINITY: kept out by the exit's gate */
    uint32_t *top;     /* [n_rows][n_exits] most probable class; TL_NO_CLASS likewise */
    uint8_t *correct;  /* [n_rows][n_exits] */
    uint8_t *pictures; /* [n_rows][32] SHA-256 of each picture and its label, ascending */
};

/* Runs all samples through all exits on `n_threads` threads. */
AL_MUST_CHECK enum al_status tl_survey_run(const struct pk_package *p,
                                           const struct tl_data *d, enum al_score score,
                                           size_t n_threads, struct tl_survey *ret,
                                           struct al_error *err);
void tl_survey_done(struct tl_survey *s);
/* How often exit k alone would be right; a row its gate keeps out is not. */
double tl_survey_accuracy(const struct tl_survey *s, uint32_t k);

/* Names the evidence: 64 hexadecimal digits of the model, pictures and labels, the same
 * whatever the pictures' order, the processor, its kernels and their rounding. */
void tl_survey_identify(const struct tl_survey *s, const struct pk_package *p,
                        char ret[65]);

/* What a row costs, in microseconds of processor time at batch 1 on one thread. */
struct tl_costs {
    double exit[AL_MAX_EXITS]; /* leaving there, having looked at every branch before */
    double full;               /* looking at no branch */
    size_t n_rounds;           /* they are medians of so many */
};
AL_MUST_CHECK enum al_status tl_costs_measure(const struct pk_package *p,
                                              const struct tl_data *d, double seconds,
                                              struct tl_costs *ret, struct al_error *err);

/* View of both for the ladder. */
struct al_ladder_data tl_survey_data(const struct tl_survey *s, const struct tl_costs *c);

#endif
