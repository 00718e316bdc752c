/* step_view.c — operators that only rename a plain value's dimensions cost nothing. */
#include "engine/exec/family.h"

static bool fits(const struct al_builder *b, const struct al_node *n)
{
    (void)b;
    switch ((int)n->op) {
    case AL_OP_RESHAPE:
    case AL_OP_FLATTEN:
    case AL_OP_SQUEEZE:
    case AL_OP_UNSQUEEZE:
    case AL_OP_IDENTITY:
        return true;
    case AL_OP_DROPOUT:
        return n->n_outputs == 1 || n->outputs[1] == AL_NO_VALUE;
    default:
        return false;
    }
}

static enum al_status lower(struct al_builder *b, uint32_t id, struct al_error *err)
{
    const struct al_node *n = al_graph_node(b->p.graph, id);
    uint32_t in;
    enum al_status s = al_build_read(b, n->inputs[0], AL_FORM_PLAIN, &in, err);

    return s == AL_OK ? al_build_alias(b, n->outputs[0], in, 0, err) : s;
}

const struct al_family al_family_view = { fits, lower };
