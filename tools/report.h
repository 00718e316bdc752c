/* report.h — results for people (tables) and for scripts (JSON on stdout). */
#ifndef TL_REPORT_H
#define TL_REPORT_H

#include <jansson.h>

#include "engine/base/status.h"
#include "engine/engine.h"
#include "package/package.h"
#include "tools/series.h"

/* Prints and gives up `value`; NULL (no memory while building it) is an error. */
AL_MUST_CHECK enum al_status tl_report_json(json_t *value, struct al_error *err);

/* `array` with `value` (given up) at its end; NULL, and neither is left, without memory
 * or when one is NULL: a report lacks nothing silently. */
json_t *tl_json_added(json_t *array, json_t *value);
/* Names that come from files: what is no UTF-8 is taken for Latin-1, NULL becomes null.
 */
json_t *tl_json_text(const char *s);
/* NAN and infinities become null. */
json_t *tl_json_real(double v);
json_t *tl_json_spread(const struct tl_spread *s); /* {"low","median","high"} */
json_t *tl_json_reals(const double *v, size_t n);
json_t *tl_json_exit_names(const struct al_model *m);

/* "branch1  final", each in a column of `width`, with a newline. */
void tl_print_exit_names(const struct al_model *m, int width);
/* "74.6 %" right-aligned in `width`, or "-" for NAN. */
void tl_print_percent(double fraction, int width);

#endif
