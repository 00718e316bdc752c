/* stage.c — a worker's memory and the run of one stage.
 *
 * A workspace is one allocation: work slices of the rows of a group, scratch of every
 * thread, then the lists a run needs. Rows run in groups that fit; a group's rows pass
 * every step together. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/pages.h"
#include "engine/engine.h"
#include "engine/exec/memory.h"
#include "engine/exit/policy.h"
#include "engine/exit/score.h"
#include "engine/model.h"

struct al_workspace {
    char *memory;
    size_t bytes;
};

/* A workspace as one model sees it. */
struct view {
    char *work, *scratch;
    const float **x, **add;
    float **y;
    struct al_lane *lanes, *chosen;
    struct al_stage_row **rows; /* of the chosen lanes */
};

struct al_workspace *al_workspace_new(void)
{
    return calloc(1, sizeof(struct al_workspace));
}

void al_workspace_free(struct al_workspace *ws)
{
    if (ws)
        free(ws->memory);
    free(ws);
}

/* Takes `count * size` bytes from the running offset; false on overflow. */
static bool take(size_t *offset, size_t count, size_t size, size_t *ret)
{
    size_t bytes;

    *ret = *offset;
    if (!al_mul(count, size, &bytes) || !al_add(bytes, AL_MEMORY_ALIGN - 1, &bytes))
        return false;
    return al_add(*offset, bytes & ~(AL_MEMORY_ALIGN - 1), offset);
}

struct sections {
    size_t work, scratch, x, add, y, lanes, chosen, rows;
    size_t bytes;
};

static bool lay_out(const struct al_model *m, struct sections *s)
{
    size_t n = m->group_rows;
    size_t pointers = n * m->plan.n_pointers;

    return take(&s->bytes, n, m->plan.work_bytes, &s->work) &&
           take(&s->bytes, m->max_threads, m->plan.scratch_bytes, &s->scratch) &&
           take(&s->bytes, pointers, sizeof(float *), &s->x) &&
           take(&s->bytes, pointers, sizeof(float *), &s->add) &&
           take(&s->bytes, pointers, sizeof(float *), &s->y) &&
           take(&s->bytes, n, sizeof(struct al_lane), &s->lanes) &&
           take(&s->bytes, n, sizeof(struct al_lane), &s->chosen) &&
           take(&s->bytes, n, sizeof(struct al_stage_row *), &s->rows);
}

enum al_status al_workspace_reserve(struct al_workspace *ws, const struct al_model *m,
                                    struct al_error *err)
{
    struct sections s = { 0 };

    if (!lay_out(m, &s))
        return al_fail(err, AL_TOO_LARGE, "the workspace of %zu rows overflows",
                       m->group_rows);
    if (s.bytes <= ws->bytes)
        return AL_OK;
    char *memory = al_pages_alloc(s.bytes);
    if (!memory)
        return al_fail(err, AL_NO_MEMORY, "a workspace of %zu bytes", s.bytes);
    free(ws->memory);
    ws->memory = memory;
    ws->bytes = s.bytes;
    return AL_OK;
}

static struct view view_of(const struct al_model *m, struct al_workspace *ws)
{
    struct sections s = { 0 };

    (void)lay_out(m, &s);
    return (struct view){
        .work = ws->memory + s.work,
        .scratch = ws->memory + s.scratch,
        .x = (void *)(ws->memory + s.x),
        .add = (void *)(ws->memory + s.add),
        .y = (void *)(ws->memory + s.y),
        .lanes = (void *)(ws->memory + s.lanes),
        .chosen = (void *)(ws->memory + s.chosen),
        .rows = (void *)(ws->memory + s.rows),
    };
}

/* ---- one stage ---- */

static void run_part(const struct al_model *m, const struct view *v, uint32_t slot,
                     const struct al_lane *lanes, size_t n, struct al_team *team)
{
    struct al_run run = { .n = n,
                          .lanes = lanes,
                          .team = team,
                          .scratch = v->scratch,
                          .scratch_stride = m->plan.scratch_bytes,
                          .x = v->x,
                          .add = v->add,
                          .y = v->y };

    if (n)
        al_plan_run(&m->plan, slot, &run);
}

/* The row has to answer at exit k, whatever its score. */
static bool must_answer(const struct al_model *m, const struct al_exit_rule *r, size_t k)
{
    return k + 1 == m->n_exits || r->max_exit <= k;
}

static size_t choose_wanting(const struct al_model *m, const struct view *v, size_t k,
                             struct al_stage_row *rows, size_t n)
{
    size_t chosen = 0;

    for (size_t i = 0; i < n; i++) {
        rows[i].evaluated = rows[i].leave = false;
        if (!al_exit_wants(rows[i].rule, (uint32_t)k, (uint32_t)m->n_exits))
            continue;
        v->chosen[chosen] = v->lanes[i];
        v->rows[chosen++] = &rows[i];
    }
    return chosen;
}

/* Keeps the lanes whose gate predicts that the branch is worth its cost. */
static size_t choose_by_gate(const struct al_model *m, const struct view *v, size_t k,
                             size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        const float *gate = al_at(&m->plan.gates[k], &v->chosen[i]);

        if (*gate <= 0 && !must_answer(m, v->rows[i]->rule, k))
            continue;
        v->chosen[kept] = v->chosen[i];
        v->rows[kept++] = v->rows[i];
    }
    return kept;
}

static void decide(const struct al_model *m, const struct al_lane *lane, size_t k,
                   struct al_stage_row *row)
{
    const float *answer = al_at(&m->plan.exits[k], lane);
    float *probs = al_at(&m->plan.probs[k], lane);
    size_t n = m->stages[k].n_classes;

    if (m->probabilities[k])
        memcpy(probs, answer, n * sizeof(*probs));
    else
        al_softmax(answer, n, probs);
    row->evaluated = true;
    row->score = al_score_of(row->rule->score, probs, n, &row->top);
    row->leave = al_exit_leaves(row->rule, (uint32_t)k, (uint32_t)m->n_exits, row->score);
}

static void run_exit(const struct al_model *m, const struct view *v, size_t k,
                     struct al_stage_row *rows, size_t n, struct al_team *team)
{
    uint32_t slot = (uint32_t)k * AL_N_PARTS;
    size_t chosen = choose_wanting(m, v, k, rows, n);

    if (m->has_gate[k]) {
        run_part(m, v, slot + AL_PART_GATE, v->chosen, chosen, team);
        chosen = choose_by_gate(m, v, k, chosen);
    }
    run_part(m, v, slot + AL_PART_BRANCH, v->chosen, chosen, team);
    for (size_t i = 0; i < chosen; i++)
        decide(m, &v->chosen[i], k, v->rows[i]);
}

void al_stage_run(const struct al_model *m, struct al_workspace *ws, size_t k, size_t n,
                  struct al_stage_row *rows, struct al_team *team)
{
    struct view v = view_of(m, ws);
    uint32_t slot = (uint32_t)k * AL_N_PARTS;

    for (size_t first = 0; first < n; first += m->group_rows) {
        size_t group = n - first < m->group_rows ? n - first : m->group_rows;

        for (size_t i = 0; i < group; i++) {
            v.lanes[i].home[AL_HOME_CARRY] = rows[first + i].row;
            v.lanes[i].home[AL_HOME_WORK] = v.work + i * m->plan.work_bytes;
        }
        run_part(m, &v, slot + AL_PART_TRUNK, v.lanes, group, team);
        if (m->n_exits)
            run_exit(m, &v, k, rows + first, group, team);
        else
            run_part(m, &v, slot + AL_PART_BRANCH, v.lanes, group, team);
    }
}
