/* isa_avx512_bf16.c — AVX512_BF16: convolutions whose products are of bfloat16 pairs, 16
 * channels a block, and fully connected layers. All other kernels are isa_avx512.c's. */
#define AL_BLOCK 16
#define AL_BF16
#define ISA       avx512_bf16
#define ISA_NAME  "avx512_bf16"
#define ISA_FLAGS (AL_CPU_AVX512 | AL_CPU_AVX512_BF16)

#include "engine/kern/cpu.h"
#include "engine/kern/tpl_conv.h"
#pragma GCC diagnostic ignored "-Wunused-function" /* the templates' other forms */
#include "engine/kern/tpl_fc_bf16.h"
#include "engine/kern/tpl_winograd.h"

CONV(direct, BF16)
CONV(winograd2, BF16)
CONV(winograd4, BF16)
CONV(winograd2k5, BF16)

const struct al_fc_algo JOIN(al_fc_, ISA) = {
    .name = "fc-" ISA_NAME,
    .cpu_flags = ISA_FLAGS,
    .packed_floats = fc_bf16_packed_floats,
    .pack = fc_bf16_pack,
    .pack_columns = fc_bf16_pack_columns,
    .run = fc_bf16_run,
};
