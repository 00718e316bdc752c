/* status.h — what a caller can do about a failure, and what happened. No state; any
 * thread. */
#ifndef AL_BASE_STATUS_H
#define AL_BASE_STATUS_H

/* One row a status: name, HTTP status the server answers with, short text. */
#define AL_STATUS_LIST(X)                \
    X(OK, 200, "ok")                     \
    X(INVALID, 400, "invalid argument")  \
    X(NOT_FOUND, 404, "not found")       \
    X(TOO_LARGE, 413, "limit exceeded")  \
    X(UNSUPPORTED, 415, "not supported") \
    X(OVERLOADED, 503, "overloaded")     \
    X(TIMEOUT, 504, "deadline exceeded") \
    X(UNAVAILABLE, 503, "not ready")     \
    X(NO_MEMORY, 503, "out of memory")   \
    X(IO, 500, "input/output error")     \
    X(INTERNAL, 500, "internal error")

enum al_status {
#define X(name, http, text) AL_##name,
    AL_STATUS_LIST(X)
#undef X
};

#define AL_ERROR_TEXT_MAX 512

/* Detail of one failure. Filled by the function that first noticed it; callers only
 * prefix it with what they were doing. May be NULL wherever it is a parameter. */
struct al_error {
    enum al_status status;
    char text[AL_ERROR_TEXT_MAX];
};

#define AL_MUST_CHECK   __attribute__((warn_unused_result))
#define AL_PRINTF(f, a) __attribute__((format(printf, f, a)))

const char *al_status_text(enum al_status s);
int al_status_http(enum al_status s);

/* Both return `s`, so a failing path is one line: return al_fail(err, ...). */
enum al_status al_fail(struct al_error *err, enum al_status s, const char *fmt, ...)
    AL_PRINTF(3, 4);
enum al_status al_error_prefix(struct al_error *err, enum al_status s, const char *fmt,
                               ...) AL_PRINTF(3, 4);

#endif
