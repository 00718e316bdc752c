/* memory.h — offsets for memory spans whose lifetimes are known: spans alive at the same
 * step never overlap. Greedy by size (Pisarchyk and Lee, arXiv:2001.03288). Pure. */
#ifndef AL_EXEC_MEMORY_H
#define AL_EXEC_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

#define AL_MEMORY_ALIGN ((size_t)64)

struct al_span {
    size_t bytes;
    uint32_t first, last; /* steps during which it is alive, both included */
    size_t offset;        /* result, a multiple of AL_MEMORY_ALIGN */
};

/* Sets every span's offset and `*ret_bytes` to what all of them need together. */
AL_MUST_CHECK enum al_status al_memory_place(struct al_span *spans, size_t n,
                                             size_t *ret_bytes, struct al_error *err);

#endif
