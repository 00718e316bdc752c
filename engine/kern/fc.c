#include "engine/kern/fc.h"

#include "engine/kern/fc_amx.h"
#include "engine/kern/isa.h"
#include "engine/kern/isa_amx.h"

/* By rising preference; the last entry ends the table where no instruction set has any.
 */
static const struct al_fc_algo *const algos[] = {
#define X(isa) &al_fc_##isa,
    AL_BF16_ISA_LIST(X)
#undef X
        NULL,
};

const struct al_fc_algo *al_fc_amx(unsigned cpu_flags, enum al_conv_precision precision)
{
    static const struct al_fc_algo *const amx[] = {
#define Y(products, isa) &al_fc_##products##_##isa,
#define X(isa)           AL_AMX_FCS(Y, isa)
        AL_AMX_ISA_LIST(X)
#undef X
#undef Y
            NULL,
    };

    if (!amx[0] || amx[0]->cpu_flags & ~cpu_flags)
        return NULL;
    return amx[precision];
}

const struct al_fc_algo *al_fc_bf16(unsigned cpu_flags)
{
    const struct al_fc_algo *best = NULL;

    for (size_t i = 0; algos[i]; i++) {
        if ((algos[i]->cpu_flags & ~cpu_flags) == 0)
            best = algos[i];
    }
    return best;
}
