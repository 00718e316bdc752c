/* model.h — what stands behind engine.h. Private to engine/. */
#ifndef AL_MODEL_H
#define AL_MODEL_H

#include "engine/engine.h"
#include "engine/exec/plan.h"

struct al_arena;

/* Immutable after al_model_load(); everything hangs off the arena. */
struct al_model {
    struct al_arena *arena;
    struct al_plan plan;
    enum al_precision precision; /* al_model_precision() */
    size_t max_rows, max_threads;
    size_t group_rows; /* rows whose work lies in a workspace at the same time */
    size_t n_inputs, n_outputs;
    struct al_tensor_info *inputs, *outputs;
    size_t n_exits; /* 0: a plain graph */
    struct al_stage_info stages[AL_MAX_STAGES];
    bool has_gate[AL_MAX_STAGES];
    bool probabilities[AL_MAX_STAGES]; /* the exit needs no softmax */
};

#endif
