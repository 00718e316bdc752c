#include "engine/base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) & ~(to - 1);
}

/* Only whole pages are advised, so that no more memory is used; a refusal costs nothing
 * but time. */
void *al_pages_alloc(size_t bytes)
{
    void *p;

    if (bytes > SIZE_MAX - HUGE_PAGE) /* room to round up */
        return NULL;
    if (bytes < 2 * HUGE_PAGE)
        return aligned_alloc(AL_PAGES_ALIGN, round_up(bytes, AL_PAGES_ALIGN));
    p = aligned_alloc(HUGE_PAGE, round_up(bytes, HUGE_PAGE));
    if (p)
        (void)madvise(p, bytes & ~(HUGE_PAGE - 1), MADV_HUGEPAGE);
    return p;
}
