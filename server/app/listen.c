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

#define BACKLOG     4096
#define UNIX        "unix:"
#define MAX_ADDRESS 128

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
    s = fail_errno(err, "bind and listen");
    (void)close(fd);
    return s;
}

/* Whether somebody accepts connections there, or would if his backlog had room. */
static bool answers(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 ||
                           errno == EAGAIN);

    if (fd >= 0)
        (void)close(fd);
    return yes;
}

static enum al_status listen_unix(const char *path, int *ret, struct al_error *err)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct stat st;

    memcpy(a.sun_path, path, strlen(path) + 1); /* check_one saw that it fits */
    if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        if (answers(&a))
            return al_fail(err, AL_IO, "in use by another server");
        (void)unlink(path); /* of a server that is gone */
    }
    return bind_and_listen(AF_UNIX, (struct sockaddr *)&a, sizeof(a), ret, err);
}

/* "HOST:PORT" or "[V6]:PORT"; an empty host is every interface. */
static enum al_status listen_inet(char *text, int *ret, struct al_error *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    struct addrinfo *found = NULL;
    char *colon = strrchr(text, ':'), *host = text; /* check_one saw the colon */
    enum al_status s;
    int rc;

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

static enum al_status check_one(const char *text, struct al_error *err)
{
    size_t max_path = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    const char *colon = strrchr(text, ':');
    size_t n_digits = colon ? strspn(colon + 1, "0123456789") : 0;

    if (strncmp(text, UNIX, strlen(UNIX)) == 0)
        return strlen(text) - strlen(UNIX) <= max_path
                   ? AL_OK
                   : al_fail(err, AL_INVALID, "the path is longer than %zu bytes",
                             max_path);
    if (strlen(text) >= MAX_ADDRESS)
        return al_fail(err, AL_INVALID, "longer than %d bytes", MAX_ADDRESS - 1);
    if (!colon || colon[1] == '\0')
        return al_fail(err, AL_INVALID, "no port: HOST:PORT was expected");
    if (colon[1 + n_digits] == '\0' && strtoul(colon + 1, NULL, 10) > UINT16_MAX)
        return al_fail(err, AL_INVALID, "port %s is more than %d", colon + 1, UINT16_MAX);
    return AL_OK;
}

/* Binds `text` into `ret`, or only looks at it when that is NULL. */
static enum al_status listen_one(const char *text, struct sv_bound *ret,
                                 struct al_error *err)
{
    char copy[MAX_ADDRESS];
    enum al_status s = check_one(text, err);

    (void)snprintf(copy, sizeof(copy), "%s", text);
    if (s == AL_OK && ret)
        s = strncmp(copy, UNIX, strlen(UNIX)) == 0
                ? listen_unix(copy + strlen(UNIX), &ret->fd, err)
                : listen_inet(copy, &ret->fd, err);
    if (s != AL_OK)
        return al_error_prefix(err, s, "listen: address '%.80s'", text);
    if (ret) {
        ret->is_ours = true;
        describe(ret);
    }
    return AL_OK;
}

static enum al_status each(const char *list, struct sv_bound *ret, size_t *ret_n,
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
            s = listen_one(one, ret ? &ret[n] : NULL, err);
        n += s == AL_OK;
    }
    if (s == AL_OK && n == 0)
        s = al_fail(err, AL_INVALID, "listen: no address");
    free(copy);
    *ret_n = n;
    return s;
}

enum al_status sv_listen_check(const char *list, struct al_error *err)
{
    size_t n;

    return each(list, NULL, &n, err);
}

enum al_status sv_listen_all(const char *list, struct sv_bound *ret, size_t *ret_n,
                             struct al_error *err)
{
    enum al_status s = each(list, ret, ret_n, err);

    if (s == AL_OK)
        return s;
    sv_listen_forget(ret, *ret_n);
    while (*ret_n > 0)
        (void)close(ret[--*ret_n].fd);
    return s;
}

void sv_listen_forget(const struct sv_bound *bound, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sockaddr_un a;
        socklen_t size = sizeof(a);

        if (bound[i].is_ours &&
            getsockname(bound[i].fd, (struct sockaddr *)&a, &size) == 0 &&
            a.sun_family == AF_UNIX)
            (void)unlink(a.sun_path);
    }
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
        ret[i].is_ours = false;
        describe(&ret[i]);
    }
    return AL_OK;
}
