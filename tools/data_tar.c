/* A tar file (POSIX ustar, GNU and pax long names) of pictures in class folders. Opening
 * reads the headers only; pictures are read from their offsets. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/data_source.h"

enum {
    BLOCK = 512,
    MAX_RECORDS_BYTES = 1 << 20 /* pax headers may carry extended attributes */
};

struct tl_source {
    int fd;
};

/* The header block, POSIX.1-1988 with the GNU and pax extensions. */
struct tar_header {
    char name[100];
    char mode[8], uid[8], gid[8];
    char size[12], mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6], version[2];
    char user[32], group[32], device[16];
    char prefix[155];
    char rest[12];
};
_Static_assert(sizeof(struct tar_header) == BLOCK, "tar header is one block");

struct tar_walk {
    int fd;
    uint64_t size, at;
    char long_name[TL_MAX_NAME_BYTES]; /* of the next entry; "" : none */
};

/* Octal digits, or GNU's big-endian binary when the first byte has its top bit set. */
static bool read_field(const char *field, size_t n, uint64_t *ret)
{
    const unsigned char *c = (const unsigned char *)field;
    uint64_t v = 0;
    size_t i = 0;

    if (c[0] & 0x80) {
        for (v = c[0] & 0x7f, i = 1; i < n; i++) {
            if (v >> 55)
                return false;
            v = v << 8 | c[i];
        }
        *ret = v;
        return true;
    }
    while (i < n && c[i] == ' ')
        i++;
    for (; i < n && c[i] >= '0' && c[i] <= '7'; i++)
        v = v << 3 | (uint64_t)(c[i] - '0'); /* 12 digits at most: cannot overflow */
    *ret = v;
    return i == n || c[i] == ' ' || c[i] == '\0';
}

static bool checksum_matches(const struct tar_header *h)
{
    const unsigned char *c = (const unsigned char *)h;
    const size_t from = offsetof(struct tar_header, checksum);
    uint64_t sum = 0, want;

    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= from && i < from + sizeof(h->checksum) ? ' ' : c[i];
    return read_field(h->checksum, sizeof(h->checksum), &want) && sum == want;
}

static bool is_zero(const struct tar_header *h)
{
    const char *c = (const char *)h;

    return c[0] == 0 && memcmp(c, c + 1, BLOCK - 1) == 0;
}

/* The path of an entry: the long name before it, or prefix and name. */
static void entry_path(const struct tar_walk *w, const struct tar_header *h, char *path)
{
    const bool posix =
        memcmp(h->magic, "ustar", sizeof(h->magic)) == 0; /* with the NUL */

    if (w->long_name[0])
        (void)snprintf(path, TL_MAX_NAME_BYTES, "%s", w->long_name);
    else if (posix && h->prefix[0])
        (void)snprintf(path, TL_MAX_NAME_BYTES, "%.155s/%.100s", h->prefix, h->name);
    else
        (void)snprintf(path, TL_MAX_NAME_BYTES, "%.100s", h->name);
}

/* Finds "path" among the "<length> <key>=<value>\n" records of a pax header. */
static void pax_path(char *text, size_t size, char *path)
{
    for (size_t at = 0; at < size;) {
        char *key;
        const unsigned long length = strtoul(text + at, &key, 10);

        if (length == 0 || length > size - at || *key != ' ' ||
            text[at + length - 1] != '\n')
            return;
        text[at + length - 1] = '\0';
        if (strncmp(key, " path=", 6) == 0)
            (void)snprintf(path, TL_MAX_NAME_BYTES, "%s", key + 6);
        at += length;
    }
}

/* Reads the contents of a 'L' (GNU) or 'x' (pax) entry into the next entry's name. */
static enum al_status read_long_name(struct tar_walk *w, char type, size_t size,
                                     struct al_error *err)
{
    if (size > MAX_RECORDS_BYTES)
        return al_fail(err, AL_TOO_LARGE, "name record of %zu bytes at offset %llu", size,
                       (unsigned long long)w->at);
    char *text = malloc(size + 1);

