#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "package/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any text is a list of names, none of them empty, or an error. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char **labels;
    size_t n;

    if (pk_labels_parse((const char *)data, size, &labels, &n, NULL) != AL_OK)
        return 0;
    assert(n >= 1);
    for (size_t i = 0; i < n; i++)
        assert(strlen(labels[i]) >= 1 && strlen(labels[i]) <= size);
    free(labels);
    return 0;
}
