/* alight — the toolbox: finds the command, parses its options, reports its failure.
 * Exit status: 0 done, 1 failed, 2 the command line is wrong. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/printable.h"

enum {
    DONE = 0,
    FAILED = 1,
    MISUSED = 2
};

static const struct tl_command *const commands[] = {
    &tl_cmd_calibrate, &tl_cmd_evaluate, &tl_cmd_bench, &tl_cmd_inspect, &tl_cmd_run,
};
enum {
    N_COMMANDS = sizeof(commands) / sizeof(commands[0])
};

static void print_help(FILE *out)
{
    (void)fputs(
        "Usage: alight COMMAND [ARGUMENT OR OPTION]...\n\n"
        "Tools for early-exit classifiers. COMMAND is one of\n\n",
        out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        (void)fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    (void)fputs("\n'alight COMMAND --help' tells more.\n", out);
}

/* What was printed must have arrived: a full disk is a failure. */
static int finish_output(void)
{
    if (ferror(stdout) == 0 && fflush(stdout) == 0)
        return DONE;
    (void)fprintf(stderr, "alight: cannot write to standard output: %s\n",
                  strerrordesc_np(errno));
    return FAILED;
}

static const struct tl_command *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static int run_command(const struct tl_command *c, int argc, char **argv, void *values)
{
    struct al_error err = { .text = "" };
    bool help;

    memcpy(values, c->defaults, c->values_size);
    if (tl_options_parse(c, argc, argv, values, &help, &err) != AL_OK) {
        (void)fprintf(stderr, "alight %s: %s\nsee 'alight %s --help'\n", c->name,
                      err.text, c->name);
        return MISUSED;
    }
    if (help) {
        tl_options_help(c, stdout);
        return finish_output();
    }
    if (c->run(values, &err) != AL_OK) {
        (void)fprintf(stderr, "alight %s: %s\n", c->name, tl_printable(err.text).text);
        return FAILED;
    }
    return finish_output();
}

static int misused(const char *name)
{
    (void)fprintf(stderr, "alight: no command '%s'; see 'alight --help'\n", name);
    return MISUSED;
}

/* `alight help [COMMAND]` */
static int help(const char *name)
{
    const struct tl_command *c = name ? find_command(name) : NULL;

    if (name && !c)
        return misused(name);
    if (c)
        tl_options_help(c, stdout);
    else
        print_help(stdout);
    return finish_output();
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return MISUSED;
    }
    if (tl_is_help(argv[1]) || strcmp(argv[1], "help") == 0)
        return help(argv[2]); /* NULL behind the last */
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("alight " ALIGHT_VERSION);
        return finish_output();
    }
    const struct tl_command *c = find_command(argv[1]);
    void *values = c ? malloc(c->values_size) : NULL;

    if (!c)
        return misused(argv[1]);
    if (!values)
        return FAILED;
    tl_output_tidy_on_signals();
    const int status = run_command(c, argc - 1, argv + 1, values);

    free(values);
    return status;
}
