/* selection.h — values nobody has written: a channel list says in which blocked buffers
 * their channels lie. Shuffles, splits and joins of channels only make lists; a step that
 * gathers the channels is drafted when the value is read, and then straight from where
 * they were computed. Private to exec/.
 *
 * "Channels" are what the dimensions before the last two count together, so a value need
 * not have four dimensions: those of a map's list keep their order under a reshape of the
 * leading ones. */
#ifndef AL_EXEC_SELECTION_H
#define AL_EXEC_SELECTION_H

#include "engine/exec/build.h"

struct al_channel {
    uint32_t buffer; /* blocked */
    int32_t channel; /* of the buffer's value */
};

struct al_selection {
    uint32_t value, node, slot; /* slot: of the node */
    size_t n;
    const struct al_channel *at;     /* n of them, all of one height and width */
    const struct al_selection *next; /* of the same value */
};

/* The list that is known for `value` in the part being built, or NULL. */
const struct al_selection *al_selection_find(const struct al_builder *b, uint32_t value);
/* `value`, an output of `node`, is the channels at[0..n) (of the builder's memory). */
AL_MUST_CHECK enum al_status al_selection_add(struct al_builder *b, uint32_t value,
                                              uint32_t node, const struct al_channel *at,
                                              size_t n, struct al_error *err);
/* Writes the selection's value: a buffer in `form`, by a step or, where the channels lie
 * in one buffer as they are asked for, as an alias. Blocked needs a map. */
AL_MUST_CHECK enum al_status al_selection_read(struct al_builder *b,
                                               const struct al_selection *s,
                                               enum al_form form, uint32_t *ret,
                                               struct al_error *err);

#endif
