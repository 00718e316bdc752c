/* choose.h — which algorithm computes a layer. With a clock the candidates are measured
 * once for each distinct shape, on one row, and the fastest is kept; without, the table's
 * last that fits is taken. The choice never depends on the batch, so a row's bits do not
 * either. Used by the one thread that loads a model. */
#ifndef AL_EXEC_CHOOSE_H
#define AL_EXEC_CHOOSE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/kern/conv.h"

struct al_choice;

/* NULL: no memory. `now_ns` may be NULL. */
struct al_choice *al_choice_new(unsigned cpu_flags, enum al_conv_precision precision,
                                uint64_t (*now_ns)(void));
void al_choice_free(struct al_choice *c);

AL_MUST_CHECK enum al_status al_choose_conv(struct al_choice *c,
                                            const struct al_conv_shape *s, int32_t block,
                                            const struct al_conv_algo **ret,
                                            struct al_error *err);

#endif
