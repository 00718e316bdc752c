#include "engine/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int http;
    const char *text;
} status_info[] = {
#define X(name, http, text) [AL_##name] = { http, text },
    AL_STATUS_LIST(X)
#undef X
};

const char *al_status_text(enum al_status s)
{
    return status_info[s].text;
}

int al_status_http(enum al_status s)
{
    return status_info[s].http;
}

enum al_status al_fail(struct al_error *err, enum al_status s, const char *fmt, ...)
{
    if (err) {
        va_list ap;

        va_start(ap, fmt);
        err->status = s;
        (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
    }
    return s;
}

enum al_status al_error_prefix(struct al_error *err, enum al_status s, const char *fmt,
                               ...)
{
    if (err) {
        char cause[AL_ERROR_TEXT_MAX];
        va_list ap;

        memcpy(cause, err->text, sizeof(cause));
        cause[sizeof(cause) - 1] = '\0';
        va_start(ap, fmt);
        int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
        err->status = s;
        if (n >= 0 && (size_t)n < sizeof(err->text))
            (void)snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", cause);
    }
    return s;
}
