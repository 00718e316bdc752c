#include "engine/graph/op.h"

#include <string.h>

static const struct al_op_info op_info[AL_N_OPS] = {
    [AL_OP_NONE] = { "(removed)", 0, 0, 0, 0 },
#define X(id, name, min_in, max_in, min_out, max_out, infer) \
    [AL_OP_##id] = { name, min_in, max_in, min_out, max_out },
    AL_OP_LIST(X)
#undef X
};

const struct al_op_info *al_op_info(enum al_op op)
{
    return &op_info[op];
}

enum al_op al_op_find(const char *name)
{
    for (int op = AL_OP_NONE + 1; op < AL_N_OPS; op++)
        if (!strcmp(op_info[op].name, name))
            return (enum al_op)op;
    return AL_OP_NONE;
}
