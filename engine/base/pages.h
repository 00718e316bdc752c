/* pages.h — memory that is read or written as long streams. */
#ifndef AL_BASE_PAGES_H
#define AL_BASE_PAGES_H

#include <stddef.h>

#define AL_PAGES_ALIGN 64

/* `bytes` aligned to 64, not zeroed, for free(); NULL when memory is short. Large memory
 * asks for huge pages: they spare the processor address translations and let its
 * prefetchers run on. */
void *al_pages_alloc(size_t bytes);

#endif
