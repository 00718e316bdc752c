/* config_load.c — where settings come from: file, environment, command line. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "server/app/config_table.h"

#define MAX_FILE_BYTES 1048576
#define MAX_NAME       64

/* ---- file ---- */

static enum al_status load_object(struct sv_config *c, json_t *object,
                                  struct al_error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        const struct sv_key *k = sv_key_find(name);
        enum al_status s;

        if (strcmp(name, "$schema") == 0)
            continue;
        if (!k)
            return al_fail(err, AL_INVALID, "unknown key '%.64s'", name);
        s = sv_key_set_json(c, k, value, err);
        if (s != AL_OK)
            return s;
    }
    return AL_OK;
}

static enum al_status load_text(struct sv_config *c, const char *text, size_t size,
                                struct al_error *err)
{
    json_error_t at;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &at);
    enum al_status s;

    if (!object)
        return al_fail(err, AL_INVALID, "line %d: %s", at.line, at.text);
    s = json_is_object(object) ? load_object(c, object, err)
                               : al_fail(err, AL_INVALID, "not a JSON object");
    json_decref(object);
    return s;
}

static enum al_status load_file(struct sv_config *c, const char *path,
                                struct al_error *err)
{
    char *text = malloc(MAX_FILE_BYTES);
    FILE *f = text ? fopen(path, "re") : NULL;
    size_t size = f ? fread(text, 1, MAX_FILE_BYTES, f) : 0;
    enum al_status s;

    if (!f)
        s = al_fail(err, AL_IO, "%s", strerror(errno));
    else if (size == MAX_FILE_BYTES)
        s = al_fail(err, AL_TOO_LARGE, "%d bytes or more", MAX_FILE_BYTES);
    else
        s = load_text(c, text, size, err);
    if (f)
        (void)fclose(f);
    free(text);
    return s == AL_OK ? s : al_error_prefix(err, s, "configuration file '%s'", path);
}

/* ---- environment ---- */

static void to_environment(const char *key, char *buf)
{
    (void)snprintf(buf, MAX_NAME, "ALIGHT_%s", key);
    for (size_t i = 0; buf[i]; i++)
        if (buf[i] >= 'a' && buf[i] <= 'z')
            buf[i] = (char)(buf[i] - 'a' + 'A');
}

static enum al_status load_environment(struct sv_config *c, struct al_error *err)
{
    for (size_t i = 0; i < sv_n_keys; i++) {
        char name[MAX_NAME];
        const char *value;
        enum al_status s = AL_OK;

        to_environment(sv_keys[i].name, name);
        value = getenv(name); /* NOLINT(concurrency-mt-unsafe): before any thread */
        if (value)
            s = sv_key_set_text(c, &sv_keys[i], value, err);
        if (s != AL_OK)
            return al_error_prefix(err, s, "environment %s", name);
    }
    return AL_OK;
}

/* ---- flags ---- */

static const struct {
    const char *flag;
    enum sv_command command;
} commands[] = {
    { "--help", SV_COMMAND_HELP },
    { "-h", SV_COMMAND_HELP },
    { "--version", SV_COMMAND_VERSION },
    { "--check", SV_COMMAND_CHECK },
    { "--print-metrics", SV_COMMAND_PRINT_METRICS },
    { "--print-page", SV_COMMAND_PRINT_PAGE },
    { "--print-schema", SV_COMMAND_PRINT_SCHEMA },
};

static bool is_command(const char *arg, enum sv_command *ret)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(arg, commands[i].flag) == 0) {
            *ret = commands[i].command;
            return true;
        }
    return false;
}

/* Splits "--some-key=value" into "some_key" and "value" (NULL without '='). */
static bool split_flag(const char *arg, char *name, const char **ret_value)
{
    const char *equals = strchr(arg, '=');
    size_t n = equals ? (size_t)(equals - arg) : strlen(arg);

    if (strncmp(arg, "--", 2) != 0 || n < 3 || n - 2 >= MAX_NAME)
        return false;
    for (size_t i = 2; i < n; i++)
        name[i - 2] = arg[i] == '-' ? '_' : arg[i];
    name[n - 2] = '\0';
    *ret_value = equals ? equals + 1 : NULL;
    return true;
}

/* The value of the flag at argv[*i], moving *i over it when it is the next argument. */
static const char *flag_value(int argc, char **argv, int *i, const char *given)
{
    if (given)
        return given;
    return *i + 1 < argc ? argv[++*i] : NULL;
}

static enum al_status load_flag(struct sv_config *c, int argc, char **argv, int *i,
                                struct al_error *err)
{
    const char *arg = argv[*i], *value = NULL;
    char name[MAX_NAME] = "";
    const struct sv_key *k = NULL;

    if (split_flag(arg, name, &value))
        k = sv_key_find(name);
    if (!k && strncmp(name, "no_", 3) == 0 && (k = sv_key_find(name + 3)) &&
        k->type == SV_KEY_FLAG && !value)
        return sv_key_set_text(c, k, "false", err);
    if (!k)
        return al_fail(err, AL_INVALID, "unknown option '%.64s'; see --help", arg);
    if (k->type == SV_KEY_FLAG && !value)
        value = "true";
    value = flag_value(argc, argv, i, value);
    if (!value)
        return al_fail(err, AL_INVALID, "option '%s' needs a value", arg);
    return sv_key_set_text(c, k, value, err);
}

/* The file named by --config, else by ALIGHT_CONFIG, else NULL. */
static const char *find_file(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            return argv[i] + 9;
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            return argv[i + 1];
    }
    return getenv("ALIGHT_CONFIG"); /* NOLINT(concurrency-mt-unsafe): before any thread */
}

enum al_status sv_config_load(int argc, char **argv, struct sv_config *ret,
                              enum sv_command *ret_command, struct al_error *err)
{
    const char *file = find_file(argc, argv);
    enum al_status s;

    *ret_command = SV_COMMAND_SERVE;
    s = sv_config_built_in(ret, err);
    if (s == AL_OK && file && *file)
        s = load_file(ret, file, err);
    if (s == AL_OK)
        s = load_environment(ret, err);
    for (int i = 1; i < argc && s == AL_OK; i++) {
        if (is_command(argv[i], ret_command) || strncmp(argv[i], "--config=", 9) == 0)
            continue;
        if (strcmp(argv[i], "--config") != 0)
            s = load_flag(ret, argc, argv, &i, err);
        else if (++i == argc)
            s = al_fail(err, AL_INVALID, "option '--config' needs a value");
    }
    return s;
}

enum al_status sv_config_parse(const char *text, size_t size, struct sv_config *ret,
                               struct al_error *err)
{
    enum al_status s = sv_config_built_in(ret, err);

    return s == AL_OK ? load_text(ret, text, size, err) : s;
}
