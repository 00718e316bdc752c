#include "server/proto/json_numbers.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EXACT_MANTISSA (UINT64_C(1) << 53)
#define MAX_EXACT_POWER    22
#define MAX_DIGITS         19  /* that fit 64 bits whatever they are */
#define MAX_NUMBER_BYTES   511 /* of one that strtod must read */
#define BLOCK              256

static const double power_of_ten[MAX_EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
};

struct decimal {
    uint64_t mantissa;
    int n_digits; /* significant ones taken into the mantissa */
    int64_t exponent;
    bool cut; /* digits beyond MAX_DIGITS: not exact */
};

static bool is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

static void add_digit(struct decimal *d, char c)
{
    if (d->n_digits == MAX_DIGITS) {
        d->cut = true;
        return;
    }
    d->mantissa = d->mantissa * 10 + (uint64_t)(c - '0');
    d->n_digits += d->mantissa != 0;
}

static bool read_exponent(const char **p, const char *end, int64_t *ret)
{
    bool negative = false;
    int64_t value = 0;

    ++*p;
    if (*p < end && (**p == '+' || **p == '-'))
        negative = *(*p)++ == '-';
    if (!is_digit(*p, end))
        return false;
    for (; is_digit(*p, end); ++*p)
        if (value < 100000)
            value = value * 10 + (**p - '0');
    *ret = negative ? -value : value;
    return true;
}

/* Grammar of RFC 8259 behind the sign. */
static bool read_decimal(const char **p, const char *end, struct decimal *d)
{
    int64_t exponent = 0;

    if (!is_digit(*p, end))
        return false;
    if (**p == '0' && is_digit(*p + 1, end))
        return false;
    for (; is_digit(*p, end); ++*p)
        add_digit(d, **p);
    if (*p < end && **p == '.') {
        ++*p;
        if (!is_digit(*p, end))
            return false;
        for (; is_digit(*p, end); ++*p) {
            add_digit(d, **p);
            d->exponent--;
        }
    }
    if (*p < end && (**p == 'e' || **p == 'E') && !read_exponent(p, end, &exponent))
        return false;
    d->exponent += exponent;
    return true;
}

static bool read_slowly(const char *text, size_t size, double *ret)
{
    char copy[MAX_NUMBER_BYTES + 1];

    if (size > MAX_NUMBER_BYTES)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    *ret = strtod(copy, NULL); /* the locale is never set: '.' is the point */
    return true;
}

bool sv_json_number(const char **p, const char *end, double *ret)
{
    const char *start = *p;
    struct decimal d = { 0 };
    bool negative = start < end && *start == '-';

    *p += negative;
    if (!read_decimal(p, end, &d))
        return false;
    if (d.cut || d.mantissa > MAX_EXACT_MANTISSA || d.exponent > MAX_EXACT_POWER ||
        d.exponent < -MAX_EXACT_POWER)
        return read_slowly(start, (size_t)(*p - start), ret);
    double value = (double)d.mantissa;

    if (d.exponent < 0)
        value /= power_of_ten[-d.exponent];
    else
        value *= power_of_ten[d.exponent];
    *ret = negative ? -value : value;
    return true;
}

static void skip_space(const char **p, const char *end)
{
    while (*p < end && (**p == ' ' || **p == '\n' || **p == '\t' || **p == '\r'))
        ++*p;
}

static bool read_word(const char **p, const char *end, double *ret)
{
    if (end - *p >= 4 && memcmp(*p, "true", 4) == 0) {
        *p += 4;
        *ret = 1;
        return true;
    }
    if (end - *p >= 5 && memcmp(*p, "false", 5) == 0) {
        *p += 5;
        *ret = 0;
        return true;
    }
    return false;
}

static bool read_value(const char **p, const char *end, double *ret)
{
    if (*p < end && (**p == 't' || **p == 'f'))
        return read_word(p, end, ret);
    return sv_json_number(p, end, ret);
}

struct block {
    double values[BLOCK];
    size_t n;
    const struct sv_json_sink *sink;
};

static enum al_status flush(struct block *b, struct al_error *err)
{
    size_t n = b->n;

    b->n = 0;
    return n ? b->sink->take(b->sink->arg, b->values, n, err) : AL_OK;
}

enum al_status sv_json_numbers(const char *text, size_t size,
                               const struct sv_json_sink *sink, struct al_error *err)
{
    const char *p = text, *end = text + size;
    struct block b = { .sink = sink };
    size_t depth = 0;
    bool want_value = true; /* as opposed to ',' or ']' */
    bool fresh = false;     /* just behind '[': it may close at once */

    do {
        enum al_status s = AL_OK;

        skip_space(&p, end);
        if (p == end)
            return al_fail(err, AL_INVALID, "array is not closed");
        if (*p == '[' && want_value) {
            depth++;
            p++;
            fresh = true;
            continue;
        }
        if (*p == ']' && depth > 0 && (!want_value || fresh)) {
            depth--;
            p++;
            want_value = false;
        } else if (*p == ',' && !want_value && depth > 0) {
            p++;
            want_value = true;
        } else if (want_value && depth > 0 && read_value(&p, end, &b.values[b.n])) {
            want_value = false;
            if (++b.n == BLOCK)
                s = flush(&b, err);
        } else {
            return al_fail(err, AL_INVALID, "malformed array of numbers at its byte %zu",
                           (size_t)(p - text));
        }
        fresh = false;
        if (s != AL_OK)
            return s;
    } while (depth > 0);
    return flush(&b, err);
}
