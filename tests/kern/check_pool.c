#include "tests/kern/check.h"
int check_pool(void)
{
    return 0;
}
