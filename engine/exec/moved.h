/* moved.h — values nobody has written in their own order: their elements lie in a plain
 * buffer in another one, or with others between. Transposes, and splits and reshapes of
 * what they make, only say where the elements are; a step that copies them is drafted
 * when the value is read, unless the reader can do with them as they lie. Private to
 * exec/.
 *
 * Element i of the value is found by nested loops, outermost first, that count through
 * its elements in row-major order; each has the distance its count moves in the buffer.
 */
#ifndef AL_EXEC_MOVED_H
#define AL_EXEC_MOVED_H

#include "engine/exec/build.h"

struct al_loop {
    size_t count, step;
};

struct al_moved {
    uint32_t buffer, slot; /* slot: of the node that moved them */
    size_t first;          /* element of the buffer */
    size_t n;              /* as few loops as can say it */
    struct al_loop loops[AL_MAX_DIMS];
    const struct al_moved *next; /* of the same value */
};

/* What is known of `value` in the part being built, or NULL. */
const struct al_moved *al_moved_find(const struct al_builder *b, uint32_t value);
/* `value` is where `from` says: its buffer, first and loops, of which those that follow
 * one another are made one. */
AL_MUST_CHECK enum al_status al_moved_add(struct al_builder *b, uint32_t value,
                                          const struct al_moved *from,
                                          struct al_error *err);
/* Elements of the buffer between neighbours along each dimension of `shape`, 0 along
 * those of 1; false when the loops do not keep to dimensions. */
bool al_moved_steps(const struct al_moved *m, const struct al_shape *shape,
                    size_t steps[AL_MAX_DIMS]);
/* Writes `value` in its own order: a plain buffer, by a step or, where the elements lie
 * together, as an alias. */
AL_MUST_CHECK enum al_status al_moved_read(struct al_builder *b, uint32_t value,
                                           const struct al_moved *m, uint32_t *ret,
                                           struct al_error *err);
/* Where the elements of float `value` lie, which is read as it is: moved, or plain. */
AL_MUST_CHECK enum al_status al_moved_where(struct al_builder *b, uint32_t value,
                                            struct al_moved *ret, struct al_error *err);

#endif
