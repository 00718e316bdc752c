#include "engine/base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"

#define BLOCK_BYTES ((size_t)64 << 10)
#define ALIGNMENT   ((size_t)64)

struct block {
    struct block *next;
    size_t used;
    size_t size;
    _Alignas(ALIGNMENT) char data[];
};

struct al_arena {
    struct block *head;
    size_t used;
    size_t limit;
};

struct al_arena *al_arena_new(size_t limit_bytes)
{
    struct al_arena *a = calloc(1, sizeof(*a));

    if (a)
        a->limit = limit_bytes;
    return a;
}

void al_arena_free(struct al_arena *a)
{
    if (!a)
        return;
    for (struct block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

static struct block *add_block(struct al_arena *a, size_t need)
{
    size_t size = need > BLOCK_BYTES ? need : BLOCK_BYTES;
    struct block *b = aligned_alloc(ALIGNMENT, sizeof(*b) + size);

    if (!b)
        return NULL;
    *b = (struct block){ .next = a->head, .size = size };
    a->head = b;
    return b;
}

void *al_arena_alloc(struct al_arena *a, size_t count, size_t size)
{
    size_t n;

    if (!al_mul(count, size, &n) || !al_add(n, ALIGNMENT - 1, &n))
        return NULL;
    n &= ~(ALIGNMENT - 1);
    if (n > a->limit - a->used)
        return NULL;

    struct block *b = a->head;
    if (!b || b->size - b->used < n)
        b = add_block(a, n);
    if (!b)
        return NULL;

    void *p = b->data + b->used;
    b->used += n;
    a->used += n;
    return memset(p, 0, n);
}

char *al_arena_strndup(struct al_arena *a, const char *s, size_t n)
{
    char *copy = n < SIZE_MAX ? al_arena_alloc(a, n + 1, 1) : NULL;

    if (copy && n)
        memcpy(copy, s, n);
    return copy;
}

size_t al_arena_used(const struct al_arena *a)
{
    return a->used;
}
