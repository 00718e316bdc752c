/* output.h — a file that appears whole or not at all: it is written beside its place and
 * renamed into it at the end. Links to regular files are followed. What is there and no
 * regular file (a pipe, a device), or is the name of an open descriptor (/dev/stdout), is
 * written in place. One file at a time; any thread, but the same from open to end. */
#ifndef TL_OUTPUT_H
#define TL_OUTPUT_H

#include <stdio.h>

#include "engine/base/status.h"

struct tl_output {   /* zeroed: nothing open */
    FILE *file;      /* to write to */
    char *path;      /* as given */
    char *place;     /* where the file is to appear; NULL: written in place */
    char *temporary; /* where it is written until then */
};

/* Signals that end the process remove the unfinished file first; those that are ignored
 * stay so. For main, before the first thread. */
void tl_output_tidy_on_signals(void);

/* Errors name the path. */
AL_MUST_CHECK enum al_status tl_output_open(const char *path, struct tl_output *ret,
                                            struct al_error *err);
/* Closes the file and puts it into its place; drops it when anything was not written. */
AL_MUST_CHECK enum al_status tl_output_commit(struct tl_output *o, struct al_error *err);
/* Closes the file and leaves nothing of it. */
void tl_output_drop(struct tl_output *o);

#endif
