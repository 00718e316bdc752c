/* isa_avx512.c — AVX-512: 16 channels a block. */
#define AL_BLOCK  16
#define ISA       avx512
#define ISA_NAME  "avx512"
#define ISA_FLAGS AL_CPU_AVX512

#include "engine/kern/tpl_isa.h"
