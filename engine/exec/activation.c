#include "engine/exec/activation.h"

#include <math.h>

/* A bound of Clip: input since opset 11, attribute before. False when it is not known
 * until the model runs. */
static bool clip_bound(const struct al_builder *b, const struct al_node *n, size_t input,
                       const char *attr, float otherwise, float *ret)
{
    uint32_t value = al_node_input(n, input);

    *ret = al_node_float(n, attr, otherwise);
    if (value == AL_NO_VALUE)
        return true;
    if (!al_is_float_constant(b, value) || al_value_count(al_value_of(b, value)) != 1)
        return false;
    *ret = *(const float *)al_value_of(b, value)->data;
    return true;
}

bool al_activation_of(const struct al_builder *b, const struct al_node *n,
                      struct al_post *ret)
{
    if (n->post.act != AL_ACT_NONE || n->post.add != AL_NO_VALUE || !n->n_inputs ||
        al_value_of(b, n->inputs[0])->dtype != AL_F32)
        return false;

    struct al_post post = { .act = AL_CONV_ACT_NONE };
    switch ((int)n->op) {
    case AL_OP_RELU:
        post.act = AL_CONV_ACT_RELU;
        break;
    case AL_OP_LEAKY_RELU:
        post.act = AL_CONV_ACT_LEAKY_RELU;
        post.a = al_node_float(n, "alpha", 0.01F);
        break;
    case AL_OP_CLIP:
        post.act = AL_CONV_ACT_CLIP;
        if (!clip_bound(b, n, 1, "min", -INFINITY, &post.a) ||
            !clip_bound(b, n, 2, "max", INFINITY, &post.b))
            return false;
        break;
    case AL_OP_HARD_SWISH:
        post.act = AL_CONV_ACT_HARD_SWISH;
        break;
    case AL_OP_SIGMOID:
        post.act = AL_CONV_ACT_SIGMOID;
        break;
    case AL_OP_TANH:
        post.act = AL_CONV_ACT_TANH;
        break;
    case AL_OP_GELU:
        post.act = al_node_string(n, "approximate", "none")[0] == 't'
                       ? AL_CONV_ACT_GELU_TANH
                       : AL_CONV_ACT_GELU;
        break;
    default:
        return false;
    }
    *ret = post;
    return true;
}
