/* served.h — a model as the wire shows it: one input, one vector of probabilities. The
 * payload of a scheduler's model. Immutable once made; freed with its sv_model. */
#ifndef SV_PROTO_SERVED_H
#define SV_PROTO_SERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/tensor.h"
#include "package/package.h"

struct sv_model;

/* Test models need no package. */
enum sv_builtin {
    SV_BUILTIN_NONE,
    SV_BUILTIN_IDENTITY,  /* answers what it is given, any shape */
    SV_BUILTIN_NULL,      /* looks at nothing, answers 0: what the server itself costs */
    SV_BUILTIN_SLEEP,     /* holds a worker for the milliseconds in its input */
    SV_BUILTIN_TWO_EXITS, /* answers at once; sleeps before its second exit */
    SV_BUILTIN_WORK       /* computes for the microseconds in its input, row by row */
};

struct sv_served {
    char *name;
    uint32_t version;
    struct pk_package *package; /* owned; NULL for a test model */
    enum sv_builtin builtin;
    const char *input_name, *output_name;
    struct al_shape input_shape; /* of one row, leading 1 included */
    size_t n_classes, n_exits;
    size_t row_bytes;
    size_t max_batch, max_threads; /* of one run */
    uint64_t stamp; /* of the files it came from, to see whether they changed; 0: none */
};

/* Takes `p` over on success. AL_UNSUPPORTED for a model that cannot be put on the wire.
 */
AL_MUST_CHECK enum al_status sv_served_new(struct pk_package *p, struct sv_served **ret,
                                           struct al_error *err);
AL_MUST_CHECK enum al_status sv_served_new_builtin(enum sv_builtin builtin,
                                                   const char *name,
                                                   struct sv_served **ret,
                                                   struct al_error *err);
void sv_served_free(struct sv_served *s);

/* The scheduler's model around `s`, which it takes over on success. */
AL_MUST_CHECK enum al_status sv_served_to_model(struct sv_served *s,
                                                struct sv_model **ret,
                                                struct al_error *err);
const struct sv_served *sv_served_of(const struct sv_model *m);

/* Whether answers tell where they left; most test models have nothing to tell. */
bool sv_served_has_exits(const struct sv_served *s);
/* "branch1". */
const char *sv_served_exit_name(const struct sv_served *s, size_t exit);
/* NULL without labels. */
const char *sv_served_label(const struct sv_served *s, size_t class_index);

#endif
