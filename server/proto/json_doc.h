/* json_doc.h — a JSON body read in two parts: large arrays of numbers stay where they are
 * in the text (jansson would need twenty times as long for them), the rest becomes
 * jansson values. Arrays of numbers under the keys "data" and "instances" are treated so.
 * Any thread. */
#ifndef SV_PROTO_JSON_DOC_H
#define SV_PROTO_JSON_DOC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "engine/base/status.h"

struct sv_json_span {
    const char *text; /* at its '['; in the body, not owned */
    size_t size;
};

struct sv_json_doc {
    json_t *root; /* an object */
    size_t n_spans, capacity;
    struct sv_json_span *spans;
};

struct sv_json_limits {
    size_t max_depth;
    size_t max_values; /* outside of those arrays, each some 80 bytes; 0: any number */
};

/* `body` must outlive the document. What is beyond a limit is AL_INVALID (depth) or
 * AL_TOO_LARGE (values), seen before any memory is taken for it. */
AL_MUST_CHECK enum al_status sv_json_doc_read(const char *body, size_t size,
                                              const struct sv_json_limits *limits,
                                              struct sv_json_doc *ret,
                                              struct al_error *err);
void sv_json_doc_done(struct sv_json_doc *d);
/* The array of numbers that `value` stands for, or NULL. */
const struct sv_json_span *sv_json_doc_span(const struct sv_json_doc *d,
                                            const json_t *value);

#endif
