/* text.h — a growing buffer for answers. Errors stick: check `failed` once at the end.
 * Zeroed memory is an empty buffer; any thread, one at a time. */
#ifndef SV_PROTO_TEXT_H
#define SV_PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

struct sv_text {
    char *data; /* not NUL-terminated; malloc'ed, may be taken over by the caller */
    size_t size, capacity;
    bool failed;
};

/* Writes the decimal digits of `v`, 20 at most; returns the end of them. */
char *sv_put_digits(char *at, uint64_t v);

void sv_text_done(struct sv_text *t);
void sv_text_bytes(struct sv_text *t, const void *data, size_t size);
void sv_text_str(struct sv_text *t, const char *s);
void sv_text_printf(struct sv_text *t, const char *fmt, ...) AL_PRINTF(2, 3);
void sv_text_u64(struct sv_text *t, uint64_t v);
/* `size` bytes as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD.
 */
void sv_text_json(struct sv_text *t, const char *s, size_t size);
void sv_text_quote(struct sv_text *t, const char *s); /* likewise, all of `s` */
/* {"error": "…"}, the body of every refusal. */
void sv_text_error(struct sv_text *t, const char *why);
/* A number with `digits` significant digits; what JSON cannot say (NaN, infinity) becomes
 * null. */
void sv_text_number(struct sv_text *t, double v, int digits);

#endif
