/* handler.c — the life of one request inside libmicrohttpd's access handler.
 *
 * line -> headers (checked, routed) -> body -> handler -> [parked -> ready] -> answered
 *
 * A refusal known at the headers is remembered and answered when the body has been read
 * and dropped: answering earlier makes libmicrohttpd close the connection, and reset it
 * while the client still sends. Exceptions are requests that cannot be framed, bodies far
 * too large to read for nothing, and clients that wait for our word (100-continue). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/net/internal.h"
#include "server/proto/text.h"

#define FAR_TOO_LARGE_BYTES \
    ((size_t)1 << 20) /* over the limit by more: not read at all */
#define FIRST_BODY_BYTES 4096

/* ---- birth ---- */

void *sv_handler_request_line(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct sv_net *net = cls;
    struct sv_conn *c = sv_conn_of(mhd);
    char *copy = c ? strdup(uri) : NULL;
    struct sv_exchange *x =
        copy ? malloc(sizeof(*x)) : NULL; /* calloc would pass by malloc's cache */

    net->progress++;
    if (!x) {
        free(copy);
        return NULL;
    }
    *x = (struct sv_exchange){
        .net = net, .mhd = mhd, .conn = c, .uri = copy, .start_ns = uv_hrtime()
    };
    sv_conn_enter(c, SV_PHASE_HEADERS);
    net->counts.exchanges_open++;
    return x;
}

static bool is_request_id(const char *text)
{
    size_t n = strspn(text,
                      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                      "0123456789._-");

    return n > 0 && n <= SV_REQUEST_ID_MAX && text[n] == '\0';
}

static void name_request(struct sv_exchange *x)
{
    const char *given = sv_exchange_header(x, "X-Request-Id");

    if (given && is_request_id(given))
        (void)snprintf(x->request_id, sizeof(x->request_id), "%s", given);
    else
        *sv_put_digits(stpcpy(x->request_id, x->net->id_prefix), x->net->id_next++) =
            '\0';
}

/* ---- headers ---- */

static void refuse_route(struct sv_exchange *x, const char *path, const char *method,
                         unsigned has_methods)
{
    char text[512], allow[64];

    if (has_methods == 0) {
        (void)snprintf(text, sizeof(text), "no such path: '%.200s'", path);
        sv_reply_error(&x->reply, 404, text);
        return;
    }
    (void)sv_methods_text(has_methods, allow, sizeof(allow));
    (void)snprintf(text, sizeof(text),
                   "method %.20s is not allowed for '%.200s', only %s", method, path,
                   allow);
    sv_reply_error(&x->reply, 405, text);
    sv_reply_header(&x->reply, "Allow", allow);
}

static void refuse_size(struct sv_exchange *x, size_t bytes)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "the body has %s%zu bytes, the limit is %zu",
                   x->chunked ? "at least " : "", bytes, x->net->p.limits.max_body_bytes);
    sv_reply_error(&x->reply, 413, text);
}

/* Answers at the headers, which ends the connection. */
static enum MHD_Result refuse_now(struct sv_exchange *x)
{
    sv_reply_header(&x->reply, "Connection", "close");
    return sv_respond(x);
}

static enum MHD_Result on_headers(struct sv_exchange *x, const char *path,
                                  const char *method, const char *version)
{
    const struct sv_net *net = x->net;
    unsigned has_methods;
    size_t bytes;

    x->net->progress++;
    name_request(x);
    x->state = SV_EXCHANGE_BODY;
    if (!sv_framing_check(x, method, version))
        return refuse_now(x);
    bytes = x->content_length;
    x->method = sv_method_find(method);
    x->route = sv_route_find(net->p.routes, net->p.n_routes, x->method, path, &x->args,
                             &has_methods);
    if (!x->route)
        refuse_route(x, path, method, has_methods);
    if (bytes > net->p.limits.max_body_bytes)
        refuse_size(x, bytes);
    if (x->reply.status && (sv_exchange_header(x, "Expect") ||
                            bytes > net->p.limits.max_body_bytes + FAR_TOO_LARGE_BYTES))
        return refuse_now(x);
    x->conn->chunked = x->chunked;
    sv_conn_enter(x->conn, SV_PHASE_BODY);
    return MHD_YES;
}

/* ---- body ---- */

static bool grow_body(struct sv_exchange *x, size_t need)
{
    size_t known = x->content_length;
    size_t capacity = x->body_capacity ? x->body_capacity * 2 : FIRST_BODY_BYTES;
    struct sv_net *net = x->net;

    if (known >= need && known < capacity)
        capacity = known;
    while (capacity < need)
        capacity *= 2;
    if (net->counts.bodies_bytes + capacity - x->body_capacity >
        net->p.limits.max_bodies_bytes)
        return false;
    char *body = realloc(x->body, capacity);

    if (!body)
        return false;
    net->counts.bodies_bytes += capacity - x->body_capacity;
    x->body = body;
    x->body_capacity = capacity;
    return true;
}

