/* settings.c — what the configuration says to each part, and texts that the bounds of
 * the table cannot check. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "engine/engine.h"
#include "server/app/app.h"
#include "server/app/versions.h"

#define NS_PER_MS   UINT64_C(1000000)
#define OTHER_FILES 64 /* log, models being read, epoll, name service */

/* Clients are compared with the list as text: it has to be written as they are. */
static enum al_status check_proxy(const char *name, struct al_error *err)
{
    unsigned char address[sizeof(struct in6_addr)];
    int family = strchr(name, ':') ? AF_INET6 : AF_INET;
    char text[INET6_ADDRSTRLEN];

    if (strcmp(name, SV_UNIX_PEER) == 0)
        return AL_OK;
    if (inet_pton(family, name, address) != 1)
        return al_fail(err, AL_INVALID, "trusted_proxies: '%.64s' is no address", name);
    (void)inet_ntop(family, address, text, sizeof(text));
    if (strcmp(text, name) != 0)
        return al_fail(err, AL_INVALID, "trusted_proxies: '%.64s' is written '%s'", name,
                       text);
    return AL_OK;
}

static enum al_status check_proxies(const char *list, struct al_error *err)
{
    char *copy = strdup(list), *save = NULL;
    enum al_status s = copy ? AL_OK : al_fail(err, AL_NO_MEMORY, "trusted_proxies");

    for (char *one = copy ? strtok_r(copy, ", ", &save) : NULL; one && s == AL_OK;
         one = strtok_r(NULL, ", ", &save))
        s = check_proxy(one, err);
    free(copy);
    return s;
}

enum al_status sv_settings_check(const struct sv_config *c, struct al_error *err)
{
    unsigned mask;

    if (sv_level_find(c->log_level) == SV_N_LEVELS)
        return al_fail(err, AL_INVALID,
                       "log_level: '%s' is none of error, warning, info, debug",
                       c->log_level);
    if (strcmp(c->log_format, "json") != 0 && strcmp(c->log_format, "logfmt") != 0)
        return al_fail(err, AL_INVALID, "log_format: '%s' is neither logfmt nor json",
                       c->log_format);
    if (!al_engine_cpu_mask(c->cpu_mask, &mask))
        return al_fail(
            err, AL_INVALID,
            "cpu_mask: '%s' is none of native, scalar, avx2, avx512, avx512_bf16, amx",
            c->cpu_mask);
    if (c->precision[0] && al_precision_find(c->precision) == AL_N_PRECISIONS)
        return al_fail(err, AL_INVALID,
                       "precision: '%s' is none of strict, default, bf16", c->precision);
    if (sv_versions_check(c->versions, err) != AL_OK ||
        check_proxies(c->trusted_proxies, err) != AL_OK)
        return AL_INVALID;
    return sv_listen_check(c->listen, err);
}

/* Connections that there are descriptors for, with some left for everything else. */
static size_t affordable(size_t wanted)
{
    struct rlimit files;
    size_t most;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
        return wanted;
    most = files.rlim_cur > 2 * OTHER_FILES ? files.rlim_cur - OTHER_FILES
                                            : files.rlim_cur / 2;
    return wanted < most ? wanted : most;
}

struct sv_net_limits sv_net_limits_of(const struct sv_config *c)
{
    return (struct sv_net_limits){
        .max_connections = affordable(c->max_connections),
        .connection_memory_bytes = c->max_header_bytes,
        .memory_increment_bytes = c->max_header_bytes / 4,
        .max_body_bytes = c->max_body_bytes,
        .max_bodies_bytes = c->max_bodies_bytes,
        .max_chunks = c->max_chunks,
        .header_timeout_ns = c->header_timeout_ms * NS_PER_MS,
        .body_timeout_ns = c->body_timeout_ms * NS_PER_MS,
        .idle_timeout_ns = c->idle_timeout_ms * NS_PER_MS,
        .write_timeout_ns = c->write_timeout_ms * NS_PER_MS,
        .trusted_proxies = c->trusted_proxies,
    };
}

struct sv_decode_limits sv_decode_limits_of(const struct sv_config *c)
{
    return (struct sv_decode_limits){
        .image = { .max_side = (uint32_t)c->max_image_side,
                   .max_pixels = c->max_image_pixels },
        .max_rows = c->max_request_rows,
        .json = { .max_depth = c->max_json_depth, .max_values = c->max_json_values },
        .max_body_bytes = c->max_body_bytes,
        .max_deadline_ns = c->deadline_ms * NS_PER_MS,
    };
}
