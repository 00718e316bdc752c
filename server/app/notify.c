/* The environment is read before or on the loop thread, and never written. */
/* NOLINTBEGIN(concurrency-mt-unsafe) */
#include "server/app/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_INHERITED 64

void sv_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = path ? strlen(path) : 0;
    int fd;

    if (length < 2 || length >= sizeof(address.sun_path) ||
        (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                          (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));

    (void)sent; /* a manager that does not listen must not stop us */
    (void)close(fd);
}

/* Whether the variable `name`, when set, names this process. */
static int is_for_us(const char *name)
{
    const char *pid = getenv(name);

    return !pid || strtol(pid, NULL, 10) == (long)getpid();
}

uint64_t sv_watchdog_ns(void)
{
    const char *usec = getenv("WATCHDOG_USEC");

    if (!usec || !is_for_us("WATCHDOG_PID"))
        return 0;
    return strtoull(usec, NULL, 10) * 1000;
}

size_t sv_inherited_sockets(void)
{
    const char *count = getenv("LISTEN_FDS");
    long n = count && getenv("LISTEN_PID") && is_for_us("LISTEN_PID")
                 ? strtol(count, NULL, 10)
                 : 0;

    return n > 0 && n <= MAX_INHERITED ? (size_t)n : 0;
}
/* NOLINTEND(concurrency-mt-unsafe) */
