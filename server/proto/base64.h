/* base64.h — RFC 4648, padding optional, no white space. Pure. */
#ifndef SV_PROTO_BASE64_H
#define SV_PROTO_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that `size` characters decode to at most. */
#define SV_BASE64_BYTES(size) ((size) / 4 * 3 + 3)

/* False when `text` is not base64. `dst` holds SV_BASE64_BYTES(size). */
bool sv_base64_decode(const char *text, size_t size, uint8_t *dst, size_t *ret_size);

#endif
