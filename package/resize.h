/* resize.h — a window of a resized picture, so that a crop of an elongated picture costs
 * what is kept of it and no more. Pure; any thread. */
#ifndef PK_RESIZE_H
#define PK_RESIZE_H

#include <stdint.h>

#include "engine/base/status.h"
#include "package/image.h"

/* Of one axis resized to `full` pixels, those in [start, start + length). */
struct pk_span {
    uint32_t full, start, length;
};

/* Bit-identical to resizing the whole and cutting the window out. */
AL_MUST_CHECK enum al_status pk_resize_window(const struct pk_image *src,
                                              struct pk_span columns, struct pk_span rows,
                                              enum pk_filter filter, struct pk_image *ret,
                                              struct al_error *err);

#endif
