/* versions.h — which versions of a package are served: the setting `versions`, a
 * comma-separated list of rules, each for one package or, without a name, for all others:
 *
 *   rule    = [ NAME "=" ] policy
 *   policy  = "all" | "latest:" N | N *( "+" N )      the N newest; just these
 *
 * as "latest:1,resnet=1+3". No rule is "all". Pure. */
#ifndef SV_APP_VERSIONS_H
#define SV_APP_VERSIONS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

AL_MUST_CHECK enum al_status sv_versions_check(const char *rules, struct al_error *err);
/* Keeps those of `versions`, ascending, that are to be served; how many. `rules` have
 * been checked. */
size_t sv_versions_keep(const char *rules, const char *package, uint32_t *versions,
                        size_t n);

#endif
