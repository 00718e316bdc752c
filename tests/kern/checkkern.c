/* checkkern — tests the kernels of one CPU level against plain references:
 *     checkkern scalar|avx2|avx512      exit status 77 when the CPU lacks the level
 *     checkkern --bench [filter]        times layers instead */
#include <stdio.h>
#include <string.h>

#include "engine/kern/cpu.h"
#include "tests/kern/check.h"

#define SKIP 77

static int usage(void)
{
    fputs("usage: checkkern scalar|avx2|avx512 | --bench [filter]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    unsigned mask;

    if (argc < 2)
        return usage();
    if (strcmp(argv[1], "--bench") == 0)
        return bench(argc > 2 ? argv[2] : "");
    if (!al_cpu_parse_mask(argv[1], &mask))
        return usage();
    if ((mask & al_cpu_detect()) != mask)
        return SKIP;
    check_level = mask;
    return check_conv() + check_map() + check_pool() + check_fc() ? 1 : 0;
}
