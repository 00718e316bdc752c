#include "server/app/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/app/notify.h"

#define BACKLOG 4096

static enum al_status fail_errno(struct al_error *err, const char *what)
{
    return al_fail(err, AL_IO, "%s: %s", what, strerror(errno));
}

static void describe(struct sv_bound *b)
{
    struct sockaddr_storage a = { 0 };
    socklen_t size = sizeof(a);
    char host[INET6_ADDRSTRLEN] = "?";

    (void)getsockname(b->fd, (struct sockaddr *)&a, &size);
    if (a.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a;

        (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        (void)snprintf(b->address, sizeof(b->address), "%s:%u", host,
                       ntohs(in->sin_port));
    } else if (a.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&a;

        (void)inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
        (void)snprintf(b->address, sizeof(b->address), "[%s]:%u", host,
                       ntohs(in->sin6_port));
    } else {
        (void)snprintf(b->address, sizeof(b->address), "unix:%.100s",
                       ((const struct sockaddr_un *)&a)->sun_path);
    }
}

static enum al_status bind_and_listen(int family, const struct sockaddr *address,
                                      socklen_t size, int *ret, struct al_error *err)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    enum al_status s;

    if (fd < 0)
        return fail_errno(err, "socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address, size) == 0 && listen(fd, BACKLOG) == 0) {
        *ret = fd;
        return AL_OK;
    }
    s = fail_errno(err, "bind");
    (void)close(fd);
    return s;
}

static enum al_status listen_unix(const char *path, int *ret, struct al_error *err)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct stat st;

    if (strlen(path) >= sizeof(a.sun_path))
        return al_fail(err, AL_INVALID, "the path is longer than %zu bytes",
                       sizeof(a.sun_path) - 1);
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path); /* of a server that is gone */
    return bind_and_listen(AF_UNIX, (struct sockaddr *)&a, sizeof(a), ret, err);
}

/* "HOST:PORT" or "[V6]:PORT"; an empty host is every interface. */
static enum al_status listen_inet(char *text, int *ret, struct al_error *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    struct addrinfo *found = NULL;
    char *colon = strrchr(text, ':'), *host = text;
    enum al_status s;
    int rc;

    if (!colon || colon[1] == '\0')
        return al_fail(err, AL_INVALID, "no port: HOST:PORT was expected");
    *colon = '\0';
    if (*host == '[' && colon > host + 1 && colon[-1] == ']') {
        host++;
        colon[-1] = '\0';
    }
    rc = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &found);
    if (rc != 0)
        return al_fail(err, AL_INVALID, "%s", gai_strerror(rc));
    s = bind_and_listen(found->ai_family, found->ai_addr, found->ai_addrlen, ret, err);
    freeaddrinfo(found);
    return s;
}

static enum al_status listen_one(const char *text, struct sv_bound *ret,
                                 struct al_error *err)
{
    char copy[128];
    enum al_status s;

    if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
        return al_fail(err, AL_INVALID, "address '%.40s…' is too long", text);
    s = strncmp(copy, "unix:", 5) == 0 ? listen_unix(copy + 5, &ret->fd, err)
                                       : listen_inet(copy, &ret->fd, err);
    if (s != AL_OK)
        return al_error_prefix(err, s, "address '%s'", text);
    describe(ret);
    return AL_OK;
}

enum al_status sv_listen_all(const char *list, struct sv_bound *ret, size_t *ret_n,
                             struct al_error *err)
{
    char *copy = strdup(list), *save = NULL;
    size_t n = 0;
    enum al_status s = copy ? AL_OK : al_fail(err, AL_NO_MEMORY, "addresses");

    for (char *one = copy ? strtok_r(copy, ", ", &save) : NULL; one && s == AL_OK;
         one = strtok_r(NULL, ", ", &save)) {
        if (n == SV_MAX_LISTENERS)
            s = al_fail(err, AL_INVALID, "listen: more than %d addresses",
                        SV_MAX_LISTENERS);
        else
            s = listen_one(one, &ret[n], err);
        n += s == AL_OK;
    }
    if (s == AL_OK && n == 0)
        s = al_fail(err, AL_INVALID, "listen: no address");
    while (s != AL_OK && n > 0)
        (void)close(ret[--n].fd);
    free(copy);
    *ret_n = n;
    return s;
}

enum al_status sv_listen_inherited(size_t n, struct sv_bound *ret, struct al_error *err)
{
    for (size_t i = 0; i < n; i++) {
        int fd = SV_INHERITED_FD + (int)i, listens = 0;
        socklen_t size = sizeof(listens);

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens)
            return al_fail(err, AL_INVALID, "inherited descriptor %d does not listen",
                           fd);
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        ret[i].fd = fd;
        describe(&ret[i]);
    }
    return AL_OK;
}
