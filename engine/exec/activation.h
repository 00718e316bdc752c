/* activation.h — operators that are activations of the kernels. Private to exec/. */
#ifndef AL_EXEC_ACTIVATION_H
#define AL_EXEC_ACTIVATION_H

#include "engine/exec/build.h"

/* Whether `n` is an activation of its first input; `*ret` is then what it does. */
bool al_activation_of(const struct al_builder *b, const struct al_node *n,
                      struct al_post *ret);

#endif
