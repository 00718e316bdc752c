/* cpu.h — which instruction sets there are, and which of them may be used. Pure but for
 * CPUID and the request to use AMX. */
#ifndef AL_KERN_CPU_H
#define AL_KERN_CPU_H

#include <stdbool.h>

/* One row a level, ascending: enum name, bit, name in `cpu_mask`, features it stands for.
 */
#define AL_CPU_LIST(X)                                 \
    X(AVX2, 0, "avx2", "AVX2 and FMA")                 \
    X(AVX512, 1, "avx512", "AVX-512 F, BW, DQ and VL") \
    X(AVX512_BF16, 2, "avx512_bf16", "AVX-512 BF16")   \
    X(AMX, 3, "amx", "AMX tiles and bf16")

enum al_cpu_flags {
#define X(id, bit, name, what) AL_CPU_##id = 1U << (bit),
    AL_CPU_LIST(X)
#undef X
};
#define AL_CPU_ALL 0xffU

/* What this machine has and its system lets us use; for AMX Linux is asked here. */
unsigned al_cpu_detect(void);
/* "scalar", "avx2", "avx512", "avx512_bf16" or "amx": that level and all below; "native":
 * all. False on another word. The result is a mask for the detected flags. */
bool al_cpu_parse_mask(const char *text, unsigned *ret_mask);
/* Name of the highest level in `flags`; "scalar" for none. */
const char *al_cpu_name(unsigned flags);

#endif
