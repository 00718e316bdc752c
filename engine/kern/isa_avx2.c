/* isa_avx2.c — AVX2 and FMA: 8 channels a block, 16 registers. */
#define AL_BLOCK  8
#define ISA       avx2
#define ISA_NAME  "avx2"
#define ISA_FLAGS AL_CPU_AVX2

#include "engine/kern/tpl_isa.h"
