/* net.h — the front door: one libmicrohttpd daemon in external-epoll mode on one libuv
 * loop. Knows HTTP, limits and time-outs; what a path means is its routes' affair.
 * Everything here belongs to the loop thread. */
#ifndef SV_NET_NET_H
#define SV_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "engine/base/status.h"
#include "server/net/exchange.h"
#include "server/net/route.h"

#define SV_HTTP_STATUSES 600

struct sv_net_limits {
    size_t max_connections;
    size_t connection_memory_bytes; /* pool of headers and read buffer of a connection */
    size_t memory_increment_bytes;  /* step by which the read buffer grows */
    size_t max_body_bytes;
    size_t max_bodies_bytes; /* of all bodies held at one time */
    size_t max_chunks;
    uint64_t header_timeout_ns;  /* from the first byte expected to the end of headers */
    uint64_t body_timeout_ns;    /* from there to the end of the body */
    uint64_t idle_timeout_ns;    /* between requests */
    uint64_t write_timeout_ns;   /* from the answer queued to its last byte */
    const char *trusted_proxies; /* as inet_ntop writes them, comma-separated; "": none */
};

struct sv_net_counts {
    uint64_t connections_total, connections_open;
    uint64_t exchanges_open, exchanges_parked;
    uint64_t cut_header, cut_body, cut_idle, cut_write, cut_stalled;
    uint64_t bodies_bytes;              /* held now */
    uint64_t answers[SV_HTTP_STATUSES]; /* by status, whoever refused or answered */
};

struct sv_net_params {
    uv_loop_t *loop;
    struct sv_net_limits limits; /* strings must outlive the net */
    const struct sv_route *routes;
    size_t n_routes;
    void *user; /* for handlers: sv_net_user() */
    /* After each pass of libmicrohttpd: hand over what the handlers collected. */
    void (*flush)(void *user);
    /* An exchange is over (sent, or lost): for the access log. May be NULL. */
    void (*finished)(void *user, const struct sv_exchange *x, bool sent);
    /* libmicrohttpd's own complaints. */
    void (*complain)(void *user, const char *text);
};

AL_MUST_CHECK enum al_status sv_net_new(const struct sv_net_params *p,
                                        struct sv_net **ret, struct al_error *err);
/* Adds a listening socket (non-blocking; owned from here on). */
AL_MUST_CHECK enum al_status sv_net_listen(struct sv_net *net, int fd,
                                           struct al_error *err);
void *sv_net_user(const struct sv_net *net);
const struct sv_net_counts *sv_net_counts(const struct sv_net *net);
void sv_net_set_limits(struct sv_net *net, const struct sv_net_limits *limits);

/* Lets libmicrohttpd do what is ready; after every batch of sv_exchange_answer(). May be
 * called from anywhere: inside a handler, flush or user_gone it only makes the drive that
 * is under way go round once more. */
void sv_net_drive(struct sv_net *net);

/* Draining: from now on every answer carries Connection: close. */
void sv_net_drain(struct sv_net *net);
/* Takes what waits in the backlogs, then closes the listening sockets. */
void sv_net_stop_listening(struct sv_net *net);
/* Treats every parked exchange as if its client had gone: user_gone must answer it. */
void sv_net_abandon(struct sv_net *net);
/* No exchange is open and no connection has unread bytes. */
bool sv_net_is_quiet(const struct sv_net *net);

/* Closes connections and handles; no exchange may be parked. The memory lives until
 * sv_net_free(), to be called when the loop has run out. */
void sv_net_close(struct sv_net *net);
void sv_net_free(struct sv_net *net);

#endif
