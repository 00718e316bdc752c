/* file.h — whole files in and out of memory, bounded. Stateless. */
#ifndef TL_FILE_H
#define TL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

struct tl_bytes {
    uint8_t *data; /* malloc'ed */
    size_t size;
};

/* AL_TOO_LARGE for more than `max_bytes`. Free `ret->data`. */
AL_MUST_CHECK enum al_status tl_file_read(const char *path, size_t max_bytes,
                                          struct tl_bytes *ret, struct al_error *err);

#endif
