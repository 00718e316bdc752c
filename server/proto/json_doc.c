/* The body is walked once: strings are skipped, nesting is counted, and every array of
 * numbers under a key of interest is replaced by a string that names its place in
 * `spans`. The mark starts with a character that such a value of a client never has a
 * meaning with, so a forged one only refers to the client's own numbers. */
#include "server/proto/json_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/proto/text.h"

#define MARK "\\u0001" /* in JSON text */

struct walk {
    const char *at, *end;
    const char *kept; /* up to here the text is in `skeleton` */
    size_t depth, n_values;
    struct sv_json_limits limits;
    const char *key; /* the last string, when a ':' followed */
    size_t key_size;
    struct sv_text skeleton;
    struct sv_json_doc *doc;
};

/* Behind the closing quote of the string at `p`, or NULL. */
static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '"')
            return p + 1;
        if (*p == '\\')
            p++;
    }
    return NULL;
}

static bool key_is(const struct walk *w, const char *name)
{
    return w->key && w->key_size == strlen(name) &&
           memcmp(w->key, name, w->key_size) == 0;
}

/* Characters of numbers, of true and false, and between them. */
static const bool is_of_number[256] = {
    [' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true, [','] = true, ['0'] = true,
    ['1'] = true, ['2'] = true,  ['3'] = true,  ['4'] = true,  ['5'] = true, ['6'] = true,
    ['7'] = true, ['8'] = true,  ['9'] = true,  ['+'] = true,  ['-'] = true, ['.'] = true,
    ['e'] = true, ['E'] = true,  ['t'] = true,  ['r'] = true,  ['u'] = true, ['f'] = true,
    ['a'] = true, ['l'] = true,  ['s'] = true,
};

/* Behind the array at `p` when only characters of numbers, booleans and arrays are in it;
 * NULL when it holds something else, or nests too deep. */
static const char *numbers_end(const struct walk *w)
{
    size_t depth = w->depth;

    for (const char *p = w->at; p < w->end; p++) {
        if (*p == '[') {
            if (++depth > w->limits.max_depth)
                return NULL;
        } else if (*p == ']') {
            if (--depth == w->depth)
                return p + 1;
        } else if (!is_of_number[(unsigned char)*p]) {
            return NULL;
        }
    }
    return NULL;
}

static enum al_status keep_span(struct walk *w, const char *behind, struct al_error *err)
{
    struct sv_json_doc *d = w->doc;

    if (d->n_spans == d->capacity) {
        size_t capacity = d->capacity ? d->capacity * 2 : 4;
        struct sv_json_span *spans = realloc(d->spans, capacity * sizeof(*spans));

        if (!spans)
            return al_fail(err, AL_NO_MEMORY, "JSON body");
        d->spans = spans;
        d->capacity = capacity;
    }
    sv_text_bytes(&w->skeleton, w->kept, (size_t)(w->at - w->kept));
    sv_text_printf(&w->skeleton, "\"" MARK "%zu\"", d->n_spans);
    d->spans[d->n_spans++] = (struct sv_json_span){ w->at, (size_t)(behind - w->at) };
    w->at = w->kept = behind;
    return AL_OK;
}

/* Called for each opening bracket and comma of the skeleton: all values but the first are
 * counted, none more than twice. */
static enum al_status count_value(struct walk *w, struct al_error *err)
{
    return ++w->n_values <= w->limits.max_values || w->limits.max_values == 0
               ? AL_OK
               : al_fail(err, AL_TOO_LARGE, "JSON holds more than %zu values",
                         w->limits.max_values);
}

static enum al_status open_bracket(struct walk *w, struct al_error *err)
{
    const char *behind = NULL;

    if (*w->at == '[' && (key_is(w, "data") || key_is(w, "instances")))
        behind = numbers_end(w);
    w->key = NULL;
    if (behind)
        return keep_span(w, behind, err);
    if (++w->depth > w->limits.max_depth)
        return al_fail(err, AL_INVALID, "JSON nests deeper than %zu",
                       w->limits.max_depth);
    w->at++;
    return count_value(w, err);
}

static enum al_status skip_string(struct walk *w, struct al_error *err)
{
    const char *behind = string_end(w->at, w->end);
    const char *colon = behind;

    if (!behind)
        return al_fail(err, AL_INVALID, "JSON: a string is not closed");
    while (colon < w->end && strchr(" \t\r\n", *colon) && *colon)
        colon++;
    w->key = colon < w->end && *colon == ':' ? w->at + 1 : NULL;
    w->key_size = (size_t)(behind - w->at) - 2;
    w->at = w->key ? colon + 1 : behind;
    return AL_OK;
}

static enum al_status walk(struct walk *w, struct al_error *err)
{
    enum al_status s = AL_OK;

    while (w->at < w->end && s == AL_OK) {
        char c = *w->at;

        if (c == '"') {
            s = skip_string(w, err);
        } else if (c == '[' || c == '{') {
            s = open_bracket(w, err);
        } else {
            w->depth -= (c == ']' || c == '}') && w->depth > 0;
            w->at++;
            if (c == ',')
                s = count_value(w, err);
        }
    }
    sv_text_bytes(&w->skeleton, w->kept, (size_t)(w->end - w->kept));
    if (s == AL_OK && w->skeleton.failed)
        s = al_fail(err, AL_NO_MEMORY, "JSON body");
    return s;
}

enum al_status sv_json_doc_read(const char *body, size_t size,
                                const struct sv_json_limits *limits,
                                struct sv_json_doc *ret, struct al_error *err)
{
    struct walk w = {
        .at = body, .end = body + size, .kept = body, .limits = *limits, .doc = ret
    };
    json_error_t at;
    enum al_status s;

    memset(ret, 0, sizeof(*ret));
    if (size == 0)
        return al_fail(err, AL_INVALID, "the body is empty, JSON was expected");
    s = walk(&w, err);
    if (s == AL_OK) {
        ret->root =
            json_loadb(w.skeleton.data, w.skeleton.size, JSON_REJECT_DUPLICATES, &at);
        if (!ret->root)
            s = al_fail(err, AL_INVALID, "malformed JSON in line %d: %s", at.line,
                        at.text);
        else if (!json_is_object(ret->root))
            s = al_fail(err, AL_INVALID, "the body is not a JSON object");
    }
    sv_text_done(&w.skeleton);
    return s;
}

void sv_json_doc_done(struct sv_json_doc *d)
{
    json_decref(d->root);
    free(d->spans);
    memset(d, 0, sizeof(*d));
}

const struct sv_json_span *sv_json_doc_span(const struct sv_json_doc *d,
                                            const json_t *value)
{
    const char *text = json_string_value(value);
    char *end;

    if (!text || text[0] != '\1' || text[1] == '\0')
        return NULL;
    size_t i = strtoul(text + 1, &end, 10);

    return *end == '\0' && i < d->n_spans ? &d->spans[i] : NULL;
}
