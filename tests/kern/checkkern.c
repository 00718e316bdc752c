/* checkkern — tests the kernels of one CPU level against plain references:
 *     checkkern LEVEL [pattern]         as in cpu_mask, or amx_emulated; exit status 77:
 * the CPU lacks it. Pattern: of test names, * and ? checkkern --bench [filter] times
 * convolutions instead checkkern --bench-fc [filter]     and fully connected layers, as
 * JSON */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/kern/cpu.h"
#include "tests/kern/check.h"

#define SKIP 77

static int usage(void)
{
    fputs(
        "usage: checkkern scalar|avx2|avx512|avx512_bf16|amx|amx_emulated [pattern] | "
        "--bench [filter] | "
        "--bench-fc [filter]\n",
        stderr);
    return 2;
}

int main(int argc, char **argv)
{
    const struct al_kern *tables[2];
    unsigned mask;
    int failures;

    if (argc < 2)
        return usage();
    if (strcmp(argv[1], "--bench") == 0)
        return bench(argc > 2 ? argv[2] : "");
    if (strcmp(argv[1], "--bench-fc") == 0)
        return bench_fc(argc > 2 ? argv[2] : "");
    check_is_emulated = strcmp(argv[1], "amx_emulated") == 0;
    if (!al_cpu_parse_mask(check_is_emulated ? "avx512_bf16" : argv[1], &mask))
        return usage();
    if ((mask & al_cpu_detect()) != mask) {
        printf("SKIP: this CPU has no %s\n", argv[1]);
        return SKIP;
    }
    check_level = mask;
    if (argc > 2)
        cmocka_set_test_filter(argv[2]);
    failures = check_conv() + check_bf16() + check_amx();
    if (check_tables(tables) > 0)
        failures += check_map() + check_pool() + check_fc() + check_attention();
    return failures ? 1 : 0;
}
