/* package.h — a model package on disk: <dir>/model.json, labels.txt, <version>/model.onnx
 * and <version>/policy.json, loaded into one immutable object. Used by the daemon and the
 * toolbox. Built by one thread; afterwards read by any. */
#ifndef PK_PACKAGE_H
#define PK_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/engine.h"
#include "package/image.h"

struct pk_package {
    char *name;       /* the folder's */
    uint32_t version; /* the folder's number */
    char *dir;
    char model_sha256[65];
    struct al_model *model;
    bool takes_images; /* input spec is known and the input is one float [1,C,H,W] */
    struct pk_input_spec input;
    size_t n_labels; /* 0 or the number of classes */
    char **labels;
    size_t n_classes;
    size_t max_batch;
    double default_max_loss;
    struct al_policy policy; /* level 0 alone when there is no policy.json */
    bool has_policy;
    enum al_precision certified_in; /* the policy's; without one, the model's own */
};

struct pk_load_params {
    enum al_precision precision; /* AL_N_PRECISIONS: what model.json says, else default */
    unsigned cpu_mask;
    uint64_t (*now_ns)(void);
    size_t max_threads;  /* most threads of a run's team; 0 = 1 */
    bool without_policy; /* do not read policy.json: a new one is to be certified */
};

/* `version` 0: the highest. A package without model.json is a plain classifier with one
 * exit: the graph's only input and first output. Errors name the file and the key. A
 * policy.json that was certified for another model file (model_sha256) or other exits is
 * an error; one certified in another precision is not, see certified_in. */
AL_MUST_CHECK enum al_status pk_package_load(const char *dir, uint32_t version,
                                             const struct pk_load_params *p,
                                             struct pk_package **ret,
                                             struct al_error *err);
void pk_package_free(struct pk_package *p);

/* Version numbers under `dir`, ascending, into a malloc'ed array. */
AL_MUST_CHECK enum al_status pk_package_versions(const char *dir, uint32_t **ret,
                                                 size_t *ret_n, struct al_error *err);
/* <dir>/<version>/policy.json, malloc'ed; NULL without memory. */
char *pk_policy_path(const struct pk_package *p);
/* Writes what that file is to hold. Whether all of it arrived ferror() and fclose() tell. */
AL_MUST_CHECK enum al_status pk_policy_write(const struct pk_package *p,
                                             const struct al_policy *policy, FILE *f,
                                             struct al_error *err);

#endif
