/* parallel.h — a loop over independent items on a few threads. */
#ifndef TL_PARALLEL_H
#define TL_PARALLEL_H

#include <stddef.h>

#include "engine/base/status.h"

/* Works on one item; `worker` < n_threads tells whose memory to use. */
typedef enum al_status (*tl_work_fn)(void *arg, size_t worker, size_t item,
                                     struct al_error *err);

/* Runs every item once; items are handed out in order. Stops at a failure and returns it.
 */
AL_MUST_CHECK enum al_status tl_parallel(size_t n_threads, size_t n_items, tl_work_fn fn,
                                         void *arg, struct al_error *err);
/* CPUs this process may run on. */
size_t tl_usable_cpus(void);

#endif
