#include "server/net/exchange.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/net/internal.h"

const char *sv_exchange_header(const struct sv_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, name);
}

struct each_query {
    bool (*fn)(void *arg, const char *key, const char *value);
    void *arg;
};

static enum MHD_Result on_query(void *cls, enum MHD_ValueKind kind, const char *key,
                                const char *value)
{
    struct each_query *e = cls;

    (void)kind;
    return e->fn(e->arg, key, value) ? MHD_YES : MHD_NO;
}

void sv_exchange_each_query(const struct sv_exchange *x,
                            bool (*fn)(void *arg, const char *key, const char *value),
                            void *arg)
{
    struct each_query e = { fn, arg };

    (void)MHD_get_connection_values(x->mhd, MHD_GET_ARGUMENT_KIND, on_query, &e);
}

/* An IPv4 client of a socket of both families is written as IPv4. */
static void peer_text(const struct sockaddr_storage *peer, char *buf, size_t size)
{
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)peer)->sin6_addr;
    const char *text = NULL;

    if (peer->ss_family == AF_INET)
        text = inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, buf,
                         (socklen_t)size);
    else if (peer->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6))
        text = inet_ntop(AF_INET, &v6->s6_addr[12], buf, (socklen_t)size);
    else if (peer->ss_family == AF_INET6)
        text = inet_ntop(AF_INET6, v6, buf, (socklen_t)size);
    if (!text)
        (void)snprintf(buf, size, SV_UNIX_PEER);
}

/* Whether `name` is one of the comma-separated `list`. */
static bool is_listed(const char *name, const char *list)
{
    size_t n = strlen(name);

    while (*list) {
        size_t length = strcspn(list, ", ");

        if (length == n && strncmp(list, name, n) == 0)
            return true;
        list += length;
        list += strspn(list, ", ");
    }
    return false;
}

struct forwarded {
    char *buf;
    size_t size;
};

/* A proxy may append a second header line instead of to the first: the last word counts,
 * it is the one the trusted proxy wrote. */
static enum MHD_Result on_forwarded(void *cls, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    struct forwarded *f = cls;
    const char *last;

    (void)kind;
    if (strcasecmp(key, "X-Forwarded-For") != 0 || !value)
        return MHD_YES;
    last = strrchr(value, ',');
    last = last ? last + 1 : value;
    last += strspn(last, " ");
    size_t length = strspn(last, "0123456789abcdefABCDEF.:");

    if (length > 0 && length < f->size && last[length] == '\0')
        (void)snprintf(f->buf, f->size, "%s", last);
    return MHD_YES;
}

const char *sv_exchange_client(const struct sv_exchange *x, char *buf, size_t size)
{
    struct forwarded f = { buf, size };

    peer_text(&x->conn->peer, buf, size);
    if (is_listed(buf, x->net->p.limits.trusted_proxies))
        (void)MHD_get_connection_values(x->mhd, MHD_HEADER_KIND, on_forwarded, &f);
    return buf;
}
