#include "tools/options.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_positional(const struct tl_option *o)
{
    return o->name[0] != '-';
}

/* The option whose name is the first `n` characters of `name`. */
static const struct tl_option *find(const struct tl_command *c, const char *name,
                                    size_t n)
{
    for (size_t i = 0; i < c->n_options; i++) {
        const struct tl_option *o = &c->options[i];

        if (!is_positional(o) && strlen(o->name) == n && strncmp(o->name, name, n) == 0)
            return o;
    }
    return NULL;
}

static const struct tl_option *find_positional(const struct tl_command *c, size_t index)
{
    for (size_t i = 0; i < c->n_options; i++) {
        if (is_positional(&c->options[i]) && index-- == 0)
            return &c->options[i];
    }
    return NULL;
}

/* Reads one number that ends at `end` (a character of "" or ","). */
static enum al_status read_number(const struct tl_option *o, const char *text,
                                  double *ret, const char **ret_rest,
                                  struct al_error *err)
{
    char *rest;

    errno = 0;
    const double v = strtod(text, &rest);

    if (rest == text || (*rest != '\0' && *rest != ','))
        return al_fail(err, AL_INVALID, "%s: '%s' is not a number", o->name, text);
    if (errno != 0 || !(v >= o->min && v <= o->max))
        return al_fail(err, AL_INVALID, "%s: %.15g is not between %.15g and %.15g",
                       o->name, v, o->min, o->max);
    *ret = v;
    *ret_rest = rest;
    return AL_OK;
}

static enum al_status read_single(const struct tl_option *o, const char *text,
                                  double *ret, struct al_error *err)
{
    const char *rest;
    const enum al_status s = read_number(o, text, ret, &rest, err);

    if (s == AL_OK && *rest != '\0')
        return al_fail(err, AL_INVALID, "%s: takes one number, got '%s'", o->name, text);
    return s;
}

static enum al_status read_size(const struct tl_option *o, const char *text, size_t *ret,
                                struct al_error *err)
{
    double v;
    const enum al_status s = read_single(o, text, &v, err);

    if (s != AL_OK)
        return s;
    if (v < 0 || v > 0x1p53 || floor(v) < v)
        return al_fail(err, AL_INVALID, "%s: '%s' is not a whole number", o->name, text);
    *ret = (size_t)v;
    return AL_OK;
}

static enum al_status read_reals(const struct tl_option *o, const char *text,
                                 struct tl_reals *ret, struct al_error *err)
{
    struct tl_reals list = { .n = 0 };

    for (;;) {
        if (list.n == TL_MAX_LIST)
            return al_fail(err, AL_INVALID, "%s: more than %d numbers", o->name,
                           TL_MAX_LIST);
        const enum al_status s = read_number(o, text, &list.v[list.n], &text, err);

        if (s != AL_OK)
            return s;
        list.n++;
        if (*text == '\0')
            break;
        text++;
    }
    *ret = list;
    return AL_OK;
}

static enum al_status add_string(const struct tl_option *o, const char *text,
                                 struct tl_strings *ret, struct al_error *err)
{
    if (ret->n == TL_MAX_LIST)
        return al_fail(err, AL_INVALID, "%s: given more than %d times", o->name,
                       TL_MAX_LIST);
    ret->v[ret->n++] = text;
    return AL_OK;
}

static enum al_status store(const struct tl_option *o, const char *text, void *values,
                            struct al_error *err)
{
    void *field = (char *)values + o->offset;

    switch (o->type) {
    case TL_FLAG:
        *(bool *)field = true;
        return AL_OK;
    case TL_STRING:
        *(const char **)field = text;
        return AL_OK;
    case TL_STRINGS:
        return add_string(o, text, field, err);
    case TL_SIZE:
        return read_size(o, text, field, err);
    case TL_REAL:
        return read_single(o, text, field, err);
    case TL_REALS:
        return read_reals(o, text, field, err);
    }
    return al_fail(err, AL_INTERNAL, "%s: type %d", o->name, o->type);
}

static bool is_given(const struct tl_option *o, const void *values)
{
    const void *field = (const char *)values + o->offset;

    return o->type == TL_STRINGS ? ((const struct tl_strings *)field)->n > 0
                                 : *(const char *const *)field != NULL;
}

/* Notes that `o` is given; which of two values is meant nobody knows. */
static enum al_status note(const struct tl_command *c, const struct tl_option *o,
                           uint64_t *seen, struct al_error *err)
{
    const uint64_t bit = UINT64_C(1) << (o - c->options);

    if ((*seen & bit) && o->type != TL_STRINGS)
        return al_fail(err, AL_INVALID, "%s is given twice", o->name);
    *seen |= bit;
    return AL_OK;
}

