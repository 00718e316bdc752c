/* printable.h — names from files, fit for a terminal. Pure. */
#ifndef TL_PRINTABLE_H
#define TL_PRINTABLE_H

#include "engine/base/status.h"

struct tl_printable {
    char text[AL_ERROR_TEXT_MAX]; /* cut to fit */
};

/* A copy whose control characters, which a terminal would obey, are '?'. NULL: "-". */
struct tl_printable tl_printable(const char *s);

#endif
