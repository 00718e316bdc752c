/* drive.c — keeps libmicrohttpd going from the libuv loop.
 *
 * libmicrohttpd in external mode acts only inside MHD_run(). It is called when its epoll
 * descriptor is readable, when its timeout has passed, and again while it says that it
 * has more to do at once (timeout 0) — ignoring that hangs every large upload. But it
 * says so for as long as an exchange lingers (park.c), and a client can make it say so
 * for ever, by a chunk line that does not fit the read buffer: in these cases a pass that
 * got nowhere ends the drive, and the next one comes with an event or a little later.
 * Connections that stall are cut. */
#include "server/net/internal.h"

#define MAX_RUNS       8 /* then other handles of the loop get their turn */
#define STALL_PAUSE_MS 5
#define LINGER_LOOK_MS 1
#define STALL_LOOK_NS  25000000U /* at most this often: it looks at every connection */
#define SWEEP_MS       250

static void on_timer(uv_timer_t *timer)
{
    sv_net_drive(timer->data);
}

static void on_idle(uv_idle_t *idle)
{
    sv_net_drive(idle->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    sv_net_drive(poll->data);
}

static void on_sweep(uv_timer_t *timer)
{
    struct sv_net *net = timer->data;

    net->driving = true; /* what the sweep answers must not change the list under it */
    sv_conn_sweep(net);
    net->driving = false;
    sv_net_drive(net);
}

static void wait_for_event(struct sv_net *net)
{
    uv_timer_stop(&net->timer);
    uv_idle_stop(&net->idle);
}

static void wait_ms(struct sv_net *net, uint64_t ms)
{
    uv_idle_stop(&net->idle);
    uv_timer_start(&net->timer, on_timer, ms, 0);
}

static void go_on_at_once(struct sv_net *net)
{
    uv_timer_stop(&net->timer);
    uv_idle_start(&net->idle, on_idle);
}

/* Exchanges that linger for long are suspended in the next pass, which is also the one
 * for a connection that has got on without telling: headers of several buffers. */
static void rest_a_little(struct sv_net *net)
{
    if (net->n_chunked && net->now_ns - net->looked_ns >= STALL_LOOK_NS) {
        net->looked_ns = net->now_ns;
        sv_conn_cut_stalled(net);
    }
    wait_ms(net, net->n_lingering ? LINGER_LOOK_MS : STALL_PAUSE_MS);
}

/* One pass of libmicrohttpd. False: it has nothing to do before the next event, or says
 * it has but got nowhere. */
static bool run_once(struct sv_net *net)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    uint64_t before = net->progress;

    net->drive_again = false;
    net->now_ns = uv_hrtime();
    (void)MHD_run(net->daemon);
    net->p.flush(net->p.user);
    if (net->drive_again)
        return true;
    if (MHD_get_timeout(net->daemon, &timeout_ms) != MHD_YES) {
        wait_for_event(net);
        return false;
    }
    if (timeout_ms > 0) {
        wait_ms(net, timeout_ms);
        return false;
    }
    if ((net->n_chunked || net->n_lingering) && net->progress == before) {
        rest_a_little(net);
        return false;
    }
    return true;
}

void sv_net_drive(struct sv_net *net)
{
    int runs = 0;

    net->drive_again = true; /* for the one that is driving already */
    if (net->driving || !net->daemon)
        return;
    net->driving = true;
    while (runs < MAX_RUNS && run_once(net))
        runs++;
    net->driving = false;
    if (runs == MAX_RUNS)
        go_on_at_once(net);
}

enum al_status sv_drive_start(struct sv_net *net, struct al_error *err)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(net->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int rc = uv_poll_init(net->p.loop, &net->poll, info->epoll_fd);

    if (rc != 0)
        return al_fail(err, AL_IO, "polling libmicrohttpd: %s", uv_strerror(rc));
    (void)uv_timer_init(net->p.loop, &net->timer);
    (void)uv_timer_init(net->p.loop, &net->sweep);
    (void)uv_idle_init(net->p.loop, &net->idle);
    net->poll.data = net->timer.data = net->sweep.data = net->idle.data = net;
    (void)uv_poll_start(&net->poll, UV_READABLE, on_poll);
    (void)uv_timer_start(&net->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    return AL_OK;
}

void sv_drive_close(struct sv_net *net)
{
    uv_close((uv_handle_t *)&net->poll, NULL);
    uv_close((uv_handle_t *)&net->timer, NULL);
    uv_close((uv_handle_t *)&net->sweep, NULL);
    uv_close((uv_handle_t *)&net->idle, NULL);
}
