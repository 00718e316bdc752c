#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

#define LIMIT    ((size_t)32 << 20)
#define MAX_MACS 1000000
#define MAX_ROW  ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small enough to run for every input of the corpus. */
static bool is_small(const struct al_model *m)
{
    uint64_t macs = 0;

    for (size_t i = 0; i < al_model_n_steps(m); i++)
        macs += al_model_step(m, i).macs;
    return macs < MAX_MACS && al_model_row_bytes(m) < MAX_ROW;
}

static void run(const struct al_model *m)
{
    struct al_workspace *ws = al_workspace_new();
    size_t bytes = (al_model_row_bytes(m) + 64) & ~(size_t)63;
    struct al_stage_row row = { .row = aligned_alloc(64, bytes) };

    assert(ws && row.row);
    memset(row.row, 0, bytes);
    if (al_workspace_reserve(ws, m, NULL) == AL_OK)
        al_stage_run(m, ws, 0, 1, &row, NULL);
    free(row.row);
    al_workspace_free(ws);
}

/* Any bytes become a model that runs, or an error that says something. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct al_model_params p = { .onnx = data,
                                 .onnx_bytes = size,
                                 .cpu_mask = UINT32_MAX,
                                 .max_rows = 1,
                                 .memory_limit_bytes = LIMIT };
    struct al_error err = { 0 };
    struct al_model *m = NULL;

    if (al_model_load(&p, &m, &err) != AL_OK) {
        assert(err.text[0]);
        return 0;
    }
    if (is_small(m))
        run(m);
    al_model_free(m);
    return 0;
}
