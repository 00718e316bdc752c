/* npy.h — NumPy's .npy files, format versions 1 to 3: little-endian, C order, the numeric
 * types of AL_DTYPE_LIST. Input is hostile: header and sizes are checked before anything
 * is allocated. Stateless. */
#ifndef TL_NPY_H
#define TL_NPY_H

#include <stddef.h>

#include "engine/base/status.h"
#include "engine/base/tensor.h"

/* A view of the array in a file's bytes: `ret->data` points into `bytes`, aligned only as
 * the file is. Fortran order is accepted where it means nothing (at most one dimension
 * longer than 1). */
AL_MUST_CHECK enum al_status tl_npy_parse(const void *bytes, size_t size,
                                          struct al_tensor *ret, struct al_error *err);
/* Reads a file into a new tensor; free `ret->data`. */
AL_MUST_CHECK enum al_status tl_npy_read(const char *path, struct al_tensor *ret,
                                         struct al_error *err);
/* BF16, which NumPy does not know, is AL_UNSUPPORTED. */
AL_MUST_CHECK enum al_status tl_npy_write(const char *path, const struct al_tensor *t,
                                          struct al_error *err);

#endif
