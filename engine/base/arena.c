#include "engine/base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/pages.h"

#define BLOCK_BYTES ((size_t)64 << 10)
#define ALIGNMENT   ((size_t)AL_PAGES_ALIGN)

struct block {
    struct block *next;
    size_t used;
    size_t size;
    bool single; /* one array, with memory of its own */
    _Alignas(ALIGNMENT) char data[];
};

struct al_arena {
    struct block *head;
    size_t used;
    size_t limit;
    size_t least; /* bytes of a block */
};

struct al_arena *al_arena_new(size_t limit_bytes)
{
    struct al_arena *a = calloc(1, sizeof(*a));

    if (a)
        *a = (struct al_arena){ .limit = limit_bytes, .least = BLOCK_BYTES };
    return a;
}

void al_arena_gather(struct al_arena *a, size_t bytes)
{
    a->least = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
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
    const bool single = a->least == BLOCK_BYTES && need > BLOCK_BYTES;
    size_t size = need > a->least ? need : a->least;
    size_t bytes;
    struct block *b = al_add(size, sizeof(*b), &bytes) ? al_pages_alloc(bytes) : NULL;

    if (!b)
        return NULL;
    *b = (struct block){ .next = a->head, .size = size, .single = single };
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

void al_arena_release(struct al_arena *a, void *p)
{
    for (struct block **at = &a->head; *at; at = &(*at)->next) {
        struct block *b = *at;

        if (b->data == p && b->single) {
            *at = b->next;
            a->used -= b->used;
            free(b);
            return;
        }
    }
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
