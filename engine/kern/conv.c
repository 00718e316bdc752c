#include "engine/kern/conv.h"

#include "engine/kern/isa.h"
#include "engine/kern/isa_amx.h"

static const struct al_conv_algo *const algos[] = {
#define Y(family, isa) &al_conv_##family##_##isa,
#define X(isa)         AL_CONV_FAMILIES(Y, isa)
    AL_ISA_LIST(X)
#undef X
#define X(isa) AL_BF16_FAMILIES(Y, isa)
        AL_BF16_ISA_LIST(X)
#undef X
#define X(isa) AL_AMX_FAMILIES(Y, isa)
            AL_AMX_ISA_LIST(X)
#undef X
#undef Y
};

const struct al_conv_algo *const *al_conv_algos(size_t *ret_n)
{
    *ret_n = sizeof(algos) / sizeof(algos[0]);
    return algos;
}

bool al_conv_pools(const struct al_conv_shape *s, int32_t block)
{
    struct al_conv_shape pooled = *s;

    pooled.max_pool = true;
    for (size_t i = 0; i < sizeof(algos) / sizeof(algos[0]); i++)
        if (!algos[i]->cpu_flags && algos[i]->block == block && algos[i]->fits(&pooled))
            return true;
    return false;
}
