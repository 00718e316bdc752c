#include "server/app/bell.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct sv_bell *bell = poll->data;
    eventfd_t count;

    (void)status;
    (void)events;
    (void)eventfd_read(bell->fd, &count);
    bell->rung(bell->arg);
}

enum al_status sv_bell_init(struct sv_bell *bell, uv_loop_t *loop,
                            void (*rung)(void *arg), void *arg, struct al_error *err)
{
    int rc;

    bell->rung = rung;
    bell->arg = arg;
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell->fd < 0)
        return al_fail(err, AL_IO, "eventfd: %s", strerror(errno));
    rc = uv_poll_init(loop, &bell->poll, bell->fd);
    if (rc != 0) {
        (void)close(bell->fd);
        return al_fail(err, AL_IO, "polling an eventfd: %s", uv_strerror(rc));
    }
    bell->poll.data = bell;
    (void)uv_poll_start(&bell->poll, UV_READABLE, on_poll); /* of a new handle: 0 */
    return AL_OK;
}

void sv_bell_ring(struct sv_bell *bell)
{
    (void)eventfd_write(bell->fd, 1);
}

static void on_closed(uv_handle_t *poll)
{
    struct sv_bell *bell = poll->data;

    (void)close(bell->fd);
}

void sv_bell_close(struct sv_bell *bell)
{
    uv_close((uv_handle_t *)&bell->poll, on_closed);
}
