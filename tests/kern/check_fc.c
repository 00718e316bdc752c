#include "tests/kern/check.h"
int check_fc(void)
{
    return 0;
}
