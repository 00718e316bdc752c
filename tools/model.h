/* model.h — what a command is given as MODEL: a package folder, or a bare .onnx file as a
 * plain graph whose outputs are all computed. */
#ifndef TL_MODEL_H
#define TL_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/status.h"
#include "engine/engine.h"
#include "package/package.h"
#include "tools/options.h"

/* What the command line says about it. */
struct tl_model_args {
    const char *path;
    size_t version; /* of a package; 0: the highest */
    const char *precision;
    const char *cpu_mask;
    size_t max_threads;  /* of a run's team; 0: one */
    bool without_policy; /* leave policy.json alone: it is about to be replaced */
};

/* The options' rows, for a command whose values hold `struct tl_model_args model`. */
#define TL_MODEL_OPTIONS(values, argument, what)                                      \
    { (argument), TL_STRING, offsetof(values, model.path), NULL, (what) },            \
        { "--version",                                                                \
          TL_SIZE,                                                                    \
          offsetof(values, model.version),                                            \
          "N",                                                                        \
          "version of the package, 0 for the highest",                                \
          0,                                                                          \
          UINT32_MAX },                                                               \
        { "--precision", TL_STRING, offsetof(values, model.precision), "MODE",        \
          "strict, default or bf16, instead of the model's" },                        \
    {                                                                                 \
        "--cpu-mask", TL_STRING, offsetof(values, model.cpu_mask), "SETS",            \
            "instruction sets to use at most: scalar, avx2, avx512, avx512_bf16, amx" \
    }

struct tl_model {
    struct pk_package *package; /* NULL for a bare file */
    struct al_model *model;     /* the package's, or owned */
};

/* Whether --precision and --cpu-mask name something: for a command's check. */
AL_MUST_CHECK enum al_status tl_model_check(const struct tl_model_args *args,
                                            struct al_error *err);
AL_MUST_CHECK enum al_status tl_model_open(const struct tl_model_args *args,
                                           struct tl_model *ret, struct al_error *err);
/* The same, but AL_INVALID unless it is a package that takes pictures. */
AL_MUST_CHECK enum al_status tl_model_open_classifier(const struct tl_model_args *args,
                                                      struct tl_model *ret,
                                                      struct al_error *err);
/* A bare file, or a package's as such, with inputs of given shapes. */
AL_MUST_CHECK enum al_status tl_model_open_file(const struct tl_model_args *args,
                                                const struct al_input_shape *shapes,
                                                size_t n_shapes, struct tl_model *ret,
                                                struct al_error *err);
void tl_model_done(struct tl_model *m);

#endif
