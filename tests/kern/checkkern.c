/* checkkern — tests the kernels of one CPU level against plain references:
 *     checkkern LEVEL                   as in cpu_mask; exit status 77: the CPU lacks it
 *     checkkern --bench [filter]        times convolutions instead
 *     checkkern --bench-fc [filter]     and fully connected layers, as JSON */
#include <stdio.h>
#include <string.h>

#include "engine/kern/cpu.h"
#include "tests/kern/check.h"

#define SKIP 77

static int usage(void)
{
    fputs("usage: checkkern scalar|avx2|avx512|avx512_bf16 | --bench [filter] | "
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
    if (!al_cpu_parse_mask(argv[1], &mask))
        return usage();
    if ((mask & al_cpu_detect()) != mask)
        return SKIP;
    check_level = mask;
    failures = check_conv() + check_bf16();
    if (check_tables(tables) > 0)
        failures += check_map() + check_pool() + check_fc();
    return failures ? 1 : 0;
}
