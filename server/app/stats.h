/* stats.h — a snapshot as JSON: Alight's own (/stats) and Triton's (/v2/models/…/stats).
 */
#ifndef SV_APP_STATS_H
#define SV_APP_STATS_H

#include "server/app/snapshot.h"
#include "server/proto/text.h"

void sv_stats_json(struct sv_text *t, const struct sv_snapshot *s);
/* {"model_stats":[…]}; Triton's fields, and our exit_stats. */
void sv_stats_oip(struct sv_text *t, const struct sv_snapshot *s);

#endif
