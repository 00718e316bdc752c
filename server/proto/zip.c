#include "server/proto/zip.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define WINDOW_ANY  (15 + 32) /* zlib or gzip, told by the header */
#define WINDOW_GZIP (15 + 16)
#define STEP        65536
#define WORTH_BYTES 1024

static enum al_status inflate_all(z_stream *z, size_t max_bytes,
                                  const struct sv_unzip_room *room, struct sv_text *ret,
                                  struct al_error *err)
{
    unsigned char step[STEP];
    enum al_status s;
    int rc;

    do {
        z->next_out = step;
        z->avail_out = STEP;
        rc = inflate(z, Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END)
            return al_fail(err, AL_INVALID, "the body does not decompress: %s",
                           z->msg ? z->msg : "it ends early");
        if (ret->size + (STEP - z->avail_out) > max_bytes)
            return al_fail(err, AL_TOO_LARGE,
                           "the body decompresses to more than %zu bytes", max_bytes);
        s = room->admit(room->arg, STEP - z->avail_out, err);
        if (s != AL_OK)
            return s;
        sv_text_bytes(ret, step, STEP - z->avail_out);
    } while (rc != Z_STREAM_END);
    return ret->failed ? al_fail(err, AL_NO_MEMORY, "decompressed body") : AL_OK;
}

enum al_status sv_unzip(const char *encoding, const char *data, size_t size,
                        size_t max_bytes, const struct sv_unzip_room *room,
                        struct sv_text *ret, struct al_error *err)
{
    z_stream z = { .next_in = (unsigned char *)(uintptr_t)data, .avail_in = (uInt)size };
    enum al_status s;

    if (strcasecmp(encoding, "identity") == 0)
        return AL_OK;
    if (strcasecmp(encoding, "gzip") != 0 && strcasecmp(encoding, "deflate") != 0)
        return al_fail(err, AL_UNSUPPORTED,
                       "Content-Encoding '%.40s' is neither gzip nor deflate", encoding);
    if (size > UINT32_MAX)
        return al_fail(err, AL_TOO_LARGE, "%zu compressed bytes", size);
    if (inflateInit2(&z, WINDOW_ANY) != Z_OK)
        return al_fail(err, AL_NO_MEMORY, "decompression");
    s = inflate_all(&z, max_bytes, room, ret, err);
    (void)inflateEnd(&z);
    return s;
}

bool sv_zip(struct sv_text *t)
{
    z_stream z = { .next_in = (unsigned char *)t->data, .avail_in = (uInt)t->size };
    char *packed;
    uLong bound;

    if (t->failed || t->size < WORTH_BYTES || t->size > UINT32_MAX ||
        deflateInit2(&z, 1, Z_DEFLATED, WINDOW_GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bound = deflateBound(&z, t->size);
    packed = malloc(bound);
    z.next_out = (unsigned char *)packed;
    z.avail_out = (uInt)bound;
    bool ok = packed && deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out < t->size;

    (void)deflateEnd(&z);
    if (!ok) {
        free(packed);
        return false;
    }
    free(t->data);
    t->data = packed;
    t->size = z.total_out;
    t->capacity = bound;
    return true;
}

bool sv_accepts_gzip(const char *accept_encoding)
{
    const char *found = accept_encoding ? strcasestr(accept_encoding, "gzip") : NULL;
    const char *weight = found ? strcasestr(found, "q=") : NULL;

    if (!found || !weight || weight > found + strcspn(found, ","))
        return found; /* without a weight of its own */
    return strtod(weight + strlen("q="), NULL) > 0;
}
