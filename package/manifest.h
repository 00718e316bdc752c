/* manifest.h — model.json: how to feed a model and which tensors are its exits
 * (docs/model-package.md). Immutable once parsed. */
#ifndef PK_MANIFEST_H
#define PK_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/engine.h"
#include "package/image.h"

#define PK_MAX_BATCH 128

struct json_t;

struct pk_manifest {
    struct json_t *root; /* owns the strings below */
    bool has_input;      /* `input` and `input_tensor` were given */
    struct pk_input_spec input;
    const char *input_tensor;
    size_t n_exits; /* 0: the graph's first output is the only exit */
    struct al_exit_spec exits[AL_MAX_EXITS];
    uint32_t max_batch;
    enum al_precision precision; /* AL_N_PRECISIONS: not said */
    double default_max_loss;
};

/* What holds where model.json says nothing. */
void pk_manifest_init(struct pk_manifest *m);
/* Defaults of a picture: stretched, bilinear, pixels / 255. */
struct pk_input_spec pk_input_spec_default(void);
AL_MUST_CHECK enum al_status pk_manifest_parse(const char *text, size_t size,
                                               struct pk_manifest *ret,
                                               struct al_error *err);
void pk_manifest_done(struct pk_manifest *m);

#endif
