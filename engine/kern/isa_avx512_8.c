/* isa_avx512_8.c — AVX-512VL: 8 channels a block in 256-bit vectors, 32 registers. */
#define AL_BLOCK  8
#define ISA       avx512_8
#define ISA_NAME  "avx512-8"
#define ISA_FLAGS AL_CPU_AVX512

#include "engine/kern/tpl_isa.h"
