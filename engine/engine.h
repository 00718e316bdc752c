/* engine.h — libalight's only door: an ONNX model in, decisions out.
 *
 * A model is cut into stages at its exits: stage k is the trunk segment that ends at exit
 * k and the branch that classifies there. A row is one input (batch dimension 1) and all
 * that must stay alive between its stages; rows are addressed by pointer, never by
 * position, so survivors of several batches form the next one without copying. A row's
 * bits never depend on which rows share its run.
 *
 * The engine knows no socket, no JSON, no clock and owns no thread: time and threads come
 * in by function pointer. A model is immutable once loaded and may be used from any
 * number of threads, each with its own workspace; different rows may run at the same
 * time. */
#ifndef AL_ENGINE_H
#define AL_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/candidate.h"
#include "engine/base/status.h"
#include "engine/base/team.h"
#include "engine/base/tensor.h"
#include "engine/exit/binomial.h"
#include "engine/exit/ladder.h"
#include "engine/exit/net_loss.h"
#include "engine/exit/policy.h"
#include "engine/exit/score.h"

struct al_model;
struct al_workspace;

/* ---- loading ---- */

/* Rounding the kernels may use (KERNELS): strict = plain fp32 algorithms, default adds
 * those within 1e-5 relative, bf16 adds bfloat16 products. */
#define AL_PRECISION_LIST(X) \
    X(STRICT, "strict")      \
    X(DEFAULT, "default")    \
    X(BF16, "bf16")

enum al_precision {
#define X(id, name) AL_PRECISION_##id,
    AL_PRECISION_LIST(X)
#undef X
    AL_N_PRECISIONS
};
const char *al_precision_name(enum al_precision p);
enum al_precision al_precision_find(const char *name); /* AL_N_PRECISIONS: unknown */

struct al_exit_spec {
    const char
        *tensor; /* name of the graph value that holds the exit's answer, [1,classes] */
    const char *name;   /* shown to users */
    const char *gate;   /* graph value of the gate (one number, > 0: enter), or NULL */
    bool probabilities; /* the tensor holds probabilities, not logits */
};

struct al_input_shape {
    const char *tensor;
    struct al_shape shape;
};

struct al_model_params {
    const void *onnx; /* the file's bytes; may be freed after the call */
    size_t onnx_bytes;
    /* Told, if set, which bytes of the file the call will not read again: weights, once
     * copied. Their memory may be given back at once. */
    void (*forget)(void *arg, const void *bytes, size_t n);
    void *forget_arg;
    /* Exits in order, earliest first; the last must depend on no later one. None: a plain
     * graph of one stage whose outputs are read by al_row_output(). */
    const struct al_exit_spec *exits;
    size_t n_exits;
    /* Concrete shapes for inputs that leave dimensions open; others' open dimensions
     * are 1. */
    const struct al_input_shape *shapes;
    size_t n_shapes;
    enum al_precision precision;
    unsigned cpu_mask;         /* enum al_cpu_flags allowed; UINT_MAX = all */
    size_t max_rows;           /* most rows of one run; 0 = 32 */
    size_t max_threads;        /* most threads of a run's team; 0 = 1 */
    size_t memory_limit_bytes; /* for the model's graph, weights and plan; 0 = 4 GiB */
    uint64_t (*now_ns)(void);  /* to measure kernels by; NULL: choose by rule of thumb */
    /* Where measured choices are kept, shared by all models of this machine; NULL:
     * measure at every load. Who calibrates and who serves must use the same file to
     * compute the same bits. */
    const char *choice_file;
};

AL_MUST_CHECK enum al_status al_model_load(const struct al_model_params *p,
                                           struct al_model **ret, struct al_error *err);
void al_model_free(struct al_model *m);

/* ---- what a model is ---- */

struct al_tensor_info {
    const char *name;
    enum al_dtype dtype;
    struct al_shape shape; /* of one row, leading 1 included */
    bool batched;          /* the file leaves the leading dimension open */
};

struct al_stage_info {
    const char *exit_name;
    uint64_t trunk_macs, branch_macs; /* multiply-adds of one row */
    size_t n_classes;
};

/* One line of the plan, for people. */
struct al_step_info {
    const char *kind;   /* of step: a family of exec/family.h, "reorder" or "gather" */
    const char *node;   /* name of the node, or of the fused group's last */
    const char *op;     /* "Conv+Relu" */
    const char *kernel; /* "direct-avx512" */
    uint32_t stage;
    bool branch;
    struct al_shape shape; /* of its first output */
    uint64_t macs;
    size_t weight_bytes;
    /* Kernels that were measured, the chosen one among them; none for other steps. */
    const struct al_candidate *candidates;
    size_t n_candidates;
};

size_t al_model_n_inputs(const struct al_model *m);
size_t al_model_n_outputs(const struct al_model *m);
size_t al_model_n_stages(const struct al_model *m); /* = exits, at least 1 */
size_t al_model_n_steps(const struct al_model *m);
size_t al_model_max_rows(const struct al_model *m);
size_t al_model_weight_bytes(const struct al_model *m);
/* The mode it was loaded in; but AL_PRECISION_DEFAULT when that was bf16 and no step
 * computes in it, because the CPU or the mask lacks the instructions or others are
 * faster. */
enum al_precision al_model_precision(const struct al_model *m);
struct al_tensor_info al_model_input(const struct al_model *m, size_t i);
struct al_tensor_info al_model_output(const struct al_model *m, size_t i);
struct al_stage_info al_model_stage(const struct al_model *m, size_t k);
struct al_step_info al_model_step(const struct al_model *m, size_t i);

/* ---- rows and runs ---- */

/* Bytes of one row's memory; the caller provides it, aligned to 64, one per row in
 * flight. */
size_t al_model_row_bytes(const struct al_model *m);
/* Where input i goes: elements row-major as al_model_input() says. Write before stage 0.
 */
void *al_row_input(const struct al_model *m, void *row, size_t i);
/* Plain graphs: output i after the run. */
const void *al_row_output(const struct al_model *m, const void *row, size_t i);
/* Probabilities of exit k, valid from its evaluation until the row is reused. */
const float *al_row_probs(const struct al_model *m, const void *row, size_t k);

/* Memory of one thread, shared by all models it runs; grows only in al_workspace_reserve.
 */
struct al_workspace *al_workspace_new(void);
void al_workspace_free(struct al_workspace *ws);
AL_MUST_CHECK enum al_status al_workspace_reserve(struct al_workspace *ws,
                                                  const struct al_model *m,
                                                  struct al_error *err);

struct al_stage_row {
    void *row;
    const struct al_exit_rule *rule;
    /* Results of the run. */
    bool evaluated; /* the branch ran: score, top and al_row_probs are valid */
    bool leave;
    float score;
    uint32_t top; /* most probable class */
};

/* Runs stage k for n <= max_rows rows that have passed every stage before it: trunk for
 * all, branch for those whose rule could leave there, softmax, score, decision. Allocates
 * nothing. `ws` must have been reserved for `m`. `team` (of at most max_threads) shares
 * the work; NULL: everything on the calling thread. */
void al_stage_run(const struct al_model *m, struct al_workspace *ws, size_t k, size_t n,
                  struct al_stage_row *rows, struct al_team *team);

/* Instruction sets found and allowed, for logs: al_cpu_* of kern/cpu.h, re-exported. */
unsigned al_engine_cpu_flags(void);
bool al_engine_cpu_mask(const char *text, unsigned *ret_mask);
const char *al_engine_cpu_name(unsigned flags);

#endif
