/* reorder.h — the step between the plain and the blocked form. Private to exec/. */
#ifndef AL_EXEC_REORDER_H
#define AL_EXEC_REORDER_H

#include "engine/exec/build.h"

/* Drafts a step that puts `value`, which lies in buffer `from`, into `form`. */
AL_MUST_CHECK enum al_status al_reorder_draft(struct al_builder *b, uint32_t value,
                                              uint32_t from, enum al_form form,
                                              uint32_t *ret, struct al_error *err);

#endif
