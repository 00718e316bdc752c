/* team.h — threads that share the work of one run: the engine's parallel-for. Between
 * runs they spin a little, then sleep. One caller at a time. */
#ifndef TL_TEAM_H
#define TL_TEAM_H

#include <stddef.h>

#include "engine/base/status.h"
#include "engine/base/team.h"

/* A team of `n_threads` >= 2, the caller among them. */
AL_MUST_CHECK enum al_status tl_team_new(size_t n_threads, struct al_team **ret,
                                         struct al_error *err);
void tl_team_free(struct al_team *door);

#endif
