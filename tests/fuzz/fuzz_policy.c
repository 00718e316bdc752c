#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "package/policy_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted can be written, and what is written is accepted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pk_policy_model model = { .n_exits = 2,
                                                  .exit_names = { "branch1", "final" },
                                                  .sha256 = "00" };
    enum al_precision precision;
    struct al_policy policy;
    struct al_error err;
    char *text;
    size_t text_size;

    if (pk_policy_parse((const char *)data, size, &model, &policy, &precision, &err) !=
        AL_OK)
        return 0;
    if (pk_policy_format(&policy, &model, &text, &text_size, &err) != AL_OK)
        abort();
    free(text);
    return 0;
}
