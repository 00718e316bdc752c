/* options.h — what one request may ask for, from a query string or from OIP parameters.
 * Pure. */
#ifndef SV_PROTO_OPTIONS_H
#define SV_PROTO_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "package/package.h"

#define SV_TOP_MAX 1000 /* classes of one answer */

/* OPTION(key, lowest, highest, whole number, text) */
#define SV_OPTION_LIST(X)                                                                \
    X(top, 1, SV_TOP_MAX, true, "classes in the answer, best first")                     \
    X(max_loss, 0, 1, false, "accuracy that may be given up; 0: never leave early")      \
    X(threshold, 0, 1, false, "raw score at which to leave, without a certificate")      \
    X(min_exit, 0, AL_MAX_EXITS - 1, true, "first exit at which to leave")               \
    X(max_exit, 0, AL_MAX_EXITS - 1, true, "exit at which to leave at the latest")       \
    X(deadline_ms, 0.001, 3600000, false, "answer within this time, as well as you can") \
    X(priority, 0, 8, true, "1 (highest) to 8; 0: the default")

/* NAN: not given. */
struct sv_options {
#define X(key, low, high, whole, text) double key;
    SV_OPTION_LIST(X)
#undef X
};

struct sv_options sv_options_none(void);
/* AL_OK and no effect for keys that are no option. */
AL_MUST_CHECK enum al_status sv_options_set(struct sv_options *o, const char *key,
                                            double value, struct al_error *err);
AL_MUST_CHECK enum al_status sv_options_set_text(struct sv_options *o, const char *key,
                                                 const char *value, struct al_error *err);

/* The rule these options make of a package's policy. `*ret_level`: the level it comes
 * from, or SV_NO_LEVEL for a rule that no certificate covers. */
#define SV_NO_LEVEL UINT32_MAX
AL_MUST_CHECK enum al_status sv_options_rule(const struct sv_options *o,
                                             const struct pk_package *p,
                                             struct al_exit_rule *ret,
                                             uint32_t *ret_level, struct al_error *err);

#endif
