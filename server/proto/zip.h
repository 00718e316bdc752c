/* zip.h — bodies in gzip or deflate (zlib), both ways. Any thread. */
#ifndef SV_PROTO_ZIP_H
#define SV_PROTO_ZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/status.h"
#include "server/proto/text.h"

/* Asked before `bytes` more are kept; anything but AL_OK ends the decompression. */
struct sv_unzip_room {
    enum al_status (*admit)(void *arg, size_t bytes, struct al_error *err);
    void *arg;
};

/* Decompresses by the name of a Content-Encoding; "identity" copies nothing and leaves
 * `*ret` empty. AL_UNSUPPORTED: another encoding. AL_TOO_LARGE past `max_bytes`, of which
 * no more is ever allocated. AL_INVALID: does not decompress. */
AL_MUST_CHECK enum al_status sv_unzip(const char *encoding, const char *data, size_t size,
                                      size_t max_bytes, const struct sv_unzip_room *room,
                                      struct sv_text *ret, struct al_error *err);
/* gzip of `t`, in its place. False, and `t` as it was, when that does not pay. */
bool sv_zip(struct sv_text *t);
/* Whether an Accept-Encoding allows gzip. */
bool sv_accepts_gzip(const char *accept_encoding);

#endif
