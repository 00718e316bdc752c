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
    free(r->row_memory);
    sv_model_unref(r->model);
    *r = (struct sv_request){ .state = SV_REQUEST_DONE };
}

enum al_status sv_request_alloc_rows(struct sv_request *r, size_t row_bytes,
                                     struct al_error *err)
{
    uint32_t n_rows = r->n_rows;
    size_t stride, total;
    struct sv_row *rows;
    void *memory;

    if (!al_add(row_bytes, ROW_ALIGN - 1, &stride))
        return al_fail(err, AL_TOO_LARGE, "rows of %zu bytes", row_bytes);
    stride &= ~(size_t)(ROW_ALIGN - 1);
    if (!al_mul(stride, n_rows, &total))
        return al_fail(err, AL_TOO_LARGE, "%u rows of %zu bytes", n_rows, row_bytes);
    rows = calloc(n_rows, sizeof(*rows));
    memory = aligned_alloc(ROW_ALIGN, total ? total : ROW_ALIGN);
    if (!rows || !memory) {
        free(rows);
        free(memory);
        return al_fail(err, AL_NO_MEMORY, "%u rows of %zu bytes", n_rows, row_bytes);
    }
    for (uint32_t i = 0; i < n_rows; i++) {
        rows[i].request = r;
        rows[i].index = i;
        rows[i].data = (char *)memory + stride * i;
        rows[i].rule = r->rule;
        rows[i].exit = SV_NO_EXIT;
    }
    r->rows = rows;
    r->row_memory = memory;
    return AL_OK;
}
