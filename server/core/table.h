/* table.h — the models that can be asked for, by name and version, with the state the
 * repository index shows. Belongs to one thread (the loop); a model found here may be
 * handed to others by reference. */
#ifndef SV_CORE_TABLE_H
#define SV_CORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

struct sv_model;
struct sv_table;

/* One row a state: enum name, name in the repository index (Triton's). */
#define SV_MODEL_STATE_LIST(X) \
    X(LOADING, "LOADING")      \
    X(READY, "READY")          \
    X(UNLOADING, "UNLOADING")  \
    X(UNAVAILABLE, "UNAVAILABLE")

enum sv_model_state {
#define X(id, name) SV_MODEL_##id,
    SV_MODEL_STATE_LIST(X)
#undef X
    SV_N_MODEL_STATES
};
const char *sv_model_state_name(enum sv_model_state s);

struct sv_entry {
    char *name;
    uint32_t version;
    enum sv_model_state state;
    char *reason;           /* why it is not READY, "" for none */
    struct sv_model *model; /* a reference; what is served, NULL: nothing */
    uint64_t tried;         /* stamp of the files last loaded, with whatever success */
};

struct sv_table *sv_table_new(void);
void sv_table_free(struct sv_table *t);

/* The state of a version, with the model to serve: taken over, a reference; what stood
 * there before is let go. With `model` NULL a READY or LOADING entry keeps what it serves
 * (a failed or running reload), any other serves nothing. AL_NO_MEMORY: nothing changed
 * and `model` stays the caller's. */
AL_MUST_CHECK enum al_status sv_table_set(struct sv_table *t, const char *name,
                                          uint32_t version, enum sv_model_state state,
                                          const char *reason, struct sv_model *model);
/* Remembers which files were tried last, if the version is known. */
void sv_table_set_tried(struct sv_table *t, const char *name, uint32_t version,
                        uint64_t stamp);
/* Forgets a version, if it is known. */
void sv_table_remove(struct sv_table *t, const char *name, uint32_t version);

/* Entries by name, versions ascending. Valid until the next change. */
size_t sv_table_n(const struct sv_table *t);
const struct sv_entry *sv_table_at(const struct sv_table *t, size_t i);
/* NULL: not known. */
const struct sv_entry *sv_table_entry(const struct sv_table *t, const char *name,
                                      uint32_t version);
/* The model that answers for a name, version 0: the highest that serves. Not a new
 * reference. NULL: none. */
struct sv_model *sv_table_find(const struct sv_table *t, const char *name,
                               uint32_t version);

#endif
