#include "tools/runner.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "engine/base/check.h"

struct tl_runner {
    const struct al_model *model;
    struct al_workspace *workspace;
    struct al_team *team;      /* NULL: the calling thread alone */
    uint8_t *memory;           /* of the rows, row_bytes apart */
    size_t row_stride;         /* bytes, a multiple of 64 */
    struct al_stage_row *rows; /* [n_rows] those still on their way, in front */
    size_t *index;             /* [n_rows] which row each of `rows` is */
};

enum al_status tl_runner_new(const struct al_model *m, size_t n_rows,
                             struct tl_runner **ret, struct al_error *err)
{
    struct tl_runner *r = calloc(1, sizeof(*r));
    size_t total;

    if (!r)
        goto fail;
    r->model = m;

    r->row_stride = (al_model_row_bytes(m) + 63) / 64 * 64;
    if (!al_mul(r->row_stride, n_rows, &total))
        goto fail;
    r->memory = aligned_alloc(64, total);
    r->rows = calloc(n_rows, sizeof(*r->rows));
    r->index = calloc(n_rows, sizeof(*r->index));
    r->workspace = al_workspace_new();
    if (!r->memory || !r->rows || !r->index || !r->workspace)
        goto fail;
    const enum al_status s = al_workspace_reserve(r->workspace, m, err);

    if (s != AL_OK) {
        tl_runner_free(r);
        return s;
    }
    *ret = r;
    return AL_OK;
fail:
    tl_runner_free(r);
    return al_fail(err, AL_NO_MEMORY, "%zu rows of %zu bytes", n_rows,
                   al_model_row_bytes(m));
}

void tl_runner_set_team(struct tl_runner *r, struct al_team *team)
{
    r->team = team;
}

void tl_runner_free(struct tl_runner *r)
{
    if (!r)
        return;
    al_workspace_free(r->workspace);
    free(r->index);
    free(r->rows);
    free(r->memory);
    free(r);
}

static void *row_memory(const struct tl_runner *r, size_t i)
{
    return r->memory + i * r->row_stride;
}

void *tl_runner_input(struct tl_runner *r, size_t i, size_t input)
{
    return al_row_input(r->model, row_memory(r, i), input);
}

const void *tl_runner_output(const struct tl_runner *r, size_t i, size_t output)
{
    return al_row_output(r->model, row_memory(r, i), output);
}

/* Notes the answers of rows that leave, all of them after the last stage (a plain graph
 * decides nothing); the others close ranks. Returns how many stay. */
static size_t settle(struct tl_runner *r, size_t n, uint32_t stage,
                     struct tl_answer *answers)
{
    const bool last = stage + 1 == al_model_n_stages(r->model);
    size_t n_stay = 0;

    for (size_t i = 0; i < n; i++) {
        const struct al_stage_row *row = &r->rows[i];

        if (row->leave || last) {
            answers[r->index[i]] = (struct tl_answer){ stage, row->top, row->score };
        } else {
            r->rows[n_stay] = *row;
            r->index[n_stay++] = r->index[i];
        }
    }
    return n_stay;
}

void tl_runner_run(struct tl_runner *r, size_t first, size_t n,
                   const struct al_exit_rule *rule, struct tl_answer *answers)
{
    for (size_t i = 0; i < n; i++) {
        r->rows[i] =
            (struct al_stage_row){ .row = row_memory(r, first + i), .rule = rule };
        r->index[i] = i;
    }
    for (uint32_t stage = 0; n > 0; stage++) {
        al_stage_run(r->model, r->workspace, stage, n, r->rows, r->team);
        n = settle(r, n, stage, answers);
    }
}

void tl_runner_ask_all(struct tl_runner *r, enum al_score score,
                       struct tl_answer *answers)
{
    const size_t n_stages = al_model_n_stages(r->model);
    struct al_exit_rule rule = al_exit_rule_full();
    struct al_stage_row row = { .row = row_memory(r, 0), .rule = &rule };

    rule.score = score;
    for (size_t k = 0; k < AL_MAX_EXITS; k++)
        rule.threshold[k] = FLT_MAX; /* within a branch's reach, above every score */
    for (uint32_t k = 0; k < n_stages; k++) {
        al_stage_run(r->model, r->workspace, k, 1, &row, r->team);
        answers[k] = row.evaluated ? (struct tl_answer){ k, row.top, row.score }
                                   : (struct tl_answer){ k, TL_NO_CLASS, -INFINITY };
    }
}
