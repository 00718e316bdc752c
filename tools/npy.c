#include "tools/npy.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/reader.h"
#include "package/file.h"
#include "tools/output.h"

#define MAX_HEADER_BYTES 65536
#define MAX_FILE_BYTES   ((size_t)16 << 30)

static const char magic[] = "\x93NUMPY";

/* The text after `key` and its colon in the header's dictionary, or NULL. */
static const char *find_key(const char *header, const char *key)
{
    const char *at = strstr(header, key);

    if (!at)
        return NULL;
    at += strlen(key);
    at += strspn(at, " ");
    if (*at != ':')
        return NULL;
    return at + 1 + strspn(at + 1, " ");
}

static enum al_dtype dtype_of_descr(const char *descr)
{
    /* '<f4': quote, byte order, kind and size. '|' and '=' say there is no order to tell.
     */
    if (descr[0] != '\'' || !descr[1] || !strchr("<|=", descr[1]))
        return AL_NO_DTYPE;
    for (int t = AL_NO_DTYPE + 1; t < AL_N_DTYPES; t++) {
        const char *code = al_dtype_numpy((enum al_dtype)t);
        const size_t n = strlen(code);

        if (n > 0 && strncmp(descr + 2, code, n) == 0 && descr[2 + n] == '\'')
            return (enum al_dtype)t;
    }
    return AL_NO_DTYPE;
}

/* "(3, 4)", "(3,)" or "()". */
static enum al_status parse_shape(const char *text, struct al_shape *ret,
                                  struct al_error *err)
{
    struct al_shape shape = { .rank = 0 };

    if (*text++ != '(')
        return al_fail(err, AL_INVALID, "npy: shape is not a tuple");
    for (;;) {
        char *rest;

        text += strspn(text, " ,");
        if (*text == ')')
            break;
        if (shape.rank == AL_MAX_DIMS)
            return al_fail(err, AL_UNSUPPORTED, "npy: more than %d dimensions",
                           AL_MAX_DIMS);
        errno = 0;
        const long long dim = strtoll(text, &rest, 10);

        if (rest == text || errno != 0 || dim < 0)
            return al_fail(err, AL_INVALID, "npy: dimension %zu is no size", shape.rank);
        shape.dims[shape.rank++] = dim;
        text = rest;
    }
    *ret = shape;
    return AL_OK;
}

static size_t n_long_dims(const struct al_shape *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->rank; i++)
        n += s->dims[i] > 1;
    return n;
}

static enum al_status parse_header(const char *header, struct al_tensor *ret,
                                   struct al_error *err)
{
    const char *descr = find_key(header, "'descr'");
    const char *fortran = find_key(header, "'fortran_order'");
    const char *shape = find_key(header, "'shape'");
    struct al_tensor t = { .data = NULL };

    if (!descr || !fortran || !shape)
        return al_fail(err, AL_INVALID,
                       "npy: header lacks descr, fortran_order or shape");
    t.dtype = dtype_of_descr(descr);
    if (t.dtype == AL_NO_DTYPE)
        return al_fail(err, AL_UNSUPPORTED, "npy: element type %.8s", descr);
    const enum al_status s = parse_shape(shape, &t.shape, err);

    if (s != AL_OK)
        return s;
    if (strncmp(fortran, "False", 5) != 0 && n_long_dims(&t.shape) > 1)
        return al_fail(err, AL_UNSUPPORTED,
                       "npy: Fortran order; save numpy.ascontiguousarray(a) instead");
    *ret = t;
    return AL_OK;
}

/* Moves past magic, version and header, which is copied, terminated, into `header`. */
static enum al_status read_header(struct al_reader *r, char *header, struct al_error *err)
{
    const uint8_t *bytes = NULL;
    uint8_t major = 0, minor = 0;
    uint16_t short_size = 0;
    uint32_t size = 0;

    if (!al_reader_bytes(r, sizeof(magic) - 1, &bytes) ||
        memcmp(bytes, magic, sizeof(magic) - 1) != 0)
        return al_fail(err, AL_INVALID, "not a .npy file");
    if (!al_reader_u8(r, &major) || !al_reader_u8(r, &minor) || major < 1 || major > 3)
        return al_fail(err, AL_UNSUPPORTED, "npy: format version %u", major);
    const bool known =
        major == 1 ? al_reader_u16(r, &short_size) : al_reader_u32(r, &size);

