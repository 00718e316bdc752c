/* builtin.h — test models: what a stage run of theirs does. Worker threads. */
#ifndef SV_APP_BUILTIN_H
#define SV_APP_BUILTIN_H

#include <stddef.h>

#include "server/proto/served.h"

void sv_builtin_run(const struct sv_served *m, size_t n, struct al_stage_row *rows);

#endif
