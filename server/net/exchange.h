/* exchange.h — one HTTP request and its answer, as the handlers of the routes see it.
 *
 * Life: born when the request line has been read, routed when the headers have, handed to
 * its route's handler when the body is complete, freed when the answer has been sent or
 * the connection is lost; one that is parked then stays until it is answered. Everything
 * here runs on the loop thread. */
#ifndef SV_NET_EXCHANGE_H
#define SV_NET_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "server/net/route.h"

#define SV_STATUS_GONE        499 /* nobody reads it; for the access log, as nginx has it */
#define SV_UNIX_PEER          "unix"
#define SV_REQUEST_ID_MAX     128
#define SV_REPLY_HEADERS      6
#define SV_REPLY_HEADER_BYTES 256 /* of all their values */
#define SV_TIMING_HEADER      "Server-Timing"
#define SV_RETRY_HEADER       "Retry-After"

struct MHD_Connection;
struct sv_conn;
struct sv_net;

struct sv_header {
    const char *name;  /* static text */
    const char *value; /* in the reply's own memory */
};

/* What goes back. `body` is malloc'ed and owned, or static when `is_static`. */
struct sv_reply {
    int status;
    char *body;
    size_t size;
    bool is_static;
    const char *content_type; /* static text; NULL: application/json */
    size_t n_headers;
    struct sv_header headers[SV_REPLY_HEADERS];
    char values[SV_REPLY_HEADER_BYTES];
    size_t values_size;
};

enum sv_exchange_state {
    SV_EXCHANGE_LINE,    /* request line read */
    SV_EXCHANGE_BODY,    /* headers checked, body coming in */
    SV_EXCHANGE_PARKED,  /* somebody else works on it */
    SV_EXCHANGE_READY,   /* `reply` is complete, not yet queued */
    SV_EXCHANGE_ANSWERED /* given to libmicrohttpd */
};

struct sv_exchange {
    struct sv_net *net;
    struct MHD_Connection *mhd; /* NULL, as is `conn`: lost while parked */
    struct sv_conn *conn;
    enum sv_exchange_state state;
    bool lingers; /* parked, but its connection is not suspended */

    char *uri; /* as it came, query included */
    enum sv_method method;
    const struct sv_route *route; /* NULL: refused before it reached one */
    struct sv_route_args args;
    char request_id[SV_REQUEST_ID_MAX + 1];
    uint64_t start_ns; /* request line complete */
    uint64_t body_ns;  /* last byte of the body */

    char *body; /* owned; NULL when empty */
    size_t body_size, body_capacity;
    uint32_t n_pieces;     /* upload calls, at least one a chunk */
    size_t content_length; /* 0: none given */
    bool chunked;

    struct sv_reply reply;
    /* Of the route's handler; freed with the exchange. */
    void *user;
    void (*user_free)(void *user);
    /* Called when the client has gone while the exchange was parked; may be NULL. Who has
     * only shut his sending side down counts as gone, as with nginx: the difference would
     * show in writing only. */
    void (*user_gone)(struct sv_exchange *x);
};

/* First value of a request header, or NULL. */
const char *sv_exchange_header(const struct sv_exchange *x, const char *name);
/* Calls `fn` for each query argument (value may be NULL) until it returns false. */
void sv_exchange_each_query(const struct sv_exchange *x,
                            bool (*fn)(void *arg, const char *key, const char *value),
                            void *arg);
/* The client's address as text: the peer's, or what a trusted proxy says of it;
 * SV_UNIX_PEER for one on a Unix socket. */
const char *sv_exchange_client(const struct sv_exchange *x, char *buf, size_t size);

/* `body` has a new owner. */
void sv_exchange_body_taken(struct sv_exchange *x);
/* From a handler: the answer comes later, by exactly one sv_exchange_answer(), also when
 * the client has gone meanwhile. */
void sv_exchange_park(struct sv_exchange *x);
/* `reply` is complete; `x` may not be touched any more. Follow a batch of these with one
 * sv_net_drive(). */
void sv_exchange_answer(struct sv_exchange *x);

/* Replies. `body` becomes owned by the reply; NULL body with size 0 is an empty answer.
 */
void sv_reply_json(struct sv_reply *r, int status, char *body, size_t size);
void sv_reply_static(struct sv_reply *r, int status, const char *body,
                     const char *content_type);
/* {"error": text} */
void sv_reply_error(struct sv_reply *r, int status, const char *text);
void sv_reply_failure(struct sv_reply *r, const struct al_error *err);
/* Copies `value`; `name` is static. A reply has room for every header the server sets:
 * what goes beyond it is our own mistake. */
void sv_reply_header(struct sv_reply *r, const char *name, const char *value);
void sv_reply_done(struct sv_reply *r);

#endif
