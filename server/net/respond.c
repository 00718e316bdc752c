#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/net/internal.h"
#include "server/proto/text.h"

#define RETRY_AFTER_S "1" /* of a 503 that knows of no better time */

void sv_reply_json(struct sv_reply *r, int status, char *body, size_t size)
{
    if (!r->is_static)
        free(r->body);
    r->status = status;
    r->body = body;
    r->size = size;
    r->is_static = false;
    r->content_type = NULL;
}

void sv_reply_static(struct sv_reply *r, int status, const char *body,
                     const char *content_type)
{
    sv_reply_json(r, status, NULL, strlen(body));
    r->body = (char *)(uintptr_t)body;
    r->is_static = true;
    r->content_type = content_type;
}

void sv_reply_error(struct sv_reply *r, int status, const char *text)
{
    struct sv_text t = { 0 };

    sv_text_error(&t, text);
    if (t.failed) {
        sv_text_done(&t);
        sv_reply_static(r, status, "{\"error\":\"out of memory\"}", NULL);
        return;
    }
    sv_reply_json(r, status, t.data, t.size);
}

void sv_reply_failure(struct sv_reply *r, const struct al_error *err)
{
    sv_reply_error(r, al_status_http(err->status), err->text);
}

void sv_reply_header(struct sv_reply *r, const char *name, const char *value)
{
    size_t size = strlen(value) + 1;
    char *copy = r->values + r->values_size;

    assert(r->n_headers < SV_REPLY_HEADERS && size <= sizeof(r->values) - r->values_size);
    memcpy(copy, value, size);
    r->values_size += size;
    r->headers[r->n_headers++] = (struct sv_header){ name, copy };
}

void sv_reply_done(struct sv_reply *r)
{
    if (!r->is_static)
        free(r->body);
    r->body = NULL;
}

static struct MHD_Response *response_of(struct sv_reply *r)
{
    struct MHD_Response *response;

    if (r->is_static)
        return MHD_create_response_from_buffer(r->size, r->body, MHD_RESPMEM_PERSISTENT);
    response = MHD_create_response_from_buffer_with_free_callback(r->size, r->body, free);
    if (response)
        r->body = NULL; /* its owner now */
    return response;
}

static bool has_header(const struct sv_reply *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++)
        if (strcmp(r->headers[i].name, name) == 0)
            return true;
    return false;
}

/* Queues the reply. Called inside the access handler only. */
enum MHD_Result sv_respond(struct sv_exchange *x)
{
    struct sv_reply *r = &x->reply;
    struct MHD_Response *response = response_of(r);
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                  r->content_type ? r->content_type : "application/json");
    (void)MHD_add_response_header(response, "X-Request-Id", x->request_id);
    for (size_t i = 0; i < r->n_headers; i++)
        (void)MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
    if (r->status == MHD_HTTP_SERVICE_UNAVAILABLE && !has_header(r, SV_RETRY_HEADER))
        (void)MHD_add_response_header(response, SV_RETRY_HEADER, RETRY_AFTER_S);
    if (x->net->draining)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    result = MHD_queue_response(x->mhd, (unsigned)r->status, response);
    MHD_destroy_response(response);
    x->state = SV_EXCHANGE_ANSWERED;
    x->net->progress++;
    sv_conn_enter(x->conn, SV_PHASE_WRITE);
    return result;
}
