/* json_numbers.h — numbers of JSON text, scanned exactly and fast. A mantissa of at most
 * 2^53 with a power of ten of at most 22 is one exact multiplication or division
 * (Clinger 1990); everything else goes to strtod, so the result is always the double
 * nearest to the text. Pure. */
#ifndef SV_PROTO_JSON_NUMBERS_H
#define SV_PROTO_JSON_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/status.h"

/* One number of RFC 8259 at `*p`, not past `end`; moves `*p` behind it. */
bool sv_json_number(const char **p, const char *end, double *ret);

/* Values of an array of numbers, true (1) and false (0), nested in any way, in order of
 * appearance. `text` starts at its '['. Calls `take` with a few hundred at a time; its
 * status ends the scan when it is not AL_OK. */
struct sv_json_sink {
    enum al_status (*take)(void *arg, const double *values, size_t n,
                           struct al_error *err);
    void *arg;
};
AL_MUST_CHECK enum al_status sv_json_numbers(const char *text, size_t size,
                                             const struct sv_json_sink *sink,
                                             struct al_error *err);

#endif
