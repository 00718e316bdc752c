/* data_source.h — what data.c and the kinds of data set share. A kind lists its samples
 * with tl_list_add() while opening, then reads them by item. */
#ifndef TL_DATA_SOURCE_H
#define TL_DATA_SOURCE_H

#include "tools/data.h"

#define TL_MAX_SAMPLES     ((size_t)1 << 26)
#define TL_MAX_IMAGE_BYTES ((size_t)64 << 20)
#define TL_MAX_NAME_BYTES  4096

struct tl_item {
    char *name;      /* owned; NULL: none */
    char *folder;    /* class folder, owned; NULL: `label` is known */
    uint32_t label;  /* once the list is complete */
    uint64_t offset; /* where and how much, as the kind understands it */
    size_t size;
    size_t index; /* in the whole set */
};

struct tl_list {
    struct tl_item *items;
    size_t n, capacity;
};

/* Appends a copy of `item`, taking over its strings (also on failure). */
AL_MUST_CHECK enum al_status tl_list_add(struct tl_list *l, const struct tl_item *item,
                                         struct al_error *err);
/* Appends the picture `path` if its name is one of a picture's and it has a class folder:
 * the last folder of the path. Others are passed over. */
AL_MUST_CHECK enum al_status tl_list_add_path(struct tl_list *l, const char *path,
                                              uint64_t offset, size_t size,
                                              struct al_error *err);
/* Makes room for `size` bytes and sets buf->size. */
AL_MUST_CHECK enum al_status tl_buffer_reserve(struct tl_buffer *buf, size_t size,
                                               struct al_error *err);

/* A kind of data set. `open` makes the source and lists its samples. */
struct tl_source;
struct tl_source_kind {
    enum al_status (*open)(const char *spec, struct tl_list *list, struct tl_source **ret,
                           struct al_error *err);
    enum al_status (*read)(const struct tl_source *s, const struct tl_item *item,
                           struct tl_buffer *buf, struct al_error *err);
    void (*close)(struct tl_source *s);
};
extern const struct tl_source_kind tl_source_dir, tl_source_tar, tl_source_idx;

#endif
