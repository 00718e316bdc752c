#include "server/app/log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/proto/text.h"

static const char *const level_names[] = {
#define X(id, name) [SV_##id] = (name),
    SV_LEVEL_LIST(X)
#undef X
};

enum sv_level sv_level_find(const char *name)
{
    for (int i = 0; i < SV_N_LEVELS; i++)
        if (strcmp(level_names[i], name) == 0)
            return (enum sv_level)i;
    return SV_N_LEVELS;
}

static bool is_plain(const char *text)
{
    size_t n = strspn(text,
                      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                      "0123456789._-/:+@");

    return n > 0 && text[n] == '\0';
}

static void add_text(struct sv_text *t, bool json, const char *key, const char *value)
{
    if (t->size > (json ? 1U : 0U))
        sv_text_str(t, json ? "," : " ");
    if (json)
        sv_text_quote(t, key);
    else
        sv_text_str(t, key);
    sv_text_str(t, json ? ":" : "=");
    if (!json && is_plain(value))
        sv_text_str(t, value);
    else
        sv_text_quote(t, value);
}

static void add_number(struct sv_text *t, bool json, const char *key, double value)
{
    sv_text_printf(t, json ? ",\"%s\":" : " %s=", key);
    sv_text_number(t, value, fabs(value) < 1e15 ? 15 : 17);
}

const char *sv_log_time(char *buf)
{
    struct timespec now;
    struct tm tm;
    size_t n;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &tm);
    n = strftime(buf, SV_LOG_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(buf + n, SV_LOG_TIME_BYTES - n, ".%03uZ",
                   (unsigned)(now.tv_nsec / 1000000) % 1000);
    return buf;
}

void sv_log_fields(struct sv_log *log, enum sv_level level, const char *event,
                   const struct sv_field *fields)
{
    struct sv_text t = { 0 };
    bool json = log->json;
    char time[SV_LOG_TIME_BYTES];

    if ((int)level > atomic_load_explicit(&log->level, memory_order_relaxed))
        return;
    if (json)
        sv_text_str(&t, "{");
    add_text(&t, json, "time", sv_log_time(time));
    add_text(&t, json, "level", level_names[level]);
    add_text(&t, json, "event", event);
    for (; fields->key; fields++) {
        if (fields->text)
            add_text(&t, json, fields->key, fields->text);
        else
            add_number(&t, json, fields->key, fields->number);
    }
    sv_text_str(&t, json ? "}\n" : "\n");
    ssize_t written = t.failed ? 0 : write(log->fd, t.data, t.size);

    (void)written; /* nobody left to tell */
    sv_text_done(&t);
}
