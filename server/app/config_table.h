/* config_table.h — the rows of SV_CONFIG_LIST at run time. */
#ifndef SV_APP_CONFIG_TABLE_H
#define SV_APP_CONFIG_TABLE_H

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

#endif
