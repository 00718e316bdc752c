/* choose.h — which algorithm computes a layer. With a clock the candidates are measured
 * once for each distinct shape, on one row, and the fastest is kept; without, the table's
 * last that fits is taken. The choice never depends on the batch, so a row's bits do not
 * either. Choices may be kept in a file: then all who load the model on this machine
 * compute the same bits, and soon. Used by the one thread that loads a model. */
#ifndef AL_EXEC_CHOOSE_H
#define AL_EXEC_CHOOSE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/candidate.h"
#include "engine/base/status.h"
#include "engine/kern/conv.h"

#define AL_MAX_CANDIDATES 16

struct al_choice;

struct al_chosen {
    const struct al_conv_algo *algo;
    uint64_t ns;         /* of one row; 0: not measured */
    size_t n_candidates; /* all that fit, the chosen one among them */
    struct al_candidate candidates[AL_MAX_CANDIDATES];
};

struct al_choice_params {
    unsigned cpu_flags;
    enum al_conv_precision precision;
    uint64_t (*now_ns)(void); /* NULL: choose by rule of thumb, and use no file */
    const char *file;         /* NULL: none */
};

/* Reads the file if there is a good one; NULL: no memory. */
struct al_choice *al_choice_new(const struct al_choice_params *p);
void al_choice_free(struct al_choice *c);
/* Adds what was measured to the file. That it cannot be written is nobody's error: the
 * next load measures again. */
void al_choice_save(const struct al_choice *c);

AL_MUST_CHECK enum al_status al_choose_conv(struct al_choice *c,
                                            const struct al_conv_shape *s, int32_t block,
                                            struct al_chosen *ret, struct al_error *err);

#endif
