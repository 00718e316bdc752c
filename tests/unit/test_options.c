#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tools/options.h"

struct values {
    const char *model;
    const char *data;
    struct tl_strings inputs;
    struct tl_reals levels;
    double confidence;
    size_t limit;
    bool json;
};

static const struct values defaults = { .levels = { 2, { 0.01, 0.02 } },
                                        .confidence = 0.95 };

static const struct tl_option options[] = {
    { "MODEL", TL_STRING, offsetof(struct values, model), NULL, "package" },
    { "--data", TL_STRING, offsetof(struct values, data), "SET", "pictures",
      .required = true },
    { "--input", TL_STRINGS, offsetof(struct values, inputs), "X", "inputs" },
    { "--levels", TL_REALS, offsetof(struct values, levels), "LOSS,...", "losses", 0, 1 },
    { "--confidence", TL_REAL, offsetof(struct values, confidence), "P", "how sure", 0.5,
      1 },
    { "--limit", TL_SIZE, offsetof(struct values, limit), "N", "at most", 0, 1e9 },
    { "--json", TL_FLAG, offsetof(struct values, json), NULL, "as JSON" },
};

/* --json leaves no room for inputs. */
static enum al_status check(const void *values, struct al_error *err)
{
    const struct values *v = values;

    return v->json && v->inputs.n > 2
               ? al_fail(err, AL_INVALID, "either --json or inputs")
               : AL_OK;
}

static const struct tl_command command = {
    .name = "test",
    .description = "Tests.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .defaults = &defaults,
    .values_size = sizeof(defaults),
    .check = check,
};

enum {
    MAX_WORDS = 64
};

/* Parses the words of `line`, split in place at spaces. */
static enum al_status parse(char *line, struct values *v, struct al_error *err)
{
    char *argv[MAX_WORDS + 1] = { NULL };
    int argc = 0;
    char *rest = NULL;
    bool help;

    for (char *w = strtok_r(line, " ", &rest); w && argc < MAX_WORDS;
         w = strtok_r(NULL, " ", &rest))
        argv[argc++] = w;
    *v = defaults;
    return tl_options_parse(&command, argc, argv, v, &help, err);
}

static void values_are_taken_in_both_spellings(void **state)
{
    char line[] =
        "test --data a,b --limit=12 dir --json --levels .5,1 --input x=1 --input y=2";
    struct values v;

    (void)state;
    assert_int_equal(parse(line, &v, NULL), AL_OK);
    assert_string_equal(v.model, "dir");
    assert_string_equal(v.data, "a,b");
    assert_int_equal(v.limit, 12);
    assert_true(v.json);
    assert_int_equal(v.levels.n, 2);
    assert_true(v.levels.v[0] >= 0.5 && v.levels.v[0] <= 0.5);
    assert_int_equal(v.inputs.n, 2);
    assert_string_equal(v.inputs.v[1], "y=2");
    assert_true(v.confidence > 0.94 && v.confidence < 0.96);
}

static void what_follows_two_dashes_is_no_option(void **state)
{
    char line[] = "test --data d -- --json";
    struct values v;

    (void)state;
    assert_int_equal(parse(line, &v, NULL), AL_OK);
    assert_string_equal(v.model, "--json");
    assert_false(v.json);
}

static void wrong_lines_are_refused_by_name(void **state)
{
    static const struct {
        const char *line, *says;
    } wrong[] = {
        { "test --data d", "MODEL is missing" },
        { "test dir", "--data is missing" },
        { "test dir --data", "--data needs a value" },
        { "test dir --data d extra", "unexpected argument 'extra'" },
        { "test dir --data d --speed 3", "unknown option '--speed'" },
        { "test dir --data d --lim 3", "unknown option '--lim'" },
        { "test dir --data d --limit x", "'x' is not a number" },
        { "test dir --data d --limit 1.5", "not a whole number" },
        { "test dir --data d --limit 1,2", "takes one number" },
        { "test dir --data d --limit 1000000001", "1000000001 is not between 0 and 100" },
        { "test dir --data d --limit -1", "--limit: -1 is not between" },
        { "test dir --data d --confidence 1.5", "1.5 is not between 0.5 and 1" },
        { "test dir --data d --confidence nan", "is not between" },
        { "test dir --data d --levels 0.1,,0.2", "is not a number" },
        { "test dir --data d --levels 0.1,2", "2 is not between" },
        { "test dir --data d --json=yes", "takes no value" },
        { "test dir --data d --limit 1 --data e", "--data is given twice" },
        { "test dir --data d --json --input x --input y --input z", "either --json or" },
        { "test dir --data d "
          "--levels 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0",
          "more than 32 numbers" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char line[256];
        struct al_error err;
        struct values v;

        (void)snprintf(line, sizeof(line), "%s", wrong[i].line);
        assert_int_equal(parse(line, &v, &err), AL_INVALID);
        if (!strstr(err.text, wrong[i].says))
            fail_msg("'%s' says '%s'", wrong[i].line, err.text);
    }
}

static void help_is_seen_before_anything_is_missing(void **state)
{
    char name[] = "test", asks[] = "--help";
    char *argv[] = { name, asks, NULL };
    struct values v = defaults;
    bool help = false;

    (void)state;
    assert_int_equal(tl_options_parse(&command, 2, argv, &v, &help, NULL), AL_OK);
    assert_true(help);
}

static void help_tells_every_option_and_its_default(void **state)
{
    char text[4096] = "";
    FILE *f = fmemopen(text, sizeof(text) - 1, "w");

    (void)state;
    assert_non_null(f);
    tl_options_help(&command, f);
    (void)fclose(f);
    for (size_t i = 0; i < command.n_options; i++)
        assert_non_null(strstr(text, options[i].name));
    assert_non_null(strstr(text, "(0.95)"));
    assert_non_null(strstr(text, "(0.01,0.02)"));
    assert_non_null(strstr(text, "Usage: alight test MODEL --data SET"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_taken_in_both_spellings),
        cmocka_unit_test(what_follows_two_dashes_is_no_option),
        cmocka_unit_test(wrong_lines_are_refused_by_name),
        cmocka_unit_test(help_is_seen_before_anything_is_missing),
        cmocka_unit_test(help_tells_every_option_and_its_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
