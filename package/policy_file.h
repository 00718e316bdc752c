/* policy_file.h — policy.json: the ladder `alight calibrate` certified
 * (docs/model-package.md). The same policy always gives the same bytes. Pure. */
#ifndef PK_POLICY_FILE_H
#define PK_POLICY_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

/* The model a policy belongs to; a policy of another one is refused. One certified in
 * another precision is not: `*ret_precision` tells. */
struct pk_policy_model {
    uint32_t n_exits;
    const char *exit_names[AL_MAX_EXITS];
    const char *sha256;          /* of model.onnx */
    enum al_precision precision; /* in which it computes: what pk_policy_format writes */
};

AL_MUST_CHECK enum al_status pk_policy_parse(const char *text, size_t size,
                                             const struct pk_policy_model *model,
                                             struct al_policy *ret,
                                             enum al_precision *ret_precision,
                                             struct al_error *err);
/* malloc'ed text. */
AL_MUST_CHECK enum al_status pk_policy_format(const struct al_policy *policy,
                                              const struct pk_policy_model *model,
                                              char **ret, size_t *ret_size,
                                              struct al_error *err);

#endif
