/* share.h — divides a step's tiles among the threads of a run's team. Private to
 * exec/. */
#ifndef AL_EXEC_SHARE_H
#define AL_EXEC_SHARE_H

#include "engine/exec/plan.h"

typedef void (*al_tiles_fn)(void *arg, size_t begin, size_t end, void *scratch);

/* Calls fn for ranges that together cover [0, n_tiles), each thread with its own scratch;
 * one call on the calling thread when there is no team or too little to share. */
void al_share(struct al_run *r, const struct al_step *s, size_t n_tiles, al_tiles_fn fn,
              void *arg);

#endif
