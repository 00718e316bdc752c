#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "package/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pk_manifest m;
    struct al_error err;

    if (pk_manifest_parse((const char *)data, size, &m, &err) != AL_OK)
        return 0;
    assert(m.max_batch >= 1 && m.max_batch <= PK_MAX_BATCH);
    assert(m.n_exits <= AL_MAX_EXITS);
    assert(!m.has_input || (m.input.width >= 1 && m.input_tensor));
    pk_manifest_done(&m);
    return 0;
}
