/* listener.c — listening sockets. Connections are accepted here and given to
 * libmicrohttpd, so that any number of TCP and Unix sockets, inherited or our own, work
 * alike, and so that draining can empty a backlog before its socket closes. When there is
 * no room, nothing is accepted until a connection closes or the next sweep tries again.
 */
#include "server/net/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64

/* False when there was nothing to accept. */
static bool accept_one(struct sv_net *net, int fd)
{
    struct sockaddr_storage peer = { 0 };
    socklen_t size = sizeof(peer);
    int c = accept4(fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (c < 0 && (errno == ECONNABORTED || errno == EINTR))
        return true;
    if (c < 0 && errno == EAGAIN)
        return false;
    /* No descriptor or no memory left: those who wait would be announced for ever. On
     * refusal libmicrohttpd closes the socket itself. */
    if (c < 0 ||
        MHD_add_connection(net->daemon, c, (struct sockaddr *)&peer, size) != MHD_YES)
        sv_listener_pause(net, true);
    return !net->full;
}

static bool has_room(struct sv_net *net)
{
    if (net->counts.connections_open < net->p.limits.max_connections)
        return true;
    sv_listener_pause(net, true);
    return false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct sv_listener *l = poll->data;
    bool accepted = false;

    (void)status;
    (void)events;
    l->net->now_ns = uv_hrtime();
    for (int i = 0; i < ACCEPTS_A_TURN && has_room(l->net) && accept_one(l->net, l->fd);
         i++)
        accepted = true;
    if (accepted)
        sv_net_drive(l->net);
}

void sv_listener_pause(struct sv_net *net, bool pause)
{
    if (net->full == pause)
        return;
    net->full = pause;
    for (struct sv_listener *l = net->listeners; l; l = l->next) {
        if (pause)
            (void)uv_poll_stop(&l->poll);
        else
            (void)uv_poll_start(&l->poll, UV_READABLE, on_readable);
    }
}

enum al_status sv_net_listen(struct sv_net *net, int fd, struct al_error *err)
{
    struct sv_listener *l = calloc(1, sizeof(*l));
    int rc;

    if (!l) {
        close(fd);
        return al_fail(err, AL_NO_MEMORY, "listener");
    }
    rc = uv_poll_init(net->p.loop, &l->poll, fd);
    if (rc != 0) {
        close(fd);
        free(l);
        return al_fail(err, AL_IO, "polling a listening socket: %s", uv_strerror(rc));
    }
    l->net = net;
    l->fd = fd;
    l->poll.data = l;
    l->next = net->listeners;
    net->listeners = l;
    (void)uv_poll_start(&l->poll, UV_READABLE, on_readable);
    return AL_OK;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void sv_net_stop_listening(struct sv_net *net)
{
    net->now_ns = uv_hrtime();
    while (net->listeners) {
        struct sv_listener *l = net->listeners;

        net->listeners = l->next;
        net->full = false;
        uv_close((uv_handle_t *)&l->poll, on_closed);
        while (accept_one(net, l->fd))
            ;
        (void)close(l->fd); /* at once: who connects in between would be reset */
    }
    sv_net_drive(net);
}
