#include "server/core/heap.h"

static bool before(const struct sv_heap_node *a, const struct sv_heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

/* Joins two heaps, either may be NULL; the roots' siblings are not looked at. */
static struct sv_heap_node *meld(struct sv_heap_node *a, struct sv_heap_node *b)
{
    if (!a || !b)
        return a ? a : b;
    if (before(b, a)) {
        struct sv_heap_node *t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    a->child = b;
    a->next = a->prev = NULL;
    return a;
}

/* Melds a list of siblings into one heap: in pairs from the left, then from the right. */
static struct sv_heap_node *meld_siblings(struct sv_heap_node *first)
{
    struct sv_heap_node *pairs = NULL, *root = NULL;

    while (first) {
        struct sv_heap_node *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct sv_heap_node *next = pairs->next;
        root = meld(root, pairs);
        pairs = next;
    }
    if (root)
        root->next = root->prev = NULL;
    return root;
}

static void cut(struct sv_heap_node *node)
{
    if (node->prev->child == node)
        node->prev->child = node->next;
    else
        node->prev->next = node->next;
    if (node->next)
        node->next->prev = node->prev;
}

void sv_heap_push(struct sv_heap *h, struct sv_heap_node *node, uint64_t key)
{
    *node = (struct sv_heap_node){ .key = key, .seq = h->next_seq++, .queued = true };
    h->root = meld(h->root, node);
    h->n++;
}

void sv_heap_remove(struct sv_heap *h, struct sv_heap_node *node)
{
    struct sv_heap_node *orphans;

    if (!node->queued)
        return;
    orphans = meld_siblings(node->child);
    if (node == h->root) {
        h->root = orphans;
    } else {
        cut(node);
        h->root = meld(h->root, orphans);
    }
    *node = (struct sv_heap_node){ .queued = false };
    h->n--;
}

const struct sv_heap_node *sv_heap_next(const struct sv_heap_node *node)
{
    if (node->child)
        return node->child;
    while (node && !node->next) { /* up: over the first of the siblings */
        while (node->prev && node->prev->child != node)
            node = node->prev;
        node = node->prev;
    }
    return node ? node->next : NULL;
}
