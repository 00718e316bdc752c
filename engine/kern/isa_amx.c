/* isa_amx.c — AMX: convolutions and fully connected layers by tiles of bfloat16, 16
 * channels a block. All other kernels are those of the levels below. */
#define AL_BLOCK  16
#define ISA       amx
#define ISA_NAME  "amx"
#define ISA_FLAGS (AL_CPU_AVX512 | AL_CPU_AVX512_BF16 | AL_CPU_AMX)

#include "engine/kern/isa_amx.h"
#include "engine/kern/cpu.h"
#include "engine/kern/tpl_conv.h"
#pragma GCC diagnostic ignored "-Wunused-function" /* the templates' other forms */
#include "engine/kern/tpl_amx.h"
#include "engine/kern/tpl_fc_amx.h"

CONV(direct_x6, EXACT)
CONV(planar_x6, EXACT)
CONV(direct_x3, FAST)
CONV(planar_x3, FAST)
CONV(direct_bf16, BF16)
CONV(planar_bf16, BF16)
