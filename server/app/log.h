/* log.h — one structured line an event, logfmt or JSON, one write each. Any thread. */
#ifndef SV_APP_LOG_H
#define SV_APP_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SV_LEVEL_LIST(X)  \
    X(ERROR, "error")     \
    X(WARNING, "warning") \
    X(INFO, "info")       \
    X(DEBUG, "debug")

enum sv_level {
#define X(id, name) SV_##id,
    SV_LEVEL_LIST(X)
#undef X
    SV_N_LEVELS
};

struct sv_log {
    int fd;
    bool json;
    atomic_int level; /* enum sv_level: what is less urgent is dropped */
};

/* "2026-01-31T23:59:59.999Z", now, into `buf`. */
#define SV_LOG_TIME_BYTES 32
const char *sv_log_time(char *buf);

enum sv_level sv_level_find(const char *name); /* SV_N_LEVELS: unknown */

struct sv_field {
    const char *key;  /* NULL: the end */
    const char *text; /* NULL: a number */
    double number;
};

static inline struct sv_field sv_text_field(const char *key, const char *text)
{
    return (struct sv_field){ key, text ? text : "", 0 };
}

#define SV_TEXT(k, v) sv_text_field((k), (v))
#define SV_NUMBER(k, v)     \
    (struct sv_field)       \
    {                       \
        (k), 0, (double)(v) \
    }

/* Fields follow the event's name, ended by { 0 }. */
void sv_log_fields(struct sv_log *log, enum sv_level level, const char *event,
                   const struct sv_field *fields);
#define sv_log(log, level, ...) SV_LOG_((log), (level), __VA_ARGS__, { 0 })
#define SV_LOG_(log, level, event, ...) \
    sv_log_fields((log), (level), (event), (const struct sv_field[]){ __VA_ARGS__ })

#endif
