/* The convolutions of AMX with its instructions emulated (engine/kern/amx.h), under names
 * of their own: what is tested where the CPU has none, and the measure of those it has.
 */
#define AL_BLOCK 16
#define TILE_EMULATED
#define ISA       amx_emulated
#define ISA_NAME  "amx_emulated"
#define ISA_FLAGS (AL_CPU_AVX512 | AL_CPU_AVX512_BF16)

#include "engine/kern/cpu.h"
#include "engine/kern/isa_amx.h"
#include "engine/kern/tpl_conv.h"
#include "tests/kern/check.h"
#pragma GCC diagnostic ignored "-Wunused-function" /* the templates' other forms */
#include "engine/kern/tpl_amx.h"
#include "engine/kern/tpl_fc_amx.h"

#define X(family, isa) extern const struct al_conv_algo al_conv_##family##_##isa;
AL_AMX_FAMILIES(X, amx_emulated)
#undef X
#define X(products, isa) extern const struct al_fc_algo al_fc_##products##_##isa;
AL_AMX_FCS(X, amx_emulated)
#undef X

CONV(direct_x6, EXACT)
CONV(planar_x6, EXACT)
CONV(direct_x3, FAST)
CONV(planar_x3, FAST)
CONV(direct_bf16, BF16)
CONV(planar_bf16, BF16)

static const struct al_conv_algo *const algos[] = {
#define X(family, isa) &al_conv_##family##_##isa,
    AL_AMX_FAMILIES(X, amx_emulated)
#undef X
};

const struct al_fc_algo *check_emulated_fc(enum al_conv_precision precision)
{
    static const struct al_fc_algo *const fcs[] = {
#define X(products, isa) &al_fc_##products##_##isa,
        AL_AMX_FCS(X, amx_emulated)
#undef X
    };

    return fcs[precision];
}

const struct al_conv_algo *const *check_emulated(size_t *ret_n)
{
    *ret_n = sizeof(algos) / sizeof(algos[0]);
    return algos;
}
