#include "server/core/request.h"

#include <stdlib.h>

#include "engine/base/check.h"
#include "server/core/model.h"

#define ROW_ALIGN 64 /* what the engine asks for */

void sv_request_init(struct sv_request *r, struct sv_model *model)
{
    *r = (struct sv_request){
        .model = sv_model_ref(model),
        .n_rows = 1,
        .priority = SV_PRIORITY_DEFAULT,
        .deadline_ns = SV_NO_DEADLINE,
        .rule = al_exit_rule_full(),
    };
}

void sv_request_done(struct sv_request *r)
{
    free(r->rows);
    sv_model_unref(r->model);
    *r = (struct sv_request){ .state = SV_REQUEST_DONE };
}

enum al_status sv_request_alloc_rows(struct sv_request *r, size_t row_bytes,
                                     struct al_error *err)
{
    uint32_t n_rows = r->n_rows;
    size_t rows_bytes = n_rows * sizeof(struct sv_row), stride, total;
    struct sv_row *rows;
    uintptr_t memory;

    if (!al_add(row_bytes, ROW_ALIGN - 1, &stride))
        return al_fail(err, AL_TOO_LARGE, "rows of %zu bytes", row_bytes);
    stride &= ~(size_t)(ROW_ALIGN - 1);
    if (!al_mul(stride, n_rows, &total) ||
        !al_add(total, rows_bytes + ROW_ALIGN - 1, &total))
        return al_fail(err, AL_TOO_LARGE, "%u rows of %zu bytes", n_rows, row_bytes);
    rows = malloc(total);
    if (!rows)
        return al_fail(err, AL_NO_MEMORY, "%u rows of %zu bytes", n_rows, row_bytes);
    memory = ((uintptr_t)rows + rows_bytes + ROW_ALIGN - 1) & ~(uintptr_t)(ROW_ALIGN - 1);
    for (uint32_t i = 0; i < n_rows; i++)
        rows[i] = (struct sv_row){ .request = r,
                                   .index = i,
                                   .data = (void *)(memory + stride * i),
                                   .rule = r->rule,
                                   .exit = SV_NO_EXIT };
    r->rows = rows;
    return AL_OK;
}
