#include "engine/pass/pass.h"

enum al_status al_pass_all(struct al_graph *g, al_pass_eval_fn eval, struct al_error *err)
{
    enum al_status s;

    if ((s = al_pass_fold(g, eval, err)) != AL_OK ||
        (s = al_pass_clean(g, err)) != AL_OK || (s = al_pass_compose(g, err)) != AL_OK ||
        (s = al_pass_attention(g, err)) != AL_OK || (s = al_pass_pad(g, err)) != AL_OK ||
        (s = al_pass_clean(g, err)) != AL_OK ||
        (s = al_pass_batchnorm(g, err)) != AL_OK || (s = al_pass_fuse(g, err)) != AL_OK)
        return s;
    return al_pass_clean(g, err);
}
