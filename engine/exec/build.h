/* build.h — how a plan comes to be. Private to exec/.
 *
 * The needed nodes are lowered one by one in the order they run; the first family
 * (family.h) that fits a node drafts steps that read and write buffers. A buffer is a
 * value in one form:
 *
 *   plain    row-major, no gaps, as ONNX has it;
 *   blocked  the channel-blocked layout of kern/conv.h, float, rank 4 with leading 1;
 *   moved    without gaps, in the order moved.h knows of; never asked for.
 *
 * Asking for a form that does not exist yet drafts the reorder. When all are drafted the
 * halos, lifetimes and aliases are known: buffers get their places, and each draft is
 * finished (kernels chosen, weights packed) with the final shapes.
 *
 * Aliases: a buffer may lie inside another, its root (concatenation in place, reshapes,
 * in-place activation). A root's halo, lifetime and home are those of all its members. */
#ifndef AL_EXEC_BUILD_H
#define AL_EXEC_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/exec/plan.h"
#include "engine/graph/graph.h"
#include "engine/graph/stages.h"
#include "engine/kern/conv.h"
#include "engine/kern/kern.h"

struct al_arena;
struct al_choice;
struct al_selection;
struct al_moved;

enum al_form {
    AL_FORM_PLAIN,
    AL_FORM_BLOCKED,
    AL_FORM_MOVED
};

#define AL_NO_BUFFER   UINT32_MAX
#define AL_MAX_MAP_DIM (1 << 24)

struct al_buffer {
    uint32_t value;
    enum al_form form;
    uint32_t slot;        /* where it is written */
    uint32_t first, last; /* steps that write and last read it */
    bool pinned;          /* lives in the carry, from the row's birth or to its end */
    uint32_t last_stage;  /* of its readers */
    struct al_halo halo;  /* of a blocked root */
    uint32_t root;        /* itself when it lies in no other */
    uint32_t root_block;  /* first channel block inside a blocked root */
    size_t root_first;    /* first element inside a plain root */
    uint32_t next;        /* next buffer of the same value, or AL_NO_BUFFER */
    struct al_place place;
};

struct al_builder;
struct al_draft;
typedef enum al_status (*al_finish_fn)(struct al_builder *b, struct al_draft *d,
                                       struct al_error *err);

struct al_draft {
    uint32_t node;
    const uint32_t *in, *out; /* buffers */
    bool in_place;            /* out[0] may overwrite in[0] */
    bool vector;              /* out[0] is in[0] when that is a 1x1 map without halo */
    bool elided;              /* ... as it turned out: no step is needed */
    const void *own;          /* the family's, from its lower() to finish() */
    const char *suffix;  /* of the operator's name: what else the step does; NULL: "" */
    al_finish_fn finish; /* fills what is left of `step`, run and args above all */
    struct al_step step;
};

struct al_build_params {
    struct al_graph *graph;
    const struct al_stages *stages;
    const uint32_t *exits, *gates; /* stages->n_stages of them, or NULL: plain graph */
    struct al_arena *arena;        /* takes the plan and the packed weights */
    enum al_conv_precision precision;
    unsigned cpu_flags;
    int32_t block; /* 8 or 16 */
    size_t max_rows;
    size_t limit_bytes; /* for one row's memory */
    struct al_choice *choice;
};

struct al_builder {
    struct al_build_params p;
    const struct al_kern *kern;
    struct al_arena *temporary;
    struct al_buffer *buffers;
    size_t n_buffers, room_buffers;
    struct al_draft *drafts;
    size_t n_drafts, room_drafts;
    uint32_t *first_buffer;                 /* by value: head of its list */
    const struct al_selection **selections; /* by value: its channel lists */
    const struct al_moved **moved;          /* by value: where others left its elements */
    const char **constant; /* by value: its elements in the plan's arena, once copied */
    uint32_t slot;         /* of what is drafted now */
    const char *kind;      /* of the steps drafted now: the family */
};

/* Builds the plan in p->arena. The graph may be freed afterwards. */
AL_MUST_CHECK enum al_status al_plan_build(const struct al_build_params *p,
                                           struct al_plan *ret, struct al_error *err);

/* ---- for families ---- */

static inline const struct al_value *al_value_of(const struct al_builder *b, uint32_t id)
{
    return al_graph_value(b->p.graph, id);
}

/* A buffer that holds `value` in `form` when the next step runs, reordered if need be. */
AL_MUST_CHECK enum al_status al_build_read(struct al_builder *b, uint32_t value,
                                           enum al_form form, uint32_t *ret,
                                           struct al_error *err);
/* The buffer that holds `value` in `form` for the part being built, or AL_NO_BUFFER. */
uint32_t al_build_find(const struct al_builder *b, uint32_t value, enum al_form form);
/* The node of the part being built that alone reads `value`, or AL_NO_NODE. */
uint32_t al_build_sole_reader(const struct al_builder *b, uint32_t value);
/* Whether `value` is blocked, or will be without a reorder when it is read so. */
bool al_build_is_blocked(const struct al_builder *b, uint32_t value);
/* Whether what was written in `slot` is there in the part being built. */
bool al_build_sees(const struct al_builder *b, uint32_t slot);
/* A new buffer for the next step to write. */
AL_MUST_CHECK enum al_status al_build_write(struct al_builder *b, uint32_t value,
                                            enum al_form form, uint32_t *ret,
                                            struct al_error *err);
/* The elements of plain `buffer` from `first` on, known as `value`: no step is needed. */
AL_MUST_CHECK enum al_status al_build_alias(struct al_builder *b, uint32_t value,
                                            uint32_t buffer, size_t first,
                                            struct al_error *err);
/* Drafts a step; arrays are copied. `*ret_draft` is valid until the next call. */
AL_MUST_CHECK enum al_status al_build_step(struct al_builder *b, uint32_t node,
                                           const uint32_t *in, size_t n_in,
                                           const uint32_t *out, size_t n_out,
                                           al_finish_fn finish,
                                           struct al_draft **ret_draft,
                                           struct al_error *err);
/* The buffer's root has at least this much halo. */
void al_build_halo(struct al_builder *b, uint32_t buffer, struct al_halo halo);

/* Zeroed memory of the plan's lifetime, and of the builder's. */
void *al_build_alloc(struct al_builder *b, size_t count, size_t size);
void *al_build_temporary(struct al_builder *b, size_t count, size_t size);
/* The elements of constant `value`, kept for the plan's lifetime; NULL: no memory. */
const void *al_build_constant(struct al_builder *b, uint32_t value);

/* Of buffers, once halos are final (in finish functions). */
struct al_map al_buffer_map(const struct al_builder *b, uint32_t buffer);
/* A value that can lie blocked: float, [1,C,H,W], dims that fit int32. */
bool al_value_is_map(const struct al_value *v);
uint64_t al_value_count(const struct al_value *v);
/* The activation of a node's epilogue, in the kernels' terms. */
struct al_post al_post_of(const struct al_node *n);
/* Whether `n` is an activation of its first input and nothing else; which, in `*ret`. */
bool al_activation_of(const struct al_builder *b, const struct al_node *n,
                      struct al_post *ret);
/* A constant of floats. */
bool al_is_float_constant(const struct al_builder *b, uint32_t value);
/* The omitted input i is AL_NO_VALUE whether the list is short or has a gap. */
static inline uint32_t al_node_input(const struct al_node *n, size_t i)
{
    return i < n->n_inputs ? n->inputs[i] : AL_NO_VALUE;
}

#endif
