/* output.h — a file that appears whole or not at all: it is written beside its place and
 * renamed into it at the end. What is there and no regular file (a pipe, /dev/stdout, a
 * link) is written in place. */
#ifndef TL_OUTPUT_H
#define TL_OUTPUT_H

#include <stdio.h>

#include "engine/base/status.h"

struct tl_output { /* zeroed: nothing open */
    FILE *file;    /* to write to */
    char *path;
    char *temporary; /* where it is written until then; NULL: in place */
};

/* Errors name the path. */
AL_MUST_CHECK enum al_status tl_output_open(const char *path, struct tl_output *ret,
                                            struct al_error *err);
/* Closes the file and puts it into its place; drops it when anything was not written. */
AL_MUST_CHECK enum al_status tl_output_commit(struct tl_output *o, struct al_error *err);
/* Closes the file and leaves nothing of it. */
void tl_output_drop(struct tl_output *o);

#endif
