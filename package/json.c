#include "package/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_KEY = 31 /* longest that is compared with the known ones */
};

enum al_status pk_json_parse(const char *text, size_t size, json_t **ret,
                             struct al_error *err)
{
    json_error_t why;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);

    if (!root && why.line < 0) /* not the text's fault */
        return al_fail(err, AL_NO_MEMORY, "JSON of %zu bytes", size);
    if (!root)
        return al_fail(err, AL_INVALID, "line %d, column %d: %s", why.line, why.column,
                       why.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return al_fail(err, AL_INVALID, "the root is not an object");
    }
    *ret = root;
    return AL_OK;
}

void pk_json_fail(struct pk_json *j, const char *key, const char *fmt, ...)
{
    char what[AL_ERROR_TEXT_MAX / 2];
    va_list args;

    if (j->status != AL_OK)
        return;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    j->status = al_fail(j->err, AL_INVALID, "key \"%s%s\" %s", j->path, key, what);
}

struct pk_json pk_json_reader(const json_t *value, const char *path, struct al_error *err)
{
    struct pk_json j = { .object = value, .err = err };

    (void)snprintf(j.path, sizeof(j.path), "%s", path);
    if (!json_is_object(value))
        j.status = al_fail(err, AL_INVALID, "\"%s\" is not an object", path);
    return j;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Levenshtein distance; both strings are at most MAX_KEY long. */
static size_t distance(const char *a, const char *b)
{
    size_t row[MAX_KEY + 1];
    size_t n = strlen(b);

    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            size_t change = diagonal + (a[i - 1] != b[j - 1]);

            row[j] = min3(above + 1, row[j - 1] + 1, change);
            diagonal = above;
        }
    }
    return row[n];
}

static const char *nearest(const char *key, const char *const *keys, size_t n)
{
    const char *best = keys[0];
    size_t least = SIZE_MAX;

    if (strlen(key) > MAX_KEY)
        return best;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(key, keys[i]);

        if (d < least) {
            least = d;
            best = keys[i];
        }
    }
    return best;
}

static bool is_among(const char *key, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* jansson's iterator of a const object: json_object_iter only reads. */
static const char *first_foreign_key(const struct pk_json *j, const char *const *keys,
                                     size_t n)
{
    json_t *object = json_incref((json_t *)(uintptr_t)j->object);
    const char *key, *found = NULL;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (!is_among(key, keys, n)) {
            found = key;
            break;
        }
    }
    json_decref(object);
    return found;
}

void pk_json_only(struct pk_json *j, const char *const *keys, size_t n)
{
    const char *key;

    if (j->status != AL_OK)
        return;
    key = first_foreign_key(j, keys, n);
    if (key)
        pk_json_fail(j, key, "is unknown, the nearest known one is \"%s\"",
                     nearest(key, keys, n));
}

static const json_t *value_of(const struct pk_json *j, const char *key)
{
    return j->status == AL_OK ? json_object_get(j->object, key) : NULL;
}

void pk_json_need(struct pk_json *j, const char *key)
{
    if (j->status == AL_OK && !json_object_get(j->object, key))
        pk_json_fail(j, key, "is missing");
}

void pk_json_number(struct pk_json *j, const char *key, double low, double high,
                    double *inout)
{
    const json_t *value = value_of(j, key);
    double v;

    if (!value)
        return;
    v = json_number_value(value);
    if (!json_is_number(value))
        pk_json_fail(j, key, "is not a number");
    else if (v < low || v > high)
        pk_json_fail(j, key, "is %g, not in %g to %g", v, low, high);
    else
        *inout = v;
}

void pk_json_uint(struct pk_json *j, const char *key, uint32_t low, uint32_t high,
                  uint32_t *inout)
{
    const json_t *value = value_of(j, key);
    json_int_t v;

    if (!value)
        return;
    v = json_integer_value(value);
    if (!json_is_integer(value))
        pk_json_fail(j, key, "is not an integer");
    else if (v < low || v > high)
        pk_json_fail(j, key,
                     "is %" JSON_INTEGER_FORMAT ", not in %" PRIu32 " to %" PRIu32, v,
                     low, high);
    else
        *inout = (uint32_t)v;
}

static bool has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return true;
    return false;
}

void pk_json_string(struct pk_json *j, const char *key, const char **inout)
{
    const json_t *value = value_of(j, key);
    size_t n;

    if (!value)
        return;
    n = json_string_length(value);
    if (!json_is_string(value))
        pk_json_fail(j, key, "is not a string");
    else if (n == 0 || n > PK_JSON_MAX_STRING)
        pk_json_fail(j, key, "has %zu bytes, not 1 to %d", n, PK_JSON_MAX_STRING);
    else if (has_control(json_string_value(value)))
        pk_json_fail(j, key, "contains a control character");
    else
        *inout = json_string_value(value);
}

/* "a, b, c" into `buf`, cut to fit. */
static const char *join(const char *const *names, size_t n, char *buf, size_t size)
{
    size_t used = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < n && used < size; i++) {
        int k = snprintf(buf + used, size - used, i > 0 ? ", %s" : "%s", names[i]);

        used += k > 0 ? (size_t)k : 0;
    }
    return buf;
}

void pk_json_choice(struct pk_json *j, const char *key, const char *const *names,
                    size_t n, unsigned *inout)
{
    const char *text = NULL;
    char all[128];

    pk_json_string(j, key, &text);
    if (!text)
        return;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, names[i]) == 0) {
            *inout = (unsigned)i;
            return;
        }
    }
    pk_json_fail(j, key, "is \"%.40s\", none of %s", text,
                 join(names, n, all, sizeof(all)));
}

void pk_json_array(struct pk_json *j, const char *key, size_t low, size_t high,
                   const json_t **ret)
{
    const json_t *value = value_of(j, key);
    size_t n = json_array_size(value);

    *ret = NULL;
    if (!value)
        return;
    if (!json_is_array(value))
        pk_json_fail(j, key, "is not an array");
    else if (n < low || n > high)
        pk_json_fail(j, key, "has %zu entries, not %zu to %zu", n, low, high);
    else
        *ret = value;
}

void pk_json_numbers(struct pk_json *j, const char *key, size_t n, double low,
                     double high, double *inout)
{
    const json_t *array;

    pk_json_array(j, key, n, n, &array);
    for (size_t i = 0; array && i < n; i++) {
        const json_t *value = json_array_get(array, i);
        double v = json_number_value(value);

        if (!json_is_number(value) || v < low || v > high) {
            pk_json_fail(j, key, "entry %zu is no number in %g to %g", i, low, high);
            return;
        }
        inout[i] = v;
    }
}

static struct pk_json below(const struct pk_json *j, const json_t *value,
                            const char *path)
{
    struct pk_json child = { .status = j->status, .err = j->err };

    return j->status == AL_OK ? pk_json_reader(value, path, j->err) : child;
}

struct pk_json pk_json_child(const struct pk_json *j, const char *key)
{
    char path[sizeof(j->path)];

    (void)snprintf(path, sizeof(path), "%.30s%.30s.", j->path, key);
    return below(j, json_object_get(j->object, key), path);
}

struct pk_json pk_json_entry(const struct pk_json *j, const char *key, size_t i)
{
    char path[sizeof(j->path)];

    (void)snprintf(path, sizeof(path), "%.20s%.20s[%zu].", j->path, key, i);
    return below(j, json_array_get(json_object_get(j->object, key), i), path);
}
