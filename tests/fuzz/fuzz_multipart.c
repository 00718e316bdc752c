#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "server/proto/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parts lie in the body, in order, and there are as many as were counted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *body = (const char *)data, *part, *behind = body;
    struct sv_multipart m;
    struct al_error err;
    size_t part_size, n, seen = 0;

    if (sv_multipart_init(&m, "multipart/form-data; boundary=b", body, size, &err) !=
            AL_OK ||
        sv_multipart_count(m, 100, &n, &err) != AL_OK)
        return 0;
    for (; sv_multipart_next(&m, &part, &part_size); seen++) {
        assert(part >= behind && part + part_size <= body + size);
        behind = part + part_size;
    }
    assert(seen == n);
    return 0;
}
