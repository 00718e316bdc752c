/* warmup.h — the first runs of a model, before anybody can ask for it. */
#ifndef SV_APP_WARMUP_H
#define SV_APP_WARMUP_H

#include "engine/engine.h"
#include "server/core/model.h"

/* Runs rows of zeros through every stage and branch of `m`, which nobody else knows yet:
 * pages are touched and caches filled, and the scheduler learns what its stages cost. */
AL_MUST_CHECK enum al_status sv_warm_up(struct sv_model *m, struct al_error *err);

#endif
