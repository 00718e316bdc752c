#include "tests/kern/check.h"

int bench(const char *filter)
{
    return *filter;
}
