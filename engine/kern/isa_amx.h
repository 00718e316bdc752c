/* isa_amx.h — what isa_amx.c provides: convolutions, by rising preference, and fully
 * connected layers. Families are named by the products of bfloat16 that stand for one of
 * fp32. */
#ifndef AL_KERN_ISA_AMX_H
#define AL_KERN_ISA_AMX_H

#include "engine/kern/conv.h"
#include "engine/kern/fc.h"

#if HAVE_X86
#define AL_AMX_ISA_LIST(X) X(amx)
#else
#define AL_AMX_ISA_LIST(X)
#endif
#define AL_AMX_FAMILIES(X, isa) \
    X(direct_x6, isa)           \
    X(planar_x6, isa)           \
    X(direct_x3, isa) X(planar_x3, isa) X(direct_bf16, isa) X(planar_bf16, isa)

/* By enum al_conv_precision. */
#define AL_AMX_FCS(X, isa) X(x6, isa) X(x3, isa) X(bf16, isa)

#define Z(products, isa) extern const struct al_fc_algo al_fc_##products##_##isa;
#define Y(family, isa)   extern const struct al_conv_algo al_conv_##family##_##isa;
#define X(isa)           AL_AMX_FAMILIES(Y, isa) AL_AMX_FCS(Z, isa)
AL_AMX_ISA_LIST(X)
#undef X
#undef Y
#undef Z

#endif
