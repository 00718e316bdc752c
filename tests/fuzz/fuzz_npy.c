#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes are an array that lies within them, or an error. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct al_tensor t;

    if (tl_npy_parse(data, size, &t, NULL) != AL_OK)
        return 0;
    const uint8_t *start = t.data;

    assert(start >= data && start + al_tensor_bytes(&t) == data + size);
    return 0;
}
