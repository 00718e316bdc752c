#include "server/net/net.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/net/internal.h"

static void complain(void *cls, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void complain(void *cls, const char *format, va_list args)
{
    struct sv_net *net = cls;
    char text[512];

    (void)vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    net->p.complain(net->p.user, text);
}

/* libmicrohttpd counts one connection more than it serves. */
static struct MHD_Daemon *start_daemon(struct sv_net *net)
{
    const struct sv_net_limits *l = &net->p.limits;

    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, sv_handler, net, MHD_OPTION_EXTERNAL_LOGGER, complain, net,
        MHD_OPTION_NOTIFY_CONNECTION, sv_conn_notify, net, MHD_OPTION_URI_LOG_CALLBACK,
        sv_handler_request_line, net, MHD_OPTION_NOTIFY_COMPLETED, sv_handler_completed,
        net, MHD_OPTION_CONNECTION_LIMIT, (unsigned)l->max_connections + 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, l->connection_memory_bytes,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, l->memory_increment_bytes,
        MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_END);
}

enum al_status sv_net_new(const struct sv_net_params *p, struct sv_net **ret,
                          struct al_error *err)
{
    struct sv_net *net = calloc(1, sizeof(*net));
    enum al_status s;

    if (!net)
        return al_fail(err, AL_NO_MEMORY, "front end");
    net->p = *p;
    (void)snprintf(net->id_prefix, sizeof(net->id_prefix), "%016" PRIx64 "-",
                   uv_hrtime() * UINT64_C(0x9E3779B97F4A7C15));
    net->daemon = start_daemon(net);
    if (!net->daemon) {
        free(net);
        return al_fail(err, AL_IO, "libmicrohttpd does not start");
    }
    s = sv_drive_start(net, err);
    if (s != AL_OK) {
        MHD_stop_daemon(net->daemon);
        free(net);
        return s;
    }
    *ret = net;
    return AL_OK;
}

void *sv_net_user(const struct sv_net *net)
{
    return net->p.user;
}

const struct sv_net_counts *sv_net_counts(const struct sv_net *net)
{
    return &net->counts;
}

void sv_net_set_limits(struct sv_net *net, const struct sv_net_limits *limits)
{
    net->p.limits = *limits;
}

void sv_net_drain(struct sv_net *net)
{
    net->draining = true;
}

bool sv_net_is_quiet(const struct sv_net *net)
{
    return net->counts.exchanges_open == 0 && !sv_conn_any_unread(net);
}

void sv_net_close(struct sv_net *net)
{
    sv_drive_close(net);
    MHD_stop_daemon(net->daemon);
    net->daemon = NULL;
}

void sv_net_free(struct sv_net *net)
{
    free(net);
}
