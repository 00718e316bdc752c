#include "tools/printable.h"

#include <stdio.h>

struct tl_printable tl_printable(const char *s)
{
    struct tl_printable p;

    (void)snprintf(p.text, sizeof(p.text), "%s", s ? s : "-");
    for (char *c = p.text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    return p;
}
