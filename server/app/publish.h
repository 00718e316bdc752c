/* publish.h — what a finished load makes of the table of models. Loop thread only. */
#ifndef SV_APP_PUBLISH_H
#define SV_APP_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "server/app/load.h"
#include "server/app/log.h"
#include "server/core/table.h"

/* Versions, since the start; one that is tried again counts again. */
struct sv_load_counts {
    uint64_t n_loaded, n_failed;
};

struct sv_publisher {
    struct sv_table *table;
    struct sv_log *log;
    struct sv_load_counts counts;
};

/* Puts what was loaded into the table, whose references they become, and takes out what
 * is gone from the disk; what failed leaves the old one serving, with the reason. With
 * `only_asked`, of a package that nobody but a client has ever named, a name that is not
 * on the disk leaves no trace: anybody may ask for any. The failure, in `load`, or NULL.
 */
const struct al_error *sv_publish(struct sv_publisher *p, struct sv_load *load,
                                  bool only_asked);

#endif
