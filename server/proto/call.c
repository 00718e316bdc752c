#include "server/proto/call.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/model.h"
#include "server/proto/base64.h"
#include "server/proto/zip.h"

struct sv_call *sv_call_new(struct sv_model *model, const struct sv_codec *codec)
{
    struct sv_call *c = malloc(sizeof(*c)); /* calloc would pass by malloc's cache */

    if (!c)
        return NULL;
    *c = (struct sv_call){ 0 };
    sv_request_init(&c->request, model);
    c->served = sv_served_of(model);
    c->codec = codec;
    c->options = sv_options_none();
    c->level = SV_NO_LEVEL;
    c->json_size = SIZE_MAX;
    return c;
}

void sv_call_free(struct sv_call *c)
{
    if (!c)
        return;
    sv_request_done(&c->request);
    if (c->state_free)
        c->state_free(c->state);
    sv_text_done(&c->answer);
    free(c->body);
    free(c->content_type);
    free(c->content_encoding);
    free(c->failure);
    free(c);
}

struct sv_call *sv_call_of(struct sv_request *r)
{
    return (struct sv_call *)(void *)r;
}

void sv_call_explain(struct sv_call *c, const struct al_error *err)
{
    free(c->failure);
    c->failure = strdup(err->text);
}

enum al_status sv_call_make_rows(struct sv_call *c, const struct sv_decoder *d,
                                 size_t n_rows, struct al_error *err)
{
    const struct sv_served *m = c->served;
    enum al_status s = AL_OK;

    if (n_rows == 0)
        return al_fail(err, AL_INVALID, "the request holds no input");
    if (n_rows > d->limits.max_rows)
        return al_fail(err, AL_TOO_LARGE, "the request has %zu rows, the limit is %zu",
                       n_rows, d->limits.max_rows);
    if (m->package)
        s = sv_options_rule(&c->options, m->package, &c->request.rule, &c->level, err);
    if (s == AL_OK)
        s = d->reserve(d->arg, c, (uint32_t)n_rows, n_rows * m->row_bytes, err);
    if (s == AL_OK)
        s = sv_request_alloc_rows(&c->request, m->row_bytes, err);
    return s;
}

float *sv_call_input(const struct sv_call *c, size_t i)
{
    void *row = c->request.rows[i].data;

    return c->served->package ? al_row_input(c->served->package->model, row, 0) : row;
}

enum al_status sv_call_image(const struct sv_call *c, const struct sv_decoder *d,
                             size_t i, const void *data, size_t size,
                             struct al_error *err)
{
    const struct sv_served *m = c->served;

    if (!m->package || !m->package->takes_images)
        return al_fail(err, AL_INVALID, "model '%s' takes no images", m->name);
    return pk_image_to_tensor(data, size, &m->package->input, &d->limits.image,
                              sv_call_input(c, i), err);
}

enum al_status sv_call_base64_image(const struct sv_call *c, const struct sv_decoder *d,
                                    size_t i, const char *text, size_t length,
                                    struct al_error *err)
{
    uint8_t *image = malloc(SV_BASE64_BYTES(length));
    enum al_status s;
    size_t size;

    if (!image)
        return al_fail(err, AL_NO_MEMORY, "base64 of %zu characters", length);
    s = sv_base64_decode(text, length, image, &size)
            ? sv_call_image(c, d, i, image, size, err)
            : al_fail(err, AL_INVALID, "not base64");
    free(image);
    return s;
}

const float *sv_call_probs(const struct sv_call *c, size_t i)
{
    const struct sv_row *row = &c->request.rows[i];

    return c->served->package
               ? al_row_probs(c->served->package->model, row->data, row->exit)
               : row->data;
}

struct sv_call_timing sv_call_timing(const struct sv_call *c)
{
    const struct sv_request *r = &c->request;
    struct sv_call_timing t = { .decode_ns = r->decode_ns,
                                .total_ns = r->done_ns - r->arrived_ns };

    for (uint32_t i = 0; i < r->n_rows; i++) {
        const struct sv_row *row = &r->rows[i];

        t.queue_ns = row->queue_ns > t.queue_ns ? row->queue_ns : t.queue_ns;
        t.compute_ns = row->compute_ns > t.compute_ns ? row->compute_ns : t.compute_ns;
    }
    return t;
}

struct admission {
    struct sv_call *call;
    const struct sv_decoder *decoder;
};

static enum al_status admit(void *arg, size_t bytes, struct al_error *err)
{
    const struct admission *a = arg;

    return a->decoder->reserve(a->decoder->arg, a->call, a->call->request.n_rows, bytes,
                               err);
}

/* The body without its Content-Encoding; what it grows to counts as the request's. */
static enum al_status unzip(struct sv_call *c, const struct sv_decoder *d,
                            struct al_error *err)
{
    struct admission a = { c, d };
    const struct sv_unzip_room room = { admit, &a };
    struct sv_text plain = { 0 };
    enum al_status s;

    if (!c->content_encoding || c->body_size == 0)
        return AL_OK;
    s = sv_unzip(c->content_encoding, c->body, c->body_size, d->limits.max_body_bytes,
                 &room, &plain, err);
    if (s != AL_OK || !plain.data) {
        sv_text_done(&plain);
        return s;
    }
    free(c->body);
    c->body = plain.data;
    c->body_size = plain.size;
    return AL_OK;
}

/* Inference-Header-Content-Length counts what is left after decompression. */
static enum al_status check_json_size(const struct sv_call *c, struct al_error *err)
{
    if (c->json_size == SIZE_MAX || c->json_size <= c->body_size)
        return AL_OK;
    return al_fail(
        err, AL_INVALID,
        "Inference-Header-Content-Length: %zu is more than the body's %zu bytes",
        c->json_size, c->body_size);
}

void sv_call_decode(struct sv_call *c, const struct sv_decoder *d,
                    enum al_status *ret_status)
{
    struct al_error err;
    enum al_status s = unzip(c, d, &err);

    if (s == AL_OK)
        s = check_json_size(c, &err);
    if (s == AL_OK)
        s = c->codec->decode(c, d, &err);
    if (s != AL_OK)
        sv_call_explain(c, &err);
    *ret_status = s;
    free(c->body); /* the rows hold what matters */
    c->body = NULL;
}

static const char *failure_text(const struct sv_call *c)
{
    if (c->request.status == AL_TIMEOUT) /* a worker may still be decoding */
        return "the deadline passed before there was any answer";
    return c->failure ? c->failure : al_status_text(c->request.status);
}

static void encode_failure(struct sv_call *c)
{
    c->http_status = al_status_http(c->request.status);
    sv_text_error(&c->answer, failure_text(c));
}

void sv_call_encode(struct sv_call *c)
{
    if (c->request.status != AL_OK) {
        encode_failure(c);
        return;
    }
    c->http_status = 200;
    c->codec->encode(c);
    if (c->accepts_gzip)
        c->answer_zipped = sv_zip(&c->answer);
}

void sv_top_classes(const float *probs, size_t n, size_t k, uint32_t *ret)
{
    size_t have = 0;

    for (size_t i = 0; i < n; i++) {
        size_t at = have;

        while (at > 0 && probs[ret[at - 1]] < probs[i])
            at--;
        if (at == k)
            continue;
        have += have < k;
        for (size_t j = have - 1; j > at; j--)
            ret[j] = ret[j - 1];
        ret[at] = (uint32_t)i;
    }
}
