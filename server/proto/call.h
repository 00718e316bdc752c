/* call.h — one inference request between the wire and the scheduler: what came, how to
 * decode it into rows, what to answer.
 *
 * The loop makes it and frees it; a worker owns it from the decode job to the end of that
 * job, and again while it encodes the answer of a finished request. */
#ifndef SV_PROTO_CALL_H
#define SV_PROTO_CALL_H

#include <stddef.h>
#include <stdint.h>

#include "package/image.h"
#include "server/core/request.h"
#include "server/proto/json_doc.h"
#include "server/proto/options.h"
#include "server/proto/served.h"
#include "server/proto/text.h"

struct sv_call;

/* What a decoder may use. */
struct sv_decode_limits {
    struct pk_image_limits image;
    size_t max_rows;
    struct sv_json_limits json;
    size_t max_body_bytes; /* after decompression */
    uint64_t max_deadline_ns;
};

struct sv_decoder {
    struct sv_decode_limits limits;
    /* Admission of rows and memory that the headers did not tell of. */
    enum al_status (*reserve)(void *arg, struct sv_call *c, uint32_t n_rows,
                              size_t extra_bytes, struct al_error *err);
    /* A deadline or a priority found in the body. */
    void (*reschedule)(void *arg, struct sv_call *c, uint64_t deadline_ns,
                       unsigned priority);
    void *arg;
};

/* A protocol: body to rows, rows to answer. */
struct sv_codec {
    /* On the loop, in bounded time: a deadline that the body names, so that it is kept
     * even when no worker gets to the body; in ms, NAN for none. May be NULL. */
    double (*peek_deadline_ms)(const char *body, size_t size);
    enum al_status (*decode)(struct sv_call *c, const struct sv_decoder *d,
                             struct al_error *err);
    void (*encode)(struct sv_call *c);
};

struct sv_call {
    struct sv_request request; /* first: the scheduler hands back this pointer */
    const struct sv_served *served;
    const struct sv_codec *codec;
    struct sv_options options;
    uint32_t level; /* of the policy's ladder, or SV_NO_LEVEL */

    char *body; /* owned */
    size_t body_size;
    char *content_type;     /* owned, may be NULL */
    char *content_encoding; /* owned, may be NULL */
    size_t json_size;       /* Inference-Header-Content-Length; SIZE_MAX: not given */
    bool accepts_gzip;

    void *state; /* of the codec */
    void (*state_free)(void *state);

    char *failure; /* why there is no answer; owned, NULL: what the status says */

    /* The answer. */
    int http_status;
    struct sv_text answer;
    const char *answer_type; /* static; NULL: application/json */
    size_t answer_json_size; /* Inference-Header-Content-Length; 0: none */
    bool answer_zipped;      /* Content-Encoding: gzip */

    void *owner;            /* of whoever waits for the answer */
    struct sv_call *next;   /* in the list of collected or finished calls */
    uint32_t retry_after_s; /* of one refused */
};

struct sv_call *sv_call_new(struct sv_model *model, const struct sv_codec *codec);
void sv_call_free(struct sv_call *c);
struct sv_call *sv_call_of(struct sv_request *r);
/* Remembers why the call fails. */
void sv_call_explain(struct sv_call *c, const struct al_error *err);

/* Settles the rule, admits and allocates `n_rows` rows. For decoders, once. */
AL_MUST_CHECK enum al_status sv_call_make_rows(struct sv_call *c,
                                               const struct sv_decoder *d, size_t n_rows,
                                               struct al_error *err);
/* Where row `i` takes its input. */
float *sv_call_input(const struct sv_call *c, size_t i);
/* One encoded image into row `i`. */
AL_MUST_CHECK enum al_status sv_call_image(const struct sv_call *c,
                                           const struct sv_decoder *d, size_t i,
                                           const void *data, size_t size,
                                           struct al_error *err);
/* The same of `length` characters of base64. */
AL_MUST_CHECK enum al_status sv_call_base64_image(const struct sv_call *c,
                                                  const struct sv_decoder *d, size_t i,
                                                  const char *text, size_t length,
                                                  struct al_error *err);
/* Probabilities row `i` was answered with. */
const float *sv_call_probs(const struct sv_call *c, size_t i);

/* Where the time of an answered request went: its slowest row. */
struct sv_call_timing {
    uint64_t decode_ns, queue_ns, compute_ns, total_ns;
};
struct sv_call_timing sv_call_timing(const struct sv_call *c);

void sv_call_decode(struct sv_call *c, const struct sv_decoder *d,
                    enum al_status *ret_status);
/* Fills the answer of a DONE request, whatever its outcome. */
void sv_call_encode(struct sv_call *c);

/* The `k` most probable classes of `n`, best first, the lower index first of equals. */
void sv_top_classes(const float *probs, size_t n, size_t k, uint32_t *ret);

#endif
