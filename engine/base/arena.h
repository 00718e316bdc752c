/* arena.h — memory with one lifetime: allocate many times, free once. Not thread-safe; an
 * arena belongs to the thread that builds the object it backs. */
#ifndef AL_BASE_ARENA_H
#define AL_BASE_ARENA_H

#include <stddef.h>

struct al_arena;

/* An arena that hands out at most `limit_bytes`. NULL when memory is short. */
struct al_arena *al_arena_new(size_t limit_bytes);
void al_arena_free(struct al_arena *a);

/* Zeroed, aligned to 64. NULL past the limit or when `count * size` overflows. */
void *al_arena_alloc(struct al_arena *a, size_t count, size_t size);
/* From now on what is allocated lies side by side in pieces of at least `bytes`, instead
 * of each large array by itself; memory is taken as it is written. */
void al_arena_gather(struct al_arena *a, size_t bytes);
/* Gives `p` of al_arena_alloc() back before the arena's end. Only what is larger than
 * 64 KiB, and not gathered, has memory of its own to give; anything else stays. */
void al_arena_release(struct al_arena *a, void *p);
/* Copy of `n` bytes of `s` and a terminating NUL. */
char *al_arena_strndup(struct al_arena *a, const char *s, size_t n);
/* Bytes handed out and not released, rounded up to the alignment. */
size_t al_arena_used(const struct al_arena *a);

#define AL_CLEANUP(fn) __attribute__((cleanup(fn)))
#define AL_DEFINE_CLEANUP(type, fn)    \
    static inline void fn##p(type **p) \
    {                                  \
        fn(*p);                        \
    }                                  \
    _Static_assert(1, "")

AL_DEFINE_CLEANUP(struct al_arena, al_arena_free);

#endif
