/* oip_params.c — the parameters of a request, and how urgent they make it. */
#include <math.h>
#include <string.h>

#include "server/proto/json_numbers.h"
#include "server/proto/oip_state.h"

#define PEEK_BYTES 1024
#define US_PER_MS  1000.0

static enum al_status read_parameter(struct sv_call *c, struct sv_oip *o, const char *key,
                                     const json_t *value, struct al_error *err)
{
    if (strcmp(key, "binary_data_output") == 0) {
        if (!json_is_boolean(value))
            return al_fail(err, AL_INVALID, "parameter '%s': must be a boolean", key);
        o->binary = json_is_true(value);
        return AL_OK;
    }
    if (strcmp(key, "deadline_us") == 0 || strcmp(key, "timeout") == 0) {
        if (!json_is_number(value) || json_number_value(value) < 0)
            return al_fail(err, AL_INVALID,
                           "parameter '%s': must be a number, at least 0", key);
        if (json_number_value(value) > 0) /* 0: none */
            c->options.deadline_ms = json_number_value(value) / US_PER_MS;
        return AL_OK;
    }
    if (!json_is_number(value))
        return sv_options_set_text(&c->options, key, json_string_value(value), err);
    return sv_options_set(&c->options, key, json_number_value(value), err);
}

enum al_status sv_oip_read_parameters(struct sv_call *c, struct sv_oip *o, json_t *object,
                                      struct al_error *err)
{
    const char *key;
    json_t *value;

    if (object && !json_is_object(object))
        return al_fail(err, AL_INVALID, "'parameters' is not an object");
    json_object_foreach(object, key, value)
    {
        enum al_status s = read_parameter(c, o, key, value, err);

        if (s != AL_OK)
            return s;
    }
    return AL_OK;
}

/* The number behind `key` and a colon in [p, end), or NAN. */
static double number_of(const char *p, const char *end, const char *key)
{
    size_t n = strlen(key);
    double value;

    p = memmem(p, (size_t)(end - p), key, n);
    if (!p)
        return (double)NAN;
    for (p += n; p < end && strchr(" \t\r\n:", *p) && *p; p++)
        ;
    return sv_json_number(&p, end, &value) && value > 0 ? value : (double)NAN;
}

/* In JSON a quoted word before a colon can only be a key. Parameters stand before the
 * data or behind it: the ends of the body are enough. */
double sv_oip_peek_deadline_ms(const char *body, size_t size)
{
    static const char *const keys[] = { "\"deadline_us\"", "\"timeout\"" };
    size_t part = size < PEEK_BYTES ? size : PEEK_BYTES;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && part > 0; i++) {
        double us = number_of(body, body + part, keys[i]);

        if (isnan(us))
            us = number_of(body + size - part, body + size, keys[i]);
        if (!isnan(us))
            return us / US_PER_MS;
    }
    return (double)NAN;
}

void sv_oip_apply_urgency(struct sv_call *c, const struct sv_decoder *d)
{
    uint64_t deadline_ns = c->request.deadline_ns;
    unsigned priority = c->request.priority;

    if (c->options.deadline_ms * 1e6 < (double)d->limits.max_deadline_ns)
        deadline_ns = c->request.arrived_ns + (uint64_t)(c->options.deadline_ms * 1e6);
    if (c->options.priority >= 1)
        priority = (unsigned)c->options.priority;
    if (deadline_ns != c->request.deadline_ns || priority != c->request.priority)
        d->reschedule(d->arg, c, deadline_ns, priority);
}
