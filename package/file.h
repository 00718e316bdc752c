/* file.h — whole files, bounded. */
#ifndef PK_FILE_H
#define PK_FILE_H

#include <stddef.h>

#include "engine/base/status.h"

/* Reads a regular file of at most `max_bytes` into malloc'ed memory, followed by a NUL.
 * AL_NOT_FOUND: there is none. Errors name the path. */
AL_MUST_CHECK enum al_status pk_file_read(const char *path, size_t max_bytes, char **ret,
                                          size_t *ret_size, struct al_error *err);
/* Gives whole pages of what was read back to the system; they hold zeros from then on. To
 * be al_model_params.forget; `arg` is not used. */
void pk_file_forget(void *arg, const void *bytes, size_t n);
/* SHA-256 (FIPS 180-4) as 64 hexadecimal digits. */
void pk_sha256(const void *data, size_t size, char ret[65]);

#endif
