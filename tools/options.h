/* options.h — command lines from tables. One table per command says name, type, bounds
 * and help of every option; parsing, --help and the documentation all read it. Values
 * land in the command's own struct, whose initial contents are the defaults. */
#ifndef TL_OPTIONS_H
#define TL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "engine/base/status.h"

#define TL_MAX_LIST 32

struct tl_strings { /* of an option given several times */
    size_t n;
    const char *v[TL_MAX_LIST];
};

struct tl_reals { /* of a comma-separated list */
    size_t n;
    double v[TL_MAX_LIST];
};

/* Type of an option -> type of its field. */
enum tl_option_type {
    TL_FLAG,    /* bool, takes no value */
    TL_STRING,  /* const char * */
    TL_STRINGS, /* struct tl_strings */
    TL_SIZE,    /* size_t, min..max */
    TL_REAL,    /* double, min..max */
    TL_REALS,   /* struct tl_reals, each min..max */
};

/* Fields in the order tables are written in, not the tightest. */
struct tl_option {    /* NOLINT(clang-analyzer-optin.performance.Padding) */
    const char *name; /* "--data"; without dashes: a required argument, filled in order */
    enum tl_option_type type;
    size_t offset;     /* of the field */
    const char *value; /* how help calls the value: "FILE"; NULL for a flag */
    const char *help;
    double min, max; /* of numbers, inclusive */
    bool required;
};

struct tl_command {
    const char *name, *summary, *description;
    const struct tl_option *options;
    size_t n_options;
    const void *defaults; /* the command's struct ... */
    size_t values_size;   /* ... and its size */
    /* What the table cannot say about values: names, orders, what excludes what. May be
     * NULL. */
    enum al_status (*check)(const void *values, struct al_error *err);
    enum al_status (*run)(const void *values, struct al_error *err);
};

bool tl_is_help(const char *word); /* --help, -h */
/* Parses argv[1..] (argv[0] is the command's name) into `values`, which holds the
 * defaults. Only a TL_STRINGS may be given more than once. Strings stay owned by argv.
 * `*ret_help` is set, and the rest left unchecked, when --help is asked for. AL_INVALID
 * names the option and what it wants. */
AL_MUST_CHECK enum al_status tl_options_parse(const struct tl_command *c, int argc,
                                              char **argv, void *values, bool *ret_help,
                                              struct al_error *err);
void tl_options_help(const struct tl_command *c, FILE *out);

#endif
