/* feed.h — a data set's pictures as a model's inputs, the way the server makes them. */
#ifndef TL_FEED_H
#define TL_FEED_H

#include <stddef.h>

#include "engine/base/status.h"
#include "package/package.h"
#include "tools/data.h"
#include "tools/trial.h"

/* Opens `spec` for the package's classes; `limit` as in tl_data_params. */
AL_MUST_CHECK enum al_status tl_feed_open(const struct pk_package *p, const char *spec,
                                          size_t limit, struct tl_data **ret,
                                          struct al_error *err);
/* Decodes sample i into `dst`, the package's input. `buf` is the thread's. */
AL_MUST_CHECK enum al_status tl_feed_row(const struct pk_package *p,
                                         const struct tl_data *d, size_t i,
                                         struct tl_buffer *buf, float *dst,
                                         struct al_error *err);
/* Sample that is row i of `n_rows` <= n_samples spread evenly over a set. */
size_t tl_feed_pick(size_t n_samples, size_t n_rows, size_t i);
/* At most `n_rows` samples, those that tl_feed_pick() names. */
AL_MUST_CHECK enum al_status tl_feed_inputs(const struct pk_package *p,
                                            const struct tl_data *d, size_t n_rows,
                                            struct tl_inputs *ret, struct al_error *err);

#endif
