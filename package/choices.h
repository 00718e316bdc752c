/* choices.h — where measured kernel choices are kept: one file for all models of a user
 * or service, so that the toolbox and the daemon choose alike and load fast. */
#ifndef PK_CHOICES_H
#define PK_CHOICES_H

#include <stdbool.h>
#include <stddef.h>

/* $CACHE_DIRECTORY/kernels (systemd's), else $XDG_CACHE_HOME/alight/kernels, else
 * ~/.cache/alight/kernels; its folder is made. False when there is nowhere to keep it.
 * Reads the environment: call it while nobody changes that. */
bool pk_choices_path(char *path, size_t size);

#endif
