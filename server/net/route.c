#include "server/net/route.h"

#include <stdio.h>
#include <string.h>

enum sv_method sv_method_find(const char *name)
{
#define X(id, bit, text)         \
    if (strcmp(name, text) == 0) \
        return SV_##id;
    SV_METHOD_LIST(X)
#undef X
    return SV_NO_METHOD;
}

const char *sv_methods_text(unsigned methods, char *buf, size_t size)
{
    size_t used = 0;

    buf[0] = '\0';
#define X(id, bit, text)                                                           \
    if ((methods & (bit)) && used < size) {                                        \
        int n = snprintf(buf + used, size - used, "%s%s", used ? ", " : "", text); \
        used += n > 0 ? (size_t)n : 0;                                             \
    }
    SV_METHOD_LIST(X)
#undef X
    return buf;
}

/* Copies the part of `*path` up to '/', ':' or `end` and moves past it. */
static bool capture(const char **path, const char *end, struct sv_route_args *args)
{
    size_t n = 0;

    while (*path + n < end && (*path)[n] != '/' && (*path)[n] != ':')
        n++;
    if (n == 0 || n > SV_ROUTE_ARG_MAX || args->n == SV_ROUTE_ARGS)
        return false;
    memcpy(args->value[args->n], *path, n);
    args->value[args->n++][n] = '\0';
    *path += n;
    return true;
}

static bool matches(const char *pattern, const char *path, const char *end,
                    struct sv_route_args *args)
{
    args->n = 0;
    while (*pattern) {
        if (*pattern == '{') {
            if (!capture(&path, end, args))
                return false;
            pattern = strchr(pattern, '}') + 1;
        } else if (path < end && *pattern == *path) {
            pattern++;
            path++;
        } else {
            return false;
        }
    }
    return path == end;
}

const struct sv_route *sv_route_find(const struct sv_route *routes, size_t n_routes,
                                     enum sv_method method, const char *path,
                                     struct sv_route_args *ret_args,
                                     unsigned *ret_methods)
{
    size_t length = strlen(path);
    const char *end = path + length - (length > 1 && path[length - 1] == '/');

    *ret_methods = 0;
    for (size_t i = 0; i < n_routes; i++) {
        if (!matches(routes[i].pattern, path, end, ret_args))
            continue;
        unsigned serves = routes[i].methods | (routes[i].methods & SV_GET ? SV_HEAD : 0);
        if (serves & method)
            return &routes[i];
        *ret_methods |= serves;
    }
    return NULL;
}
