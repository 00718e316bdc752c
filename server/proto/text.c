#include "server/proto/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sv_text_done(struct sv_text *t)
{
    free(t->data);
    memset(t, 0, sizeof(*t));
}

static bool reserve(struct sv_text *t, size_t more)
{
    size_t capacity = t->capacity ? t->capacity : 256;
    char *data;

    if (t->failed)
        return false;
    if (t->capacity - t->size >= more)
        return true;
    while (capacity - t->size < more)
        if (__builtin_mul_overflow(capacity, 2, &capacity))
            goto fail;
    data = realloc(t->data, capacity);
    if (!data)
        goto fail;
    t->data = data;
    t->capacity = capacity;
    return true;
fail:
    t->failed = true;
    return false;
}

void sv_text_bytes(struct sv_text *t, const void *data, size_t size)
{
    if (size == 0 || !reserve(t, size))
        return;
    memcpy(t->data + t->size, data, size);
    t->size += size;
}

void sv_text_str(struct sv_text *t, const char *s)
{
    sv_text_bytes(t, s, strlen(s));
}

void sv_text_printf(struct sv_text *t, const char *fmt, ...)
{
    char small[256];
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    if (n >= 0 && (size_t)n < sizeof(small)) {
        sv_text_bytes(t, small, (size_t)n);
    } else if (n >= 0 && reserve(t, (size_t)n + 1)) {
        (void)vsnprintf(t->data + t->size, (size_t)n + 1, fmt, again);
        t->size += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

char *sv_put_digits(char *at, uint64_t v)
{
    char digits[20];
    size_t first = sizeof(digits), n;

    do {
        digits[--first] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    n = sizeof(digits) - first;
    return (char *)memcpy(at, digits + first, n) + n;
}

void sv_text_u64(struct sv_text *t, uint64_t v)
{
    char digits[20];

    sv_text_bytes(t, digits, (size_t)(sv_put_digits(digits, v) - digits));
}

/* Bytes of the UTF-8 sequence at `s`, 0 when it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    unsigned char c = s[0];
    size_t n = c < 0x80   ? 1
               : c < 0xC2 ? 0
               : c < 0xE0 ? 2
               : c < 0xF0 ? 3
               : c < 0xF5 ? 4
                          : 0;

    if (n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((c == 0xE0 && s[1] < 0xA0) || (c == 0xED && s[1] > 0x9F) ||
        (c == 0xF0 && s[1] < 0x90) || (c == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

static void json_char(struct sv_text *t, const char *s, size_t n)
{
    unsigned char c = (unsigned char)*s;

    if (n == 0)
        sv_text_str(t, "\\ufffd");
    else if (c == '"' || c == '\\')
        sv_text_printf(t, "\\%c", c);
    else if (c == '\n')
        sv_text_str(t, "\\n");
    else if (c < 0x20 || c == 0x7F)
        sv_text_printf(t, "\\u%04x", c);
    else
        sv_text_bytes(t, s, n);
}

void sv_text_json(struct sv_text *t, const char *s, size_t size)
{
    size_t done = 0;

    sv_text_bytes(t, "\"", 1);
    while (done < size) {
        size_t plain = done;

        while (plain < size && s[plain] >= 0x20 && s[plain] < 0x7F && s[plain] != '"' &&
               s[plain] != '\\')
            plain++;
        sv_text_bytes(t, s + done, plain - done);
        done = plain;
        if (done == size)
            break;
        size_t n = utf8_length((const unsigned char *)s + done, size - done);

        json_char(t, s + done, n);
        done += n ? n : 1;
    }
    sv_text_bytes(t, "\"", 1);
}

void sv_text_quote(struct sv_text *t, const char *s)
{
    sv_text_json(t, s, strlen(s));
}

void sv_text_error(struct sv_text *t, const char *why)
{
    sv_text_str(t, "{\"error\":");
    sv_text_quote(t, why);
    sv_text_str(t, "}");
}
