/* metrics.h — a snapshot in Prometheus' text format (version 0.0.4). One table names
 * every metric (metrics_list.h); the answer, docs/metrics.md and the tests come from
 * it. */
#ifndef SV_APP_METRICS_H
#define SV_APP_METRICS_H

#include <stdio.h>

#include "server/app/snapshot.h"
#include "server/proto/text.h"

void sv_metrics_text(struct sv_text *t, const struct sv_snapshot *s);
void sv_metrics_triton_text(struct sv_text *t, const struct sv_snapshot *s);
/* docs/metrics.md */
void sv_metrics_print_page(FILE *to);

#endif
