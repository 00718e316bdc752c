/* place.h — the second half of building a plan: aliases, lifetimes and places (place.c),
 * then the final steps (finish.c). Private to exec/. */
#ifndef AL_EXEC_PLACE_H
#define AL_EXEC_PLACE_H

#include "engine/exec/build.h"

/* Gives every buffer its place and sets the plan's bytes. */
AL_MUST_CHECK enum al_status al_place_all(struct al_builder *b, struct al_plan *plan,
                                          struct al_error *err);
/* Finishes every draft and fills what is left of the plan. */
AL_MUST_CHECK enum al_status al_finish_all(struct al_builder *b, struct al_plan *plan,
                                           struct al_error *err);

/* The buffer that `buffer` lies in, itself included. */
uint32_t al_place_root(const struct al_builder *b, uint32_t buffer);
/* First channel block of `buffer` inside its root. */
uint32_t al_place_block(const struct al_builder *b, uint32_t buffer);
/* `*halo` becomes at least `more` on every side. */
void al_place_widen(struct al_halo *halo, const struct al_halo *more);
/* `inner`, a root, comes to lie inside `outer` from channel block `block` on. */
void al_place_inside(struct al_builder *b, uint32_t inner, uint32_t outer,
                     uint32_t block);

#endif