void sv_exchange_body_taken(struct sv_exchange *x)
{
    x->net->counts.bodies_bytes -= x->body_capacity;
    x->body = NULL;
    x->body_capacity = 0;
}

static void drop_body(struct sv_exchange *x)
{
    free(x->body);
    sv_exchange_body_taken(x);
}

static void refuse_body(struct sv_exchange *x)
{
    const struct sv_net_limits *l = &x->net->p.limits;
    char text[128];

    if (x->body_size > l->max_body_bytes) {
        refuse_size(x, x->body_size);
    } else if (x->chunked && x->n_pieces > l->max_chunks) {
        (void)snprintf(text, sizeof(text), "the body has more than %zu chunks",
                       l->max_chunks);
        sv_reply_error(&x->reply, 413, text);
    } else {
        sv_reply_error(&x->reply, 503, "no memory left for request bodies");
    }
    drop_body(x);
}

/* MHD_NO ends the connection: the body is past all bounds and has been refused already,
 * but its sender goes on. */
static enum MHD_Result on_body(struct sv_exchange *x, const char *data, size_t size)
{
    const struct sv_net_limits *l = &x->net->p.limits;
    size_t at = x->body_size;

    x->net->progress++;
    x->conn->progress_ns = x->net->now_ns;
    x->body_size += size;
    x->n_pieces++;
    if (x->reply.status)
        return x->body_size > 2 * l->max_body_bytes + FAR_TOO_LARGE_BYTES ||
                       x->n_pieces > 2 * l->max_chunks
                   ? MHD_NO
                   : MHD_YES;
    if (x->body_size > l->max_body_bytes || (x->chunked && x->n_pieces > l->max_chunks) ||
        (x->body_size > x->body_capacity && !grow_body(x, x->body_size))) {
        refuse_body(x);
        return MHD_YES;
    }
    memcpy(x->body + at, data, size);
    return MHD_YES;
}

/* ---- answer ---- */

static enum MHD_Result on_complete(struct sv_exchange *x)
{
    x->body_ns = uv_hrtime();
    sv_conn_enter(x->conn, SV_PHASE_WORK);
    if (x->reply.status)
        return sv_respond(x);
    x->route->handle(x);
    /* Parked, and perhaps answered already: then libmicrohttpd comes again. */
    return x->state == SV_EXCHANGE_BODY ? sv_respond(x) : MHD_YES;
}

enum MHD_Result sv_handler(void *cls, struct MHD_Connection *mhd, const char *path,
                           const char *method, const char *version, const char *upload,
                           size_t *upload_size, void **con_cls)
{
    struct sv_exchange *x = *con_cls;
    size_t size = *upload_size;

    (void)cls;
    (void)mhd;
    if (!x)
        return MHD_NO; /* out of memory at the request line */
    if (x->state == SV_EXCHANGE_LINE)
        return on_headers(x, path, method, version);
    if (size > 0) {
        *upload_size = 0;
        return on_body(x, upload, size);
    }
    if (x->state == SV_EXCHANGE_READY)
        return sv_respond(x);
    if (x->state == SV_EXCHANGE_BODY)
        return on_complete(x);
    sv_park_wait(x);
    return MHD_YES;
}

/* ---- the end ---- */

void sv_exchange_free(struct sv_exchange *x)
{
    x->net->counts.exchanges_open--;
    if (x->user_free)
        x->user_free(x->user);
    drop_body(x);
    sv_reply_done(&x->reply);
    free(x->uri);
    free(x);
}

/* Of one that has no reply of ours. What libmicrohttpd refuses by itself, with 431 or 400
 * before the headers are complete, ends with an error; so do resets in that state. */
static int unanswered_status(const struct sv_exchange *x,
                             enum MHD_RequestTerminationCode code)
{
    bool refused = x->state == SV_EXCHANGE_LINE && x->conn->phase != SV_PHASE_CUT &&
                   code == MHD_REQUEST_TERMINATED_WITH_ERROR;

    return refused ? MHD_HTTP_BAD_REQUEST : SV_STATUS_GONE;
}

void sv_handler_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                          enum MHD_RequestTerminationCode code)
{
    struct sv_net *net = cls;
    struct sv_exchange *x = *con_cls;

    (void)mhd;
    net->progress++;
    if (!x)
        return;
    *con_cls = NULL;
    if (x->state == SV_EXCHANGE_PARKED)
        sv_park_lose(x);
    if (x->reply.status == 0)
        x->reply.status = unanswered_status(x, code);
    if (x->reply.status < SV_HTTP_STATUSES)
        net->counts.answers[x->reply.status]++;
    if (net->p.finished)
        net->p.finished(net->p.user, x, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    x->conn->parked = NULL;
    sv_conn_enter(x->conn, SV_PHASE_IDLE);
    x->mhd = NULL;
    x->conn = NULL;
    if (x->state != SV_EXCHANGE_PARKED)
        sv_exchange_free(x);
}
