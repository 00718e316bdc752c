#include <math.h>

#include "engine/graph/graph.h"

/* A bound of Clip: an input since operator set 11, an attribute before. False when it is
 * not known until the model runs. */
static bool clip_bound(const struct al_graph *g, const struct al_node *n, size_t input,
                       const char *attr, float otherwise, float *ret)
{
    *ret = al_node_float(n, attr, otherwise);
    if (input >= n->n_inputs || n->inputs[input] == AL_NO_VALUE)
        return true;
    const struct al_value *v = al_graph_value(g, n->inputs[input]);
    if (!v->data)
        return false;
    *ret = *(const float *)v->data;
    return true;
}

static enum al_act act_of(const struct al_node *n)
{
    switch ((int)n->op) {
    case AL_OP_RELU:
        return AL_ACT_RELU;
    case AL_OP_CLIP:
        return AL_ACT_CLIP;
    case AL_OP_LEAKY_RELU:
        return AL_ACT_LEAKY_RELU;
    case AL_OP_HARD_SWISH:
        return AL_ACT_HARD_SWISH;
    case AL_OP_SIGMOID:
        return AL_ACT_SIGMOID;
    case AL_OP_TANH:
        return AL_ACT_TANH;
    case AL_OP_GELU:
        return al_node_string(n, "approximate", "none")[0] == 't' ? AL_ACT_GELU_TANH
                                                                  : AL_ACT_GELU;
    default:
        return AL_ACT_NONE;
    }
}

bool al_node_activation(const struct al_graph *g, const struct al_node *n,
                        struct al_epilogue *ret)
{
    struct al_epilogue e = { .act = act_of(n), .add = AL_NO_VALUE };

    if (e.act == AL_ACT_NONE || al_graph_value(g, n->inputs[0])->dtype != AL_F32)
        return false;
    if (e.act == AL_ACT_LEAKY_RELU)
        e.a = al_node_float(n, "alpha", 0.01F);
    if (e.act == AL_ACT_CLIP && (!clip_bound(g, n, 1, "min", -INFINITY, &e.a) ||
                                 !clip_bound(g, n, 2, "max", INFINITY, &e.b)))
        return false;
    *ret = e;
    return true;
}
