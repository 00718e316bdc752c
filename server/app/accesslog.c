#include "server/app/accesslog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/app/log.h"
#include "server/net/exchange.h"
#include "server/proto/text.h"

#define FLUSH_BYTES 65536
#define FLUSH_MS    1000

struct sv_access_log {
    char *path;
    bool json;
    int fd;
    uv_timer_t timer;
    struct sv_text lines;
};

static int open_file(const char *path)
{
    if (strcmp(path, "-") == 0)
        return STDERR_FILENO;
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static void close_file(struct sv_access_log *l)
{
    if (l->fd != STDERR_FILENO)
        (void)close(l->fd);
}

static void flush(struct sv_access_log *l)
{
    ssize_t n = l->lines.size ? write(l->fd, l->lines.data, l->lines.size) : 0;

    (void)n; /* a full disk must not stop the answers */
    l->lines.size = 0;
    l->lines.failed = false;
}

static void on_timer(uv_timer_t *timer)
{
    flush(timer->data);
}

enum al_status sv_access_log_new(uv_loop_t *loop, const char *path, bool json,
                                 struct sv_access_log **ret, struct al_error *err)
{
    struct sv_access_log *l = calloc(1, sizeof(*l));

    if (!l || !(l->path = strdup(path))) {
        free(l);
        return al_fail(err, AL_NO_MEMORY, "access log");
    }
    l->json = json;
    l->fd = open_file(path);
    if (l->fd < 0) {
        enum al_status s =
            al_fail(err, AL_IO, "access log '%s': %s", path, strerror(errno));

        free(l->path);
        free(l);
        return s;
    }
    (void)uv_timer_init(loop, &l->timer);
    l->timer.data = l;
    (void)uv_timer_start(&l->timer, on_timer, FLUSH_MS, FLUSH_MS);
    *ret = l;
    return AL_OK;
}

void sv_access_log_close(struct sv_access_log *l)
{
    if (!l)
        return;
    flush(l);
    uv_close((uv_handle_t *)&l->timer, NULL);
}

void sv_access_log_free(struct sv_access_log *l)
{
    if (!l)
        return;
    close_file(l);
    sv_text_done(&l->lines);
    free(l->path);
    free(l);
}

enum al_status sv_access_log_reopen(struct sv_access_log *l, struct al_error *err)
{
    int fd = l ? open_file(l->path) : -1;

    if (!l)
        return AL_OK;
    if (fd < 0) /* better the old file than none */
        return al_fail(err, AL_IO, "access log '%s': %s", l->path, strerror(errno));
    flush(l);
    close_file(l);
    l->fd = fd;
    return AL_OK;
}

static void put(struct sv_access_log *l, const char *key, const char *value)
{
    sv_text_printf(&l->lines, l->json ? ",\"%s\":" : " %s=", key);
    sv_text_quote(&l->lines, value);
}

/* Where the time of an answer of a model went, as its client was told. */
static const char *timing_of(const struct sv_exchange *x)
{
    for (size_t i = 0; i < x->reply.n_headers; i++)
        if (strcmp(x->reply.headers[i].name, SV_TIMING_HEADER) == 0)
            return x->reply.headers[i].value;
    return NULL;
}

void sv_access_log_add(struct sv_access_log *l, const struct sv_exchange *x, bool sent)
{
    const char *trace = sv_exchange_header(x, "traceparent"), *timing = timing_of(x);
    char time[SV_LOG_TIME_BYTES], client[64], method[16];

    sv_text_printf(&l->lines, l->json ? "{\"time\":\"%s\"" : "time=%s",
                   sv_log_time(time));
    put(l, "client", sv_exchange_client(x, client, sizeof(client)));
    put(l, "method", sv_methods_text(x->method, method, sizeof(method)));
    put(l, "uri", x->uri);
    sv_text_printf(&l->lines,
                   l->json ? ",\"status\":%d,\"bytes_in\":%zu,\"bytes_out\":%zu,"
                             "\"us\":%llu,\"sent\":%s"
                           : " status=%d bytes_in=%zu bytes_out=%zu us=%llu sent=%s",
                   x->reply.status, x->body_size, x->reply.size,
                   (unsigned long long)((uv_hrtime() - x->start_ns) / 1000),
                   sent ? "true" : "false");
    put(l, "request_id", x->request_id);
    if (timing)
        put(l, "timing_ms", timing);
    if (trace)
        put(l, "traceparent", trace);
    sv_text_str(&l->lines, l->json ? "}\n" : "\n");
    if (l->lines.size >= FLUSH_BYTES)
        flush(l);
}
