#include "tests/kern/check.h"
int check_map(void)
{
    return 0;
}