    if (major == 1)
        size = short_size;
    if (!known || size >= MAX_HEADER_BYTES || !al_reader_bytes(r, size, &bytes))
        return al_fail(err, AL_INVALID, "npy: header of %u bytes in a file of %zu", size,
                       r->size);
    memcpy(header, bytes, size);
    header[size] = '\0';
    return AL_OK;
}

enum al_status tl_npy_parse(const void *bytes, size_t size, struct al_tensor *ret,
                            struct al_error *err)
{
    struct al_reader r = al_reader_of(bytes, size);
    char *header = malloc(MAX_HEADER_BYTES);
    struct al_tensor t;
    size_t count = 0;

    if (!header)
        return al_fail(err, AL_NO_MEMORY, "npy header");
    enum al_status s = read_header(&r, header, err);

    if (s == AL_OK)
        s = parse_header(header, &t, err);
    free(header);
    if (s == AL_OK)
        s = al_shape_count(&t.shape, al_dtype_size(t.dtype), &count, err);
    if (s != AL_OK)
        return s;
    if (al_reader_left(&r) != count * al_dtype_size(t.dtype))
        return al_fail(err, AL_INVALID, "npy: %zu bytes of data for %zu elements of %zu",
                       al_reader_left(&r), count, al_dtype_size(t.dtype));
    t.data = (uint8_t *)(uintptr_t)bytes + r.pos;
    *ret = t;
    return AL_OK;
}

enum al_status tl_npy_read(const char *path, struct al_tensor *ret, struct al_error *err)
{
    char *bytes;
    size_t size;
    struct al_tensor t;
    enum al_status s = pk_file_read(path, MAX_FILE_BYTES, &bytes, &size, err);

    if (s != AL_OK)
        return s;
    s = tl_npy_parse(bytes, size, &t, err);
    if (s == AL_OK) { /* data to the front, where malloc's alignment is */
        memmove(bytes, t.data, al_tensor_bytes(&t));
        t.data = bytes;
        *ret = t;
        return AL_OK;
    }
    free(bytes);
    return al_error_prefix(err, s, "%s", path);
}

/* Magic, version 1.0, header size and the header, padded so that the data start at a
 * multiple of 64. Returns the bytes written to `buf`. */
static size_t format_header(const struct al_tensor *t, char *buf, size_t size)
{
    const size_t prefix = sizeof(magic) - 1 + 4;
    const char order = al_dtype_size(t->dtype) > 1 ? '<' : '|';
    char shape[256] = "";
    size_t used = 0;

    for (size_t i = 0; i < t->shape.rank; i++)
        used += (size_t)snprintf(shape + used, sizeof(shape) - used, "%lld,%s",
                                 (long long)t->shape.dims[i],
                                 i + 1 < t->shape.rank ? " " : "");
    const int n = snprintf(buf + prefix, size - prefix,
                           "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }",
                           order, al_dtype_numpy(t->dtype), shape);
    const size_t total = (prefix + (size_t)n + 1 + 63) / 64 * 64;
    const size_t header = total - prefix;

    memset(buf + prefix + n, ' ', header - (size_t)n);
    buf[total - 1] = '\n';
    memcpy(buf, magic, sizeof(magic) - 1);
    buf[prefix - 4] = 1;
    buf[prefix - 3] = 0;
    buf[prefix - 2] = (char)(header & 0xff);
    buf[prefix - 1] = (char)(header >> 8);
    return total;
}

enum al_status tl_npy_write(const char *path, const struct al_tensor *t,
                            struct al_error *err)
{
    char header[512];

    if (!*al_dtype_numpy(t->dtype))
        return al_fail(err, AL_UNSUPPORTED, "%s: NumPy has no type %s", path,
                       al_dtype_name(t->dtype));
    const size_t n = format_header(t, header, sizeof(header));
    struct tl_output out;
    const enum al_status s = tl_output_open(path, &out, err);

    if (s != AL_OK)
        return s;
    (void)fwrite(header, 1, n, out.file); /* failures show when it is committed */
    (void)fwrite(t->data, 1, al_tensor_bytes(t), out.file);
    return tl_output_commit(&out, err);
}
