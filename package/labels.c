#include "package/labels.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum {
    MAX_LABEL = 255
};

static size_t count_lines(const char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++)
        n += text[i] == '\n';
    return n + (size > 0 && text[size - 1] != '\n');
}

/* jansson checks the encoding, as it will when the label is sent. */
static bool is_label(const char *s, size_t n)
{
    json_t *value = n > 0 && n <= MAX_LABEL ? json_stringn(s, n) : NULL;
    bool valid = value && !memchr(s, '\0', n);

    json_decref(value);
    return valid;
}

static size_t line_length(const char *line, const char *end)
{
    const char *stop = memchr(line, '\n', (size_t)(end - line));

    return (size_t)((stop ? stop : end) - line);
}

/* Of U+FEFF, which some editors begin a text with. */
static size_t mark_length(const char *text, size_t size)
{
    return size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

enum al_status pk_labels_parse(const char *text, size_t size, char ***ret, size_t *ret_n,
                               struct al_error *err)
{
    const size_t mark = mark_length(text, size);
    const char *line = text + mark, *end = text + size;
    const size_t n = count_lines(line, size - mark);
    char **labels, *to;

    if (n == 0 || n > PK_MAX_LABELS)
        return al_fail(err, AL_INVALID, "%zu labels, not 1 to %d", n, PK_MAX_LABELS);
    labels = malloc(n * sizeof(*labels) + size + 1);
    if (!labels)
        return al_fail(err, AL_NO_MEMORY, "%zu labels", n);
    to = (char *)(labels + n);
    for (size_t i = 0; i < n; i++) {
        size_t length = line_length(line, end);
        size_t kept = length - (length > 0 && line[length - 1] == '\r');

        if (!is_label(line, kept)) {
            free(labels);
            return al_fail(err, AL_INVALID, "line %zu is not 1 to %d bytes of UTF-8",
                           i + 1, MAX_LABEL);
        }
        labels[i] = memcpy(to, line, kept);
        to[kept] = '\0';
        to += kept + 1;
        line += length + 1;
    }
    *ret = labels;
    *ret_n = n;
    return AL_OK;
}
