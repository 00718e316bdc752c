/* builtin.h — test models: what a stage run of theirs does. Worker threads. */
#ifndef SV_APP_BUILTIN_H
#define SV_APP_BUILTIN_H

#include <stddef.h>

#include "server/core/table.h"
#include "server/proto/served.h"

/* Puts the test models, and identity_fp32 under `alias` too unless that is "", into `t`.
 */
AL_MUST_CHECK enum al_status sv_builtin_add(struct sv_table *t, const char *alias,
                                            struct al_error *err);
void sv_builtin_run(const struct sv_served *m, size_t stage, size_t n,
                    struct al_stage_row *rows);

#endif
