#include "engine/kern/cpu.h"

#include <stddef.h>
#include <string.h>
#if HAVE_X86
#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define XFEATURE_XTILE_DATA 18
#endif

static const struct {
    const char *name;
    unsigned flag;
} levels[] = {
#define X(id, bit, name, what) { name, AL_CPU_##id },
    AL_CPU_LIST(X)
#undef X
};
#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))

#if HAVE_X86
/* AMX-BF16 and AMX-TILE, from CPUID (compilers know them since gcc 12, clang not yet);
 * the operating system's consent; and its leave to use the 8 KB of tile data, which Linux
 * gives to a process that asks. */
static bool detect_amx(void)
{
    const unsigned features = 1U << 22 | 1U << 24, state = 3U << 17;
    unsigned a, b, c, d, xcr0, high;

    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & features) != features)
        return false;
    __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    return (xcr0 & state) == state &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA) == 0;
}

/* The compiler's run-time check includes the operating system's consent (XCR0). */
unsigned al_cpu_detect(void)
{
    unsigned flags = 0;

    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        flags |= AL_CPU_AVX2;
    if (flags && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        flags |= AL_CPU_AVX512;
    if (flags & AL_CPU_AVX512 && __builtin_cpu_supports("avx512bf16"))
        flags |= AL_CPU_AVX512_BF16;
    if (flags & AL_CPU_AVX512_BF16 && detect_amx())
        flags |= AL_CPU_AMX;
    return flags;
}
#else
unsigned al_cpu_detect(void)
{
    return 0;
}
#endif

bool al_cpu_parse_mask(const char *text, unsigned *ret_mask)
{
    unsigned mask = 0;

    if (strcmp(text, "native") == 0) {
        *ret_mask = AL_CPU_ALL;
        return true;
    }
    if (strcmp(text, "scalar") == 0) {
        *ret_mask = 0;
        return true;
    }
    for (size_t i = 0; i < N_LEVELS; i++) {
        mask |= levels[i].flag;
        if (strcmp(text, levels[i].name) == 0) {
            *ret_mask = mask;
            return true;
        }
    }
    return false;
}

const char *al_cpu_name(unsigned flags)
{
    for (size_t i = N_LEVELS; i-- > 0;) {
        if (flags & levels[i].flag)
            return levels[i].name;
    }
    return "scalar";
}