/* One `--name value` or `--name=value` at argv[i]; `*ret_used` words are taken. */
static enum al_status parse_option(const struct tl_command *c, char **argv, void *values,
                                   uint64_t *seen, int *ret_used, struct al_error *err)
{
    const char *word = argv[0];
    const size_t n = strcspn(word, "=");
    const struct tl_option *o = find(c, word, n);

    if (!o)
        return al_fail(err, AL_INVALID, "unknown option '%.*s'", (int)n, word);
    const enum al_status s = note(c, o, seen, err);

    if (s != AL_OK)
        return s;
    *ret_used = 1;
    if (o->type == TL_FLAG) {
        if (word[n] == '=')
            return al_fail(err, AL_INVALID, "%s takes no value", o->name);
        return store(o, NULL, values, err);
    }
    if (word[n] == '=')
        return store(o, word + n + 1, values, err);
    if (!argv[1])
        return al_fail(err, AL_INVALID, "%s needs a value: %s", o->name, o->value);
    *ret_used = 2;
    return store(o, argv[1], values, err);
}

static enum al_status check_required(const struct tl_command *c, const void *values,
                                     struct al_error *err)
{
    for (size_t i = 0; i < c->n_options; i++) {
        const struct tl_option *o = &c->options[i];

        if ((o->required || is_positional(o)) && !is_given(o, values))
            return al_fail(err, AL_INVALID, "%s is missing: %s", o->name, o->help);
    }
    return AL_OK;
}

bool tl_is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

enum al_status tl_options_parse(const struct tl_command *c, int argc, char **argv,
                                void *values, bool *ret_help, struct al_error *err)
{
    size_t n_positional = 0;
    bool only_arguments = false;
    uint64_t seen = 0; /* bit i: options[i] */

    assert(c->n_options <= 64);

    *ret_help = false;
    for (int i = 1, used = 1; i < argc; i += used) {
        enum al_status s;

        used = 1;
        if (!only_arguments && strcmp(argv[i], "--") == 0) {
            only_arguments = true;
            continue;
        }
        if (!only_arguments && tl_is_help(argv[i])) {
            *ret_help = true;
            return AL_OK;
        }
        if (only_arguments || argv[i][0] != '-') {
            const struct tl_option *o = find_positional(c, n_positional++);

            s = o ? store(o, argv[i], values, err)
                  : al_fail(err, AL_INVALID, "unexpected argument '%s'", argv[i]);
        } else {
            s = parse_option(c, argv + i, values, &seen, &used, err);
        }
        if (s != AL_OK)
            return s;
    }
    const enum al_status s = check_required(c, values, err);

    return s == AL_OK && c->check ? c->check(values, err) : s;
}

static void print_default(const struct tl_option *o, const void *defaults, FILE *out)
{
    const void *field = (const char *)defaults + o->offset;
    const struct tl_reals *reals = field;

    if (o->type == TL_STRING && *(const char *const *)field)
        (void)fprintf(out, " (%s)", *(const char *const *)field);
    if (o->type == TL_SIZE && *(const size_t *)field > 0)
        (void)fprintf(out, " (%zu)", *(const size_t *)field);
    if (o->type == TL_REAL)
        (void)fprintf(out, " (%g)", *(const double *)field);
    if (o->type == TL_REALS && reals->n > 0) {
        for (size_t i = 0; i < reals->n; i++)
            (void)fprintf(out, "%s%g", i ? "," : " (", reals->v[i]);
        (void)fputc(')', out);
    }
}

void tl_options_help(const struct tl_command *c, FILE *out)
{
    (void)fprintf(out, "Usage: alight %s", c->name);
    for (size_t i = 0; i < c->n_options; i++) {
        const struct tl_option *o = &c->options[i];

        if (is_positional(o))
            (void)fprintf(out, " %s", o->name);
        else if (o->required)
            (void)fprintf(out, " %s %s", o->name, o->value);
    }
    (void)fprintf(out, " [OPTION]...\n\n%s\n\n", c->description);
    for (size_t i = 0; i < c->n_options; i++) {
        const struct tl_option *o = &c->options[i];
        char left[64];

        (void)snprintf(left, sizeof(left), "%s %s", o->name, o->value ? o->value : "");
        (void)fprintf(out, "  %-26s %s", left, o->help);
        print_default(o, c->defaults, out);
        (void)fputc('\n', out);
    }
}