    if (!text)
        return al_fail(err, AL_NO_MEMORY, "name record of %zu bytes", size);
    if (pread(w->fd, text, size, (off_t)w->at) != (ssize_t)size) {
        free(text);
        return al_fail(err, AL_IO, "cannot read at offset %llu",
                       (unsigned long long)w->at);
    }
    text[size] = '\0';
    if (type == 'x')
        pax_path(text, size, w->long_name);
    else
        (void)snprintf(w->long_name, sizeof(w->long_name), "%s", text);
    free(text);
    return AL_OK;
}

static enum al_status visit(struct tar_walk *w, const struct tar_header *h, uint64_t size,
                            struct tl_list *list, struct al_error *err)
{
    char path[TL_MAX_NAME_BYTES];
    enum al_status s = AL_OK;

    if (h->type == 'L' || h->type == 'x')
        return read_long_name(w, h->type, size, err);
    if (h->type == 'K' ||
        h->type == 'g') /* long link, global header: also before entries */
        return AL_OK;
    entry_path(w, h, path);
    if (h->type == 'S')
        s = al_fail(err, AL_UNSUPPORTED, "%s: a sparse file", path);
    else if (h->type == '0' || h->type == '\0' || h->type == '7')
        s = tl_list_add_path(list, path, w->at, size, err);
    w->long_name[0] = '\0';
    return s;
}

static enum al_status walk(struct tar_walk *w, struct tl_list *list, struct al_error *err)
{
    while (w->at + BLOCK <= w->size) {
        struct tar_header h;
        uint64_t size;

        if (pread(w->fd, &h, BLOCK, (off_t)w->at) != BLOCK)
            return al_fail(err, AL_IO, "cannot read at offset %llu",
                           (unsigned long long)w->at);
        if (is_zero(&h))
            return AL_OK;
        if (!checksum_matches(&h))
            return al_fail(
                err, AL_INVALID,
                "no tar header at offset %llu (wanted is an uncompressed tar, or two "
                "IDX files 'images,labels')",
                (unsigned long long)w->at);
        w->at += BLOCK;
        if (!read_field(h.size, sizeof(h.size), &size) || size > w->size - w->at)
            return al_fail(err, AL_INVALID,
                           "entry at offset %llu is larger than the rest of the file",
                           (unsigned long long)w->at);
        const enum al_status s = visit(w, &h, size, list, err);

        if (s != AL_OK)
            return s;
        w->at += (size + BLOCK - 1) / BLOCK * BLOCK;
    }
    return AL_OK;
}

static enum al_status tar_open(const char *spec, struct tl_list *list,
                               struct tl_source **ret, struct al_error *err)
{
    struct tl_source *source = calloc(1, sizeof(*source));
    struct tar_walk *w = calloc(1, sizeof(*w));
    enum al_status s;
    struct stat st;

    if (!source || !w) {
        free(source);
        free(w);
        return al_fail(err, AL_NO_MEMORY, "tar");
    }
    *ret = source;
    source->fd = open(spec, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* of a FIFO, too */
    if (source->fd < 0 || fstat(source->fd, &st) != 0) {
        s = al_fail(err, AL_IO, "%s", strerrordesc_np(errno));
    } else if (!S_ISREG(st.st_mode)) {
        s = al_fail(err, AL_INVALID, "neither a folder nor a regular file");
    } else {
        w->fd = source->fd;
        w->size = (uint64_t)st.st_size;
        s = walk(w, list, err);
    }
    free(w);
    return s;
}

static enum al_status tar_read(const struct tl_source *s, const struct tl_item *item,
                               struct tl_buffer *buf, struct al_error *err)
{
    const enum al_status status = tl_buffer_reserve(buf, item->size, err);

    if (status != AL_OK)
        return status;
    if (pread(s->fd, buf->data, buf->size, (off_t)item->offset) != (ssize_t)buf->size)
        return al_fail(err, AL_IO, "cannot read %zu bytes at offset %llu", buf->size,
                       (unsigned long long)item->offset);
    return AL_OK;
}

static void tar_close(struct tl_source *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    free(s);
}

const struct tl_source_kind tl_source_tar = { tar_open, tar_read, tar_close };
