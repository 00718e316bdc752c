/* config_docs.c — the settings table as --help, as a page and as a JSON schema. */
#include <inttypes.h>
#include <string.h>

#include "server/app/config_table.h"

static void print_flag(FILE *to, const char *key)
{
    (void)fputs("--", to);
    for (; *key; key++)
        (void)fputc(*key == '_' ? '-' : *key, to);
}

static void print_default(FILE *to, const struct sv_key *k)
{
    if (k->type == SV_KEY_TEXT)
        (void)fputs(k->text, to);
    else if (k->type == SV_KEY_UINT)
        (void)fprintf(to, "%" PRIu64, k->number);
    else
        (void)fputs(k->number ? "true" : "false", to);
}

void sv_config_print_help(FILE *to)
{
    (void)fputs(
        "Usage: alightd [OPTION]...\n\n"
        "Serves early-exit networks over HTTP until SIGTERM. SIGHUP reads models and\n"
        "configuration again.\n\n"
        "  --config FILE    JSON file with any of the keys below (ALIGHT_CONFIG)\n"
        "  --check          read the configuration and say whether it is sound\n"
        "  --print-page, --print-schema, --print-metrics\n"
        "                   the page of these options, their JSON schema, the page of\n"
        "                   the metrics\n"
        "  --version, --help\n\n"
        "Every option is also an environment variable, ALIGHT_ and the name in\n"
        "capitals with underscores, and a key of the file.\n\n",
        to);
    for (size_t i = 0; i < sv_n_keys; i++) {
        const struct sv_key *k = &sv_keys[i];

        (void)fputs("  ", to);
        print_flag(to, k->name);
        (void)fputs(k->type == SV_KEY_TEXT   ? " TEXT"
                    : k->type == SV_KEY_UINT ? " N"
                                             : "",
                    to);
        (void)fprintf(to, "\n        %s", k->help);
        (void)fputs(" [", to);
        print_default(to, k);
        (void)fputs("]\n", to);
    }
}

void sv_config_print_page(FILE *to)
{
    (void)fputs(
        "# Configuration\n\n"
        "<!-- Made by `alightd --print-page`; do not edit. -->\n\n"
        "`alightd` needs no configuration. What is set is taken from, later ones win: "
        "built-in values, the JSON file\nnamed by `--config` or `ALIGHT_CONFIG`, "
        "environment variables (`ALIGHT_` and the key in capitals), flags (`--` and "
        "the\nkey with dashes). Unknown keys and flags and values out of bounds stop the "
        "start and are named; unknown\nvariables do not, since container platforms set "
        "some of that prefix for a service's name. SIGHUP reads file and\nenvironment again and applies the keys marked "
        "in the last column; it logs the others as needing a restart.\n\n"
        "| key | default | bounds | meaning | SIGHUP |\n|---|---|---|---|---|\n",
        to);
    for (size_t i = 0; i < sv_n_keys; i++) {
        const struct sv_key *k = &sv_keys[i];

        (void)fprintf(to, "| `%s` | `", k->name);
        if (k->type == SV_KEY_TEXT && k->text[0] == '\0')
            (void)fputs("\"\"", to);
        print_default(to, k);
        (void)fputs("` | ", to);
        if (k->type == SV_KEY_UINT)
            (void)fprintf(to, "%" PRIu64 " – %" PRIu64, k->min, k->max);
        (void)fprintf(to, " | %s | %s |\n", k->help, k->reload ? "yes" : "");
    }
}

void sv_config_print_schema(FILE *to)
{
    (void)fputs(
        "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
        "  \"title\": \"alightd configuration\",\n  \"type\": \"object\",\n"
        "  \"additionalProperties\": false,\n  \"properties\": {\n"
        "    \"$schema\": { \"type\": \"string\" }",
        to);
    for (size_t i = 0; i < sv_n_keys; i++) {
        const struct sv_key *k = &sv_keys[i];
        const char *quote = k->type == SV_KEY_TEXT ? "\"" : "";

        (void)fprintf(to, ",\n    \"%s\": { \"type\": \"%s\", \"default\": %s", k->name,
                      k->type == SV_KEY_TEXT   ? "string"
                      : k->type == SV_KEY_UINT ? "integer"
                                               : "boolean",
                      quote);
        print_default(to, k);
        (void)fputs(quote, to);
        if (k->type == SV_KEY_UINT)
            (void)fprintf(to, ", \"minimum\": %" PRIu64 ", \"maximum\": %" PRIu64, k->min,
                          k->max);
        (void)fprintf(to, ",\n      \"description\": \"%s\" }", k->help);
    }
    (void)fputs("\n  }\n}\n", to);
}
