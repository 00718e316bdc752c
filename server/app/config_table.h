/* config_table.h — the rows of SV_CONFIG_LIST at run time, and how one value is set.
 * Shared by the files of the configuration only:
 *   config.c       values: built in, set, compared
 *   config_load.c  where they come from: file, environment, flags
 *   config_docs.c  --help, the page, the schema */
#ifndef SV_APP_CONFIG_TABLE_H
#define SV_APP_CONFIG_TABLE_H

#include <jansson.h>
#include <stddef.h>

#include "server/app/config.h"

enum sv_key_type {
    SV_KEY_TEXT,
    SV_KEY_UINT,
    SV_KEY_FLAG
};

struct sv_key {
    const char *name;
    enum sv_key_type type;
    size_t offset; /* in struct sv_config */
    const char *text;
    uint64_t number, min, max; /* a FLAG's default is `number` */
    bool reload;
    const char *help;
};

extern const struct sv_key sv_keys[];
extern const size_t sv_n_keys;

/* NULL: unknown. */
const struct sv_key *sv_key_find(const char *name);
/* Fills `c`, whatever it held, with the built-in values. */
AL_MUST_CHECK enum al_status sv_config_built_in(struct sv_config *c,
                                                struct al_error *err);
/* One value over the one before; AL_INVALID names the key and what is wrong. */
AL_MUST_CHECK enum al_status sv_key_set_text(struct sv_config *c, const struct sv_key *k,
                                             const char *value, struct al_error *err);
AL_MUST_CHECK enum al_status sv_key_set_json(struct sv_config *c, const struct sv_key *k,
                                             const json_t *value, struct al_error *err);

#endif
