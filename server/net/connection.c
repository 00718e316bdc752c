/* connection.c — which phase each connection is in, and the end of those that overstay.
 *
 * libmicrohttpd's own time-outs see inactivity only, so a byte now and then keeps a
 * connection for ever; here every phase has an absolute deadline, enforced by a sweep.
 * Cutting is shutdown(2): libmicrohttpd then sees the end and closes by itself. */
#include "server/net/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define STALL_NS     100000000U  /* chunked, bytes waiting, nothing read */
#define STALL_MAX_NS 1000000000U /* chunked, nothing read, at all */

static struct sv_conn *open_conn(struct sv_net *net, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info;
    struct sv_conn *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    c->net = net;
    c->fd = info->connect_fd;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info && info->client_addr && info->client_addr->sa_family == AF_INET)
        memcpy(&c->peer, info->client_addr, sizeof(struct sockaddr_in));
    else if (info && info->client_addr && info->client_addr->sa_family == AF_INET6)
        memcpy(&c->peer, info->client_addr, sizeof(struct sockaddr_in6));
    c->since_ns = net->now_ns;
    c->next = net->conns;
    c->prev = &net->conns;
    if (c->next)
        c->next->prev = &c->next;
    net->conns = c;
    return c;
}

static void set_phase(struct sv_conn *c, enum sv_phase phase)
{
    c->net->n_chunked -= c->phase == SV_PHASE_BODY && c->chunked;
    c->net->n_chunked += phase == SV_PHASE_BODY && c->chunked;
    c->phase = phase;
}

void sv_conn_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                    enum MHD_ConnectionNotificationCode code)
{
    struct sv_net *net = cls;

    net->progress++;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = open_conn(net, mhd);
        net->counts.connections_total++;
        net->counts.connections_open++;
        return;
    }
    struct sv_conn *c = *socket_context;

    net->counts.connections_open--;
    if (net->full)
        sv_listener_pause(net, false);
    if (!c)
        return;
    set_phase(c, SV_PHASE_CUT);
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    free(c);
    *socket_context = NULL;
}

struct sv_conn *sv_conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

void sv_conn_enter(struct sv_conn *c, enum sv_phase phase)
{
    if (c->phase == SV_PHASE_CUT)
        return;
    set_phase(c, phase);
    c->since_ns = c->progress_ns = c->net->now_ns;
}

static void hang_up(struct sv_conn *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    set_phase(c, SV_PHASE_CUT);
}

static void cut(struct sv_conn *c, uint64_t *count)
{
    hang_up(c);
    ++*count;
}

/* Time the connection may still spend in its phase, and the counter of those that don't
 * keep it; NULL: the phase is somebody else's to bound. */
static uint64_t *phase_limit(struct sv_net *net, enum sv_phase phase, uint64_t *ret_ns)
{
    const struct sv_net_limits *l = &net->p.limits;

    switch (phase) {
    case SV_PHASE_NEW:
    case SV_PHASE_HEADERS:
        *ret_ns = l->header_timeout_ns;
        return &net->counts.cut_header;
    case SV_PHASE_BODY:
        *ret_ns = l->body_timeout_ns;
        return &net->counts.cut_body;
    case SV_PHASE_WRITE:
        *ret_ns = l->write_timeout_ns;
        return &net->counts.cut_write;
    case SV_PHASE_IDLE:
        *ret_ns = l->idle_timeout_ns;
        return &net->counts.cut_idle;
    case SV_PHASE_WORK:
    case SV_PHASE_CUT:
    default:
        return NULL;
    }
}

/* Whether the peer has closed, and all it sent has been read. Nobody else tells: a parked
 * connection is in no epoll set, and of data that comes together with the end of the
 * stream libmicrohttpd reads the data and then waits for another event. */
static bool peer_gone(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static bool is_reading(enum sv_phase phase)
{
    return phase != SV_PHASE_WORK && phase != SV_PHASE_WRITE && phase != SV_PHASE_CUT;
}

static void look_after_parked(struct sv_conn *c)
{
    struct sv_exchange *x = c->parked;

    if (!x || !x->user_gone || !peer_gone(c->fd))
        return;
    x->user_gone(x);
}

void sv_conn_sweep(struct sv_net *net)
{
    uint64_t now = net->now_ns = uv_hrtime();

    if (net->counts.connections_open < net->p.limits.max_connections)
        sv_listener_pause(net, false);
    for (struct sv_conn *c = net->conns; c; c = c->next) {
        uint64_t limit_ns;
        uint64_t *count = phase_limit(net, c->phase, &limit_ns);

        if (count && now - c->since_ns > limit_ns)
            cut(c, count);
        else if (c->phase == SV_PHASE_WORK)
            look_after_parked(c);
        else if (is_reading(c->phase) && peer_gone(c->fd))
            hang_up(c); /* the rest of its request will never come */
    }
}

void sv_net_abandon(struct sv_net *net)
{
    net->driving = true;
    for (struct sv_conn *c = net->conns; c; c = c->next) {
        if (c->parked && c->parked->user_gone)
            c->parked->user_gone(c->parked);
    }
    net->driving = false;
    sv_net_drive(net);
}

void sv_conn_cut_stalled(struct sv_net *net)
{
    uint64_t now = net->now_ns;

    for (struct sv_conn *c = net->conns; c; c = c->next) {
        int waiting = 0;

        if (c->phase != SV_PHASE_BODY || !c->chunked || now - c->progress_ns < STALL_NS)
            continue;
        (void)ioctl(c->fd, FIONREAD, &waiting);
        if (waiting > 0 || now - c->progress_ns > STALL_MAX_NS)
            cut(c, &net->counts.cut_stalled);
    }
}

bool sv_conn_any_unread(const struct sv_net *net)
{
    for (const struct sv_conn *c = net->conns; c; c = c->next) {
        int waiting = 0;

        if (c->phase != SV_PHASE_CUT && ioctl(c->fd, FIONREAD, &waiting) == 0 &&
            waiting > 0)
            return true;
    }
    return false;
}
