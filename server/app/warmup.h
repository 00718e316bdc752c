/* warmup.h — the first runs of a model, before anybody can ask for it. */
#ifndef SV_APP_WARMUP_H
#define SV_APP_WARMUP_H

#include <stdint.h>

#include "engine/engine.h"
#include "server/core/model.h"

/* Time the calling thread has had a processor. Loading is measured by it: a thread that
 * makes way for the workers loses the processor in the middle of a run. */
uint64_t sv_thread_ns(void);

/* Runs rows of zeros through every stage and branch of `m`, which nobody else knows yet:
 * pages are touched and caches filled, and the scheduler learns what its stages cost. */
AL_MUST_CHECK enum al_status sv_warm_up(struct sv_model *m, struct al_error *err);

#endif
