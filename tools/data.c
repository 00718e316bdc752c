#include "tools/data.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "tools/data_source.h"

struct tl_data {
    const struct tl_source_kind *kind;
    struct tl_source *source;
    struct tl_list list;
};

static void item_done(struct tl_item *item)
{
    free(item->name);
    free(item->folder);
}

enum al_status tl_list_add(struct tl_list *l, const struct tl_item *item,
                           struct al_error *err)
{
    struct tl_item added = *item;

    if (l->n == TL_MAX_SAMPLES) {
        item_done(&added);
        return al_fail(err, AL_TOO_LARGE, "more than %zu samples", TL_MAX_SAMPLES);
    }
    if (l->n == l->capacity) {
        const size_t capacity = l->capacity ? 2 * l->capacity : 1024;
        struct tl_item *items = reallocarray(l->items, capacity, sizeof(*items));

        if (!items) {
            item_done(&added);
            return al_fail(err, AL_NO_MEMORY, "list of %zu samples", capacity);
        }
        l->items = items;
        l->capacity = capacity;
    }
    added.index = l->n;
    l->items[l->n++] = added;
    return AL_OK;
}

static bool names_a_picture(const char *path)
{
    static const char *const endings[] = { "jpg", "jpeg", "png", "webp",
                                           "pbm", "pgm",  "ppm", "pnm" };
    const char *file = strrchr(path, '/');
    const char *dot = strrchr(path, '.');

    if (!dot || (file && (dot < file || file[1] == '.')))
        return false;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (strcasecmp(dot + 1, endings[i]) == 0)
            return true;
    }
    return false;
}

/* "." or "..": no folder's name. */
static bool is_dots(const char *start, const char *end)
{
    return end - start <= 2 && start[0] == '.' && end[-1] == '.';
}

enum al_status tl_list_add_path(struct tl_list *l, const char *path, uint64_t offset,
                                size_t size, struct al_error *err)
{
    const char *end = strrchr(path, '/');
    const char *start = end;

    while (start && start > path && start[-1] != '/')
        start--;
    if (!end || start == end || is_dots(start, end) || !names_a_picture(path))
        return AL_OK;
    if (size > TL_MAX_IMAGE_BYTES)
        return al_fail(err, AL_TOO_LARGE, "%s: %zu bytes, limit %zu", path, size,
                       TL_MAX_IMAGE_BYTES);
    const struct tl_item item = { .name = strdup(path),
                                  .folder = strndup(start, (size_t)(end - start)),
                                  .offset = offset,
                                  .size = size };

    if (!item.name || !item.folder) {
        free(item.name);
        free(item.folder);
        return al_fail(err, AL_NO_MEMORY, "%s", path);
    }
    return tl_list_add(l, &item, err);
}

enum al_status tl_buffer_reserve(struct tl_buffer *buf, size_t size, struct al_error *err)
{
    if (size > buf->capacity) {
        uint8_t *data = realloc(buf->data, size);

        if (!data)
            return al_fail(err, AL_NO_MEMORY, "picture of %zu bytes", size);
        buf->data = data;
        buf->capacity = size;
    }
    buf->size = size;
    return AL_OK;
}

