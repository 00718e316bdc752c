/* isa.h — what each instruction set's file provides: its function table and its
 * convolution algorithms. The files are isa_*.c; all are made from the templates tpl_*.h,
 * so that every instruction set computes by the same scheme. */
#ifndef AL_KERN_ISA_H
#define AL_KERN_ISA_H

#include "engine/kern/conv.h"
#include "engine/kern/fc.h"
#include "engine/kern/kern.h"

/* One row an instruction set and block: suffix. Portable first, then by preference. */
#if HAVE_X86
#define AL_ISA_LIST(X) X(c8) X(c16) X(avx2) X(avx512_8) X(avx512)
#else
#define AL_ISA_LIST(X) X(c8) X(c16)
#endif

/* One row a family of convolution algorithms, by rising rank within an instruction set.
 */
#define AL_CONV_FAMILIES(X, isa) \
    X(direct, isa)               \
    X(planar, isa)               \
    X(narrow, isa)               \
    X(depthwise, isa)            \
    X(grouped, isa) X(winograd2, isa) X(winograd4, isa) X(winograd2k5, isa)

/* bfloat16: instruction sets that have it, and the families of convolutions there. */
#if HAVE_X86
#define AL_BF16_ISA_LIST(X) X(avx512_bf16)
#else
#define AL_BF16_ISA_LIST(X)
#endif
#define AL_BF16_FAMILIES(X, isa) \
    X(direct, isa) X(winograd2, isa) X(winograd4, isa) X(winograd2k5, isa)

#define Y(family, isa) extern const struct al_conv_algo al_conv_##family##_##isa;
#define X(isa)                                 \
    extern const struct al_kern al_kern_##isa; \
    AL_CONV_FAMILIES(Y, isa)
AL_ISA_LIST(X)
#undef X
#define X(isa)                                  \
    extern const struct al_fc_algo al_fc_##isa; \
    AL_BF16_FAMILIES(Y, isa)
AL_BF16_ISA_LIST(X)
#undef X
#undef Y

#endif
