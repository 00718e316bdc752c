/* config.c — the settings as values: built in, set one by one, compared and let go. */
#include "server/app/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "server/app/config_table.h"

/* clang-format off */
const struct sv_key sv_keys[] = {
#define TEXT(key, value, reload, help) \
    { #key, SV_KEY_TEXT, offsetof(struct sv_config, key), value, 0, 0, 0, reload, help },
#define UINT(key, value, min, max, reload, help)                                         \
    { #key, SV_KEY_UINT, offsetof(struct sv_config, key), NULL, value, min, max, reload, \
      help },
#define FLAG(key, value, reload, help) \
    { #key, SV_KEY_FLAG, offsetof(struct sv_config, key), NULL, value, 0, 1, reload, help },
    SV_CONFIG_LIST(TEXT, UINT, FLAG)
#undef TEXT
#undef UINT
#undef FLAG
};
/* clang-format on */
const size_t sv_n_keys = sizeof(sv_keys) / sizeof(sv_keys[0]);

static char **text_of(struct sv_config *c, const struct sv_key *k)
{
    return (char **)(void *)((char *)c + k->offset);
}

static uint64_t *uint_of(struct sv_config *c, const struct sv_key *k)
{
    return (uint64_t *)(void *)((char *)c + k->offset);
}

static bool *flag_of(struct sv_config *c, const struct sv_key *k)
{
    return (bool *)((char *)c + k->offset);
}

/* ---- one value ---- */

static enum al_status set_text(struct sv_config *c, const struct sv_key *k,
                               const char *value, struct al_error *err)
{
    char *copy = strdup(value);

    if (!copy)
        return al_fail(err, AL_NO_MEMORY, "%s", k->name);
    free(*text_of(c, k));
    *text_of(c, k) = copy;
    return AL_OK;
}

static enum al_status set_uint(struct sv_config *c, const struct sv_key *k,
                               uint64_t value, struct al_error *err)
{
    if (value < k->min || value > k->max)
        return al_fail(err, AL_INVALID,
                       "%s: %" PRIu64 " is not between %" PRIu64 " and %" PRIu64, k->name,
                       value, k->min, k->max);
    *uint_of(c, k) = value;
    return AL_OK;
}

enum al_status sv_key_set_text(struct sv_config *c, const struct sv_key *k,
                               const char *value, struct al_error *err)
{
    char *end;

    if (k->type == SV_KEY_TEXT)
        return set_text(c, k, value, err);
    if (k->type == SV_KEY_FLAG) {
        bool yes = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;

        if (!yes && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
            return al_fail(err, AL_INVALID, "%s: '%s' is neither true nor false", k->name,
                           value);
        *flag_of(c, k) = yes;
        return AL_OK;
    }
    errno = 0;
    uint64_t number = strtoull(value, &end, 10);

    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0)
        return al_fail(err, AL_INVALID, "%s: '%s' is not a whole number", k->name, value);
    return set_uint(c, k, number, err);
}

enum al_status sv_key_set_json(struct sv_config *c, const struct sv_key *k,
                               const json_t *value, struct al_error *err)
{
    if (k->type == SV_KEY_TEXT && json_is_string(value))
        return set_text(c, k, json_string_value(value), err);
    if (k->type == SV_KEY_UINT && json_is_integer(value) &&
        json_integer_value(value) >= 0)
        return set_uint(c, k, (uint64_t)json_integer_value(value), err);
    if (k->type == SV_KEY_FLAG && json_is_boolean(value)) {
        *flag_of(c, k) = json_is_true(value);
        return AL_OK;
    }
    return al_fail(err, AL_INVALID, "%s: must be a %s", k->name,
                   k->type == SV_KEY_TEXT   ? "string"
                   : k->type == SV_KEY_UINT ? "whole number"
                                            : "boolean");
}

const struct sv_key *sv_key_find(const char *name)
{
    for (size_t i = 0; i < sv_n_keys; i++)
        if (strcmp(sv_keys[i].name, name) == 0)
            return &sv_keys[i];
    return NULL;
}

/* ---- all values ---- */

enum al_status sv_config_built_in(struct sv_config *c, struct al_error *err)
{
    enum al_status s = AL_OK;

    memset(c, 0, sizeof(*c));
    for (size_t i = 0; i < sv_n_keys && s == AL_OK; i++) {
        const struct sv_key *k = &sv_keys[i];

        if (k->type == SV_KEY_TEXT)
            s = set_text(c, k, k->text, err);
        else if (k->type == SV_KEY_UINT)
            *uint_of(c, k) = k->number;
        else
            *flag_of(c, k) = k->number != 0;
    }
    return s;
}

void sv_config_done(struct sv_config *c)
{
    for (size_t i = 0; i < sv_n_keys; i++)
        if (sv_keys[i].type == SV_KEY_TEXT)
            free(*text_of(c, &sv_keys[i]));
    memset(c, 0, sizeof(*c));
}

/* ---- reload ---- */

static bool same(struct sv_config *a, struct sv_config *b, const struct sv_key *k)
{
    if (k->type == SV_KEY_TEXT)
        return strcmp(*text_of(a, k), *text_of(b, k)) == 0;
    if (k->type == SV_KEY_UINT)
        return *uint_of(a, k) == *uint_of(b, k);
    return *flag_of(a, k) == *flag_of(b, k);
}

static void swap(struct sv_config *a, struct sv_config *b, const struct sv_key *k)
{
    if (k->type == SV_KEY_TEXT) {
        char *text = *text_of(a, k);

        *text_of(a, k) = *text_of(b, k);
        *text_of(b, k) = text;
    } else if (k->type == SV_KEY_UINT) {
        *uint_of(a, k) = *uint_of(b, k);
    } else {
        *flag_of(a, k) = *flag_of(b, k);
    }
}

void sv_config_apply(struct sv_config *c, struct sv_config *fresh,
                     void (*changed)(void *arg, const char *key, bool applied), void *arg)
{
    for (size_t i = 0; i < sv_n_keys; i++) {
        const struct sv_key *k = &sv_keys[i];

        if (same(c, fresh, k))
            continue;
        if (k->reload)
            swap(c, fresh, k);
        changed(arg, k->name, k->reload);
    }
}
