/* maps.h — what families of blocked activations share. Private to exec/. */
#ifndef AL_EXEC_MAPS_H
#define AL_EXEC_MAPS_H

#include "engine/exec/build.h"

/* Drafts a step from the node's first input to its first output, both blocked. With
 * `in_place` the result may overwrite the operand. */
AL_MUST_CHECK enum al_status al_maps_lower(struct al_builder *b, uint32_t node,
                                           bool in_place, al_finish_fn finish,
                                           struct al_error *err);

/* Elementwise from in[0] (and in[1] if it is a map of the same shape) to out[0], with the
 * node's epilogue. */
struct al_eltwise al_maps_eltwise(const struct al_builder *b, const struct al_draft *d);
/* Channels of the buffer's value rounded up to whole blocks. */
size_t al_maps_channels(const struct al_builder *b, uint32_t buffer);
/* Whether somebody reads the buffer with padding around it. */
bool al_maps_has_halo(const struct al_builder *b, uint32_t buffer);

#endif
