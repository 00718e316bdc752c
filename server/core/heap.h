/* heap.h — intrusive pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986): smallest
 * key first, equal keys in the order they came. A node lives inside the object it queues
 * and is in one heap at most; nothing is allocated. Not thread-safe. */
#ifndef SV_CORE_HEAP_H
#define SV_CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sv_heap_node {
    uint64_t key;
    uint64_t seq;               /* order of arrival, breaks ties */
    struct sv_heap_node *child; /* first child */
    struct sv_heap_node *next;  /* next sibling */
    struct sv_heap_node *prev;  /* previous sibling, or the parent of a first child */
    bool queued;
};

/* Zeroed memory is an empty heap. */
struct sv_heap {
    struct sv_heap_node *root;
    uint64_t next_seq;
    size_t n;
};

void sv_heap_push(struct sv_heap *h, struct sv_heap_node *node, uint64_t key);
/* Takes `node` out wherever it stands; nothing happens when it is in no heap. */
void sv_heap_remove(struct sv_heap *h, struct sv_heap_node *node);
/* Every node once, from the root on, in no particular order; NULL: that was the last. */
const struct sv_heap_node *sv_heap_next(const struct sv_heap_node *node);

#endif
