#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "server/app/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A configuration file is refused with a text, or every setting is within its bounds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv_config c;
    struct al_error err = { 0 };

    if (sv_config_parse((const char *)data, size, &c, &err) != AL_OK)
        assert(err.text[0]);
    else {
#define TEXT(key, value, reload, help)           assert(strlen(c.key) <= size + 100);
#define UINT(key, value, min, max, reload, help) assert(c.key - (min) <= (max) - (min));
#define FLAG(key, value, reload, help)           assert(c.key == true || c.key == false);
        SV_CONFIG_LIST(TEXT, UINT, FLAG)
#undef TEXT
#undef UINT
#undef FLAG
    }
    sv_config_done(&c);
    return 0;
}
