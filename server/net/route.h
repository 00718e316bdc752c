/* route.h — method and path to handler, by one table. Pure. */
#ifndef SV_NET_ROUTE_H
#define SV_NET_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

/* One row a method: enum name, bit, name on the wire. HEAD is served wherever GET is. */
#define SV_METHOD_LIST(X)   \
    X(GET, 1, "GET")        \
    X(HEAD, 2, "HEAD")      \
    X(POST, 4, "POST")      \
    X(PUT, 8, "PUT")        \
    X(DELETE, 16, "DELETE") \
    X(OPTIONS, 32, "OPTIONS")

enum sv_method {
    SV_NO_METHOD = 0,
#define X(id, bit, name) SV_##id = (bit),
    SV_METHOD_LIST(X)
#undef X
};

#define SV_ROUTE_ARG_MAX 127 /* bytes of one captured part of the path */
#define SV_ROUTE_ARGS    2

/* Captured parts, in the order of the pattern: the model, the version. */
struct sv_route_args {
    size_t n;
    char value[SV_ROUTE_ARGS][SV_ROUTE_ARG_MAX + 1];
};

struct sv_exchange;

/* `pattern`: literal text with {name} for a part that runs to the next '/' or ':'. */
struct sv_route {
    unsigned methods; /* of enum sv_method */
    const char *pattern;
    void (*handle)(struct sv_exchange *x);
    const char *summary; /* for openapi.json */
};

enum sv_method sv_method_find(const char *name);

/* The route that serves `path`, or NULL; then `*ret_methods` says which methods the path
 * has (0: no such path). One trailing slash is ignored. */
const struct sv_route *sv_route_find(const struct sv_route *routes, size_t n_routes,
                                     enum sv_method method, const char *path,
                                     struct sv_route_args *ret_args,
                                     unsigned *ret_methods);
/* "GET, HEAD, POST" into `buf`, cut to fit. */
const char *sv_methods_text(unsigned methods, char *buf, size_t size);

#endif
