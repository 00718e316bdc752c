#include "engine/exec/memory.h"

#include <stdbool.h>
#include <stdlib.h>

#include "engine/base/check.h"

static int larger_first(const void *a, const void *b)
{
    const struct al_span *x = *(struct al_span *const *)a;
    const struct al_span *y = *(struct al_span *const *)b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

static bool alive_together(const struct al_span *a, const struct al_span *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest gap that holds `s` between the spans of `placed` that are alive with it;
 * `placed` is sorted by offset. */
static size_t lowest_gap(struct al_span *const *placed, size_t n, const struct al_span *s)
{
    size_t offset = 0;

    for (size_t i = 0; i < n; i++) {
        const struct al_span *p = placed[i];

        if (!alive_together(p, s))
            continue;
        if (p->offset >= offset && p->offset - offset >= s->bytes)
            break;
        if (p->offset + p->bytes > offset)
            offset = p->offset + p->bytes;
    }
    return offset;
}

static void insert_by_offset(struct al_span **placed, size_t n, struct al_span *s)
{
    for (; n > 0 && placed[n - 1]->offset > s->offset; n--)
        placed[n] = placed[n - 1];
    placed[n] = s;
}

enum al_status al_memory_place(struct al_span *spans, size_t n, size_t *ret_bytes,
                               struct al_error *err)
{
    struct al_span **order = calloc(2 * n + 1, sizeof(struct al_span *));
    struct al_span **placed = order + n;
    size_t all = 0;
    size_t bytes = 0;

    if (!order)
        return al_fail(err, AL_NO_MEMORY, "memory plan of %zu buffers", n);
    for (size_t i = 0; i < n; i++) {
        size_t rounded;
        if (!al_add(spans[i].bytes, AL_MEMORY_ALIGN - 1, &rounded) ||
            !al_add(all, rounded, &all)) {
            free(order);
            return al_fail(err, AL_TOO_LARGE, "the memory plan overflows");
        }
        spans[i].bytes = rounded & ~(AL_MEMORY_ALIGN - 1);
        order[i] = &spans[i];
    }
    qsort(order, n, sizeof(struct al_span *), larger_first);
    for (size_t i = 0; i < n; i++) {
        struct al_span *s = order[i];

        s->offset = lowest_gap(placed, i, s);
        insert_by_offset(placed, i, s);
        if (s->offset + s->bytes > bytes)
            bytes = s->offset + s->bytes;
    }
    free(order);
    *ret_bytes = bytes;
    return AL_OK;
}
