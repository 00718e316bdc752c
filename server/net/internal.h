/* internal.h — what the files of net/ share. */
#ifndef SV_NET_INTERNAL_H
#define SV_NET_INTERNAL_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "server/net/net.h"

/* Where a connection is in its cycle; each phase has its deadline. */
enum sv_phase {
    SV_PHASE_NEW,     /* accepted, nothing of a request seen */
    SV_PHASE_HEADERS, /* request line read */
    SV_PHASE_BODY,
    SV_PHASE_WORK, /* parked or being answered at once */
    SV_PHASE_WRITE,
    SV_PHASE_IDLE, /* between requests */
    SV_PHASE_CUT   /* shut down by us, close follows */
};

struct sv_conn {
    struct sv_conn *next, **prev;
    struct sv_net *net;
    int fd;
    enum sv_phase phase;
    uint64_t since_ns;          /* of the phase */
    uint64_t progress_ns;       /* last byte of a body */
    bool chunked;               /* set before its body begins */
    struct sv_exchange *parked; /* whose answer somebody else works on */
    struct sockaddr_storage peer;
};

struct sv_listener {
    struct sv_listener *next;
    struct sv_net *net;
    uv_poll_t poll;
    int fd;
};

struct sv_net {
    struct sv_net_params p;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;   /* on libmicrohttpd's epoll descriptor */
    uv_timer_t timer; /* its next timeout, or the pause of a stalled drive */
    uv_idle_t idle;   /* it has more to do at once */
    uv_timer_t sweep;
    uint64_t now_ns;    /* when the present pass began: exact enough for phases */
    uint64_t progress;  /* grows with everything that gets somewhere */
    size_t n_lingering; /* parked exchanges whose connection is not suspended */
    size_t n_chunked;   /* connections in the middle of a chunked body */
    uint64_t looked_ns; /* for those of them that stall */
    bool draining, full;
    bool driving, drive_again;
    struct sv_listener *listeners;
    struct sv_conn *conns;
    struct sv_net_counts counts;
    char id_prefix[24]; /* of made request ids, and the number that follows it */
    uint64_t id_next;
};

/* drive.c */
enum al_status sv_drive_start(struct sv_net *net, struct al_error *err);
void sv_drive_close(struct sv_net *net);

/* connection.c */
void sv_conn_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                    enum MHD_ConnectionNotificationCode code);
struct sv_conn *sv_conn_of(struct MHD_Connection *mhd);
void sv_conn_enter(struct sv_conn *c, enum sv_phase phase);
void sv_conn_sweep(struct sv_net *net);
/* Cuts chunked uploads that stand still although bytes wait: a chunk line that does not
 * fit the read buffer makes libmicrohttpd spin. */
void sv_conn_cut_stalled(struct sv_net *net);
bool sv_conn_any_unread(const struct sv_net *net);

/* listener.c */
void sv_listener_pause(struct sv_net *net, bool pause);

/* handler.c */
void *sv_handler_request_line(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result sv_handler(void *cls, struct MHD_Connection *mhd, const char *path,
                           const char *method, const char *version, const char *upload,
                           size_t *upload_size, void **con_cls);
void sv_handler_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                          enum MHD_RequestTerminationCode code);
/* Its connection has gone, and nobody works on it. */
void sv_exchange_free(struct sv_exchange *x);

/* framing.c: false and a reply in `x` when the headers cannot be trusted. */
bool sv_framing_check(struct sv_exchange *x, const char *method, const char *version);

/* park.c */
/* The parked `x` has no answer yet, and libmicrohttpd asks for one. */
void sv_park_wait(struct sv_exchange *x);
/* The connection of the parked `x` closes. */
void sv_park_lose(struct sv_exchange *x);

/* respond.c */
enum MHD_Result sv_respond(struct sv_exchange *x);

#endif
