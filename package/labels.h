/* labels.h — labels.txt: the name of class i in line i, in UTF-8. */
#ifndef PK_LABELS_H
#define PK_LABELS_H

#include <stddef.h>

#include "engine/base/status.h"

#define PK_MAX_LABELS 1000000

/* `*ret` is one block of memory: free() it. The last line may lack its line end; a byte
 * order mark is no part of the first. */
AL_MUST_CHECK enum al_status pk_labels_parse(const char *text, size_t size, char ***ret,
                                             size_t *ret_n, struct al_error *err);

#endif
