/* family.h — the ways to run a node, most special first. Private to exec/. */
#ifndef AL_EXEC_FAMILY_H
#define AL_EXEC_FAMILY_H

#include <stdbool.h>

#include "engine/exec/build.h"

struct al_family {
    bool (*fits)(const struct al_builder *b, const struct al_node *n);
    /* Drafts the steps of node `id`. */
    enum al_status (*lower)(struct al_builder *b, uint32_t id, struct al_error *err);
};

/* One row a family, in the order they are tried: eval fits what no other does. */
#define AL_FAMILY_LIST(X) \
    X(conv)               \
    X(fc)                 \
    X(matmul)             \
    X(attention)          \
    X(transposed)         \
    X(pool)               \
    X(norm)               \
    X(eltwise)            \
    X(channels)           \
    X(concat)             \
    X(moved)              \
    X(view)               \
    X(vector)             \
    X(eval)

#define X(name) extern const struct al_family al_family_##name;
AL_FAMILY_LIST(X)
#undef X

#endif
