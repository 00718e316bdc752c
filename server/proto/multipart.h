/* multipart.h — the parts of a multipart body (RFC 2046), as views into it. Pure. */
#ifndef SV_PROTO_MULTIPART_H
#define SV_PROTO_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/status.h"

#define SV_BOUNDARY_MAX 70 /* RFC 2046, 5.1.1 */

struct sv_multipart {
    char delimiter[SV_BOUNDARY_MAX + 5]; /* CR LF -- boundary */
    size_t delimiter_size;
    const char *at, *end; /* behind the last delimiter seen */
};

/* AL_INVALID without a usable boundary in `content_type` or a first delimiter in the
 * body. */
AL_MUST_CHECK enum al_status sv_multipart_init(struct sv_multipart *m,
                                               const char *content_type, const char *body,
                                               size_t size, struct al_error *err);
/* The next part's content; false at the end. */
bool sv_multipart_next(struct sv_multipart *m, const char **ret, size_t *ret_size);
/* How many parts there are. AL_TOO_LARGE above `max`, AL_INVALID when the body ends
 * before its closing delimiter: what is missing may be more than the last part. */
AL_MUST_CHECK enum al_status sv_multipart_count(struct sv_multipart m, size_t max,
                                                size_t *ret, struct al_error *err);

#endif
