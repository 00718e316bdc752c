/* zip.h — bodies in gzip or deflate (zlib), both ways. Any thread. */
#ifndef SV_PROTO_ZIP_H
#define SV_PROTO_ZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/status.h"
#include "server/proto/text.h"

/* Decompresses by the name of a Content-Encoding; "identity" copies nothing and leaves
 * `*ret` empty. AL_UNSUPPORTED: another encoding. AL_TOO_LARGE past `max_bytes`, of which
 * no more is ever allocated. AL_INVALID: does not decompress. */
AL_MUST_CHECK enum al_status sv_unzip(const char *encoding, const char *data, size_t size,
                                      size_t max_bytes, struct sv_text *ret,
                                      struct al_error *err);
/* gzip of `t`, in its place. False, and `t` as it was, when that does not pay. */
bool sv_zip(struct sv_text *t);
/* Whether an Accept-Encoding allows gzip. */
bool sv_accepts_gzip(const char *accept_encoding);

#endif