void tl_buffer_done(struct tl_buffer *buf)
{
    free(buf->data);
    memset(buf, 0, sizeof(*buf));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The distinct class folders in alphabetical order, as borrowed strings. */
static enum al_status sorted_folders(const struct tl_list *l, const char ***ret,
                                     size_t *ret_n, struct al_error *err)
{
    const char **names = calloc(l->n, sizeof(*names));
    size_t n = 0;

    if (!names)
        return al_fail(err, AL_NO_MEMORY, "%zu class folders", l->n);
    for (size_t i = 0; i < l->n; i++)
        names[i] = l->items[i].folder;
    qsort(names, l->n, sizeof(*names), by_text);
    for (size_t i = 0; i < l->n; i++) {
        if (n == 0 || strcmp(names[n - 1], names[i]) != 0)
            names[n++] = names[i];
    }
    *ret = names;
    *ret_n = n;
    return AL_OK;
}

/* Whether a folder is named by the label: '/', which no folder can have, is '_' there. */
static bool is_named(const char *folder, const char *label)
{
    while (*label && (*folder == *label || (*folder == '_' && *label == '/'))) {
        folder++;
        label++;
    }
    return !*folder && !*label;
}

static size_t find_name(const char *name, const char *const *names, size_t from, size_t n)
{
    while (from < n && !is_named(name, names[from]))
        from++;
    return from;
}

static enum al_status find_class(const char *folder, const char *const *names, size_t n,
                                 uint32_t *ret, struct al_error *err)
{
    const size_t found = find_name(folder, names, 0, n);
    const size_t other = found < n ? find_name(folder, names, found + 1, n) : n;

    if (other < n)
        return al_fail(err, AL_INVALID,
                       "class folder '%s' is the label of classes %zu and %zu", folder,
                       found, other);
    if (found < n) {
        *ret = (uint32_t)found;
        return AL_OK;
    }
    return al_fail(err, AL_INVALID,
                   "class folder '%s' is none of the model's %zu labels (the first is "
                   "'%s'); name the folders as in labels.txt, '/' as '_'",
                   folder, n, n ? names[0] : "");
}

/* Numbers the items by the place of their folder in `names`. Neighbours mostly share it.
 */
static enum al_status number_folders(struct tl_list *l, const char *const *names,
                                     size_t n_names, struct al_error *err)
{
    for (size_t i = 0; i < l->n; i++) {
        struct tl_item *item = &l->items[i];

        if (i > 0 && strcmp(item->folder, item[-1].folder) == 0) {
            item->label = item[-1].label;
            continue;
        }
        const enum al_status s =
            find_class(item->folder, names, n_names, &item->label, err);

        if (s != AL_OK)
            return s;
    }
    return AL_OK;
}

/* Without labels a folder is told by its place among all: none of them may be missing. */
static enum al_status number_alphabetically(struct tl_list *l, size_t n_classes,
                                            struct al_error *err)
{
    const char **names = NULL;
    size_t n = 0;
    enum al_status s = sorted_folders(l, &names, &n, err);

    if (s == AL_OK && n != n_classes)
        s = al_fail(err, AL_INVALID,
                    "%zu class folders for a model of %zu classes without labels.txt: "
                    "which is which cannot be told",
                    n, n_classes);
    if (s == AL_OK)
        s = number_folders(l, names, n, err);
    free(names);
    return s;
}

static enum al_status label_items(struct tl_list *l, const struct tl_data_params *p,
                                  struct al_error *err)
{
    enum al_status s = AL_OK;

    if (l->items[0].folder && p->labels)
        s = number_folders(l, (const char *const *)p->labels, p->n_classes, err);
    else if (l->items[0].folder)
        s = number_alphabetically(l, p->n_classes, err);
    for (size_t i = 0; s == AL_OK && i < l->n; i++) {
        if (l->items[i].label >= p->n_classes)
            return al_fail(err, AL_INVALID,
                           "sample %zu is of class %u; the model knows %zu classes", i,
                           l->items[i].label, p->n_classes);
    }
    return s;
}

/* Keeps `limit` items at even distances, whatever order the classes come in. */
static void thin_out(struct tl_list *l, size_t limit)
{
    const size_t n = l->n;

    if (limit == 0 || limit >= n)
        return;
    for (size_t i = 0, kept = 0; i < n; i++) {
        if (i == (size_t)((double)kept * (double)n / (double)limit) && kept < limit)
            l->items[kept++] = l->items[i];
        else
            item_done(&l->items[i]);
    }
    l->n = limit;
}

static const struct tl_source_kind *kind_of(const char *spec)
{
    struct stat st;

    if (stat(spec, &st) == 0)
        return S_ISDIR(st.st_mode) ? &tl_source_dir : &tl_source_tar;
    return strchr(spec, ',') ? &tl_source_idx : NULL;
}

enum al_status tl_data_open(const struct tl_data_params *p, struct tl_data **ret,
                            struct al_error *err)
{
    struct tl_data *d = calloc(1, sizeof(*d));
    enum al_status s;

    if (!d)
        return al_fail(err, AL_NO_MEMORY, "data set");
    d->kind = kind_of(p->spec);
    if (d->kind)
        s = d->kind->open(p->spec, &d->list, &d->source, err);
    else
        s = al_fail(err, AL_NOT_FOUND,
                    "%s (a folder, a tar file, or two IDX files 'images,labels')",
                    strerrordesc_np(errno));
    if (s == AL_OK && d->list.n == 0)
        s = al_fail(err, AL_INVALID, "holds no pictures in class folders");
    if (s == AL_OK)
        s = label_items(&d->list, p, err);
    if (s != AL_OK) {
        tl_data_free(d);
        return al_error_prefix(err, s, "data '%s'", p->spec);
    }
    thin_out(&d->list, p->limit);
    *ret = d;
    return AL_OK;
}

void tl_data_free(struct tl_data *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->list.n; i++)
        item_done(&d->list.items[i]);
    free(d->list.items);
    if (d->source)
        d->kind->close(d->source);
    free(d);
}

size_t tl_data_count(const struct tl_data *d)
{
    return d->list.n;
}

struct tl_sample tl_data_sample(const struct tl_data *d, size_t i)
{
    const struct tl_item *item = &d->list.items[i];

    return (struct tl_sample){ .index = item->index,
                               .name = item->name ? item->name : "",
                               .label = item->label };
}

enum al_status tl_data_read(const struct tl_data *d, size_t i, struct tl_buffer *buf,
                            struct al_error *err)
{
    const struct tl_item *item = &d->list.items[i];
    const enum al_status s = d->kind->read(d->source, item, buf, err);

    if (s != AL_OK)
        return al_error_prefix(err, s, "sample %zu %s", item->index,
                               item->name ? item->name : "");
    return AL_OK;
}
