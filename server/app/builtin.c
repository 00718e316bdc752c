#include "server/app/builtin.h"

#include <time.h>

#include "server/core/model.h"

#define MAX_SLEEP_MS 60000
#define MAX_WORK_US  10000000

static enum al_status add(struct sv_table *t, enum sv_builtin builtin, const char *name,
                          struct al_error *err)
{
    struct sv_served *served;
    struct sv_model *model;
    enum al_status s = sv_served_new_builtin(builtin, name, &served, err);

    if (s != AL_OK)
        return s;
    s = sv_served_to_model(served, &model, err);
    if (s != AL_OK) {
        sv_served_free(served);
        return s;
    }
    s = sv_table_set(t, name, served->version, SV_MODEL_READY, "", model);
    if (s != AL_OK)
        sv_model_unref(model);
    return s;
}

enum al_status sv_builtin_add(struct sv_table *t, const char *alias, struct al_error *err)
{
    enum al_status s = add(t, SV_BUILTIN_IDENTITY, "identity_fp32", err);

    if (s == AL_OK)
        s = add(t, SV_BUILTIN_SLEEP, "sleep", err);
    if (s == AL_OK)
        s = add(t, SV_BUILTIN_TWO_EXITS, "two_exits", err);
    if (s == AL_OK)
        s = add(t, SV_BUILTIN_NULL, "null", err);
    if (s == AL_OK)
        s = add(t, SV_BUILTIN_WORK, "work", err);
    if (s == AL_OK && *alias)
        s = add(t, SV_BUILTIN_IDENTITY, alias, err);
    return s;
}

/* Sleeps as long as the longest of the rows asks for. */
static void sleep_for(size_t n, const struct al_stage_row *rows)
{
    float ms = 0;

    for (size_t i = 0; i < n; i++) {
        float asked = *(const float *)rows[i].row;

        ms = asked > ms ? asked : ms;
    }
    ms = ms > MAX_SLEEP_MS ? MAX_SLEEP_MS : ms;
    struct timespec t = { .tv_sec = (time_t)ms / 1000,
                          .tv_nsec =
                              (long)((ms - (float)((time_t)ms / 1000 * 1000)) * 1e6F) };

    (void)nanosleep(&t, NULL);
}

static uint64_t thread_cpu_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* Uses as much processor time as the rows ask for in all, however long that takes. */
static void work_for(size_t n, const struct al_stage_row *rows)
{
    uint64_t until = thread_cpu_ns();

    for (size_t i = 0; i < n; i++) {
        float us = *(const float *)rows[i].row;

        if (us > 0) /* NaN is not */
            until += (uint64_t)(us < MAX_WORK_US ? us : MAX_WORK_US) * 1000;
    }
    while (thread_cpu_ns() < until)
        ;
}

void sv_builtin_run(const struct sv_served *m, size_t stage, size_t n,
                    struct al_stage_row *rows)
{
    bool last = stage + 1 == m->n_exits;

    if (m->builtin == SV_BUILTIN_SLEEP || (m->builtin == SV_BUILTIN_TWO_EXITS && last))
        sleep_for(n, rows);
    if (m->builtin == SV_BUILTIN_WORK)
        work_for(n, rows);
    for (size_t i = 0; i < n; i++) {
        rows[i].evaluated = true;
        rows[i].leave = last;
        rows[i].score = 1;
        rows[i].top = 0;
    }
}
