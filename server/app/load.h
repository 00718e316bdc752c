/* load.h — the work of loading one package: no table, no loop, any one thread. */
#ifndef SV_APP_LOAD_H
#define SV_APP_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "server/app/pool.h"
#include "server/core/model.h"

#define SV_MAX_VERSIONS 64 /* of one package */

/* One version: what was known of it before, and what became of it. */
struct sv_loaded {
    uint32_t version;
    uint64_t stamp; /* of its files; equal to the known one: not loaded again */
    bool unchanged;
    struct sv_model *model; /* a reference; NULL: `error` says why, or unchanged */
    struct al_error error;
};

struct sv_known {
    uint32_t version;
    uint64_t stamp;
};

struct sv_load {
    /* In. */
    const char *folder, *name;
    char *rules; /* which versions, see versions.h; owned by whoever fills this in */
    enum al_precision precision;
    unsigned cpu_mask;
    struct sv_pool *pool;
    uint64_t start_ns;
    size_t n_known;
    struct sv_known known[SV_MAX_VERSIONS];
    /* Out. */
    struct al_error error; /* of the package as a whole; status AL_OK without one */
    size_t n_skipped;      /* the oldest versions, when there are too many */
    size_t n;
    struct sv_loaded versions[SV_MAX_VERSIONS];
};

void sv_load_run(struct sv_load *l);

/* Names of the subfolders of `folder` but hidden ones, sorted, malloc'ed. */
AL_MUST_CHECK enum al_status sv_load_list(const char *folder, char ***ret, size_t *ret_n,
                                          struct al_error *err);
void sv_load_list_free(char **names, size_t n);
/* Whether `name` may be a package: no path, nothing hidden, and not what
 * /v2/models/stats means. */
bool sv_load_is_name(const char *name);

#endif
