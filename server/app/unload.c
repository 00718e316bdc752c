/* A wait holds a reference to each version and looks, every few milliseconds, whether it
 * is the last. Then the memory, which may be hundreds of megabytes, is given back on
 * libuv's thread pool; the loop has other things to do. */
#include "server/app/unload.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/model.h"

#define LOOK_EVERY_MS 5
#define REASON        "unloaded"

struct sv_unload {
    struct sv_unload *next;
    struct sv_unloads *among;
    struct sv_unload_params p;
    char *name;
    uint64_t end_ns;
    uv_timer_t timer;
    uv_work_t work;
    bool freeing;
    size_t n;
    struct sv_model *models[];
};

/* ---- the table ---- */

bool sv_unload_is_reason(const struct sv_entry *e)
{
    return strcmp(e->reason, REASON) == 0;
}

bool sv_is_unloaded(const struct sv_table *t, const char *name)
{
    for (size_t i = 0; i < sv_table_n(t); i++) {
        const struct sv_entry *e = sv_table_at(t, i);

        if (strcmp(e->name, name) == 0 && sv_unload_is_reason(e))
            return true;
    }
    return false;
}

static size_t count_serving(const struct sv_table *t, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < sv_table_n(t); i++)
        n += strcmp(sv_table_at(t, i)->name, name) == 0 && sv_table_at(t, i)->model;
    return n;
}

/* Takes the versions that serve out of the table, those it could. */
static void take_out(struct sv_unload *u)
{
    struct sv_table *t = u->p.table;

    for (size_t i = 0; i < sv_table_n(t); i++) {
        const struct sv_entry *e = sv_table_at(t, i);

        if (strcmp(e->name, u->name) != 0 || !e->model)
            continue;
        u->models[u->n] = sv_model_ref(e->model);
        if (sv_table_set(t, u->name, e->version, SV_MODEL_UNLOADING, REASON, NULL) !=
            AL_OK) {
            sv_model_unref(u->models[u->n]);
            continue;
        }
        sv_log(u->p.log, SV_INFO, "model unloaded", SV_TEXT("model", u->name),
               SV_NUMBER("version", u->models[u->n]->version));
        u->n++;
    }
}

/* Unless a load has come in between. */
static void set_unavailable(const struct sv_unload *u)
{
    for (size_t i = 0; i < sv_table_n(u->p.table); i++) {
        const struct sv_entry *e = sv_table_at(u->p.table, i);

        if (strcmp(e->name, u->name) == 0 && e->state == SV_MODEL_UNLOADING &&
            sv_table_set(u->p.table, u->name, e->version, SV_MODEL_UNAVAILABLE, REASON,
                         NULL) != AL_OK)
            return; /* no memory: the index keeps the state it had */
    }
}

/* ---- the wait ---- */

static void let_go(struct sv_unload *u)
{
    for (size_t i = 0; i < u->n; i++)
        sv_model_unref(u->models[i]);
    u->n = 0;
}

static void after_close(uv_handle_t *timer)
{
    struct sv_unload *u = timer->data;

    free(u->name);
    free(u);
}

static void end(struct sv_unload *u, const struct al_error *err)
{
    struct sv_unload **at = &u->among->first;

    while (*at != u)
        at = &(*at)->next;
    *at = u->next;
    set_unavailable(u);
    let_go(u);
    u->p.done(u->p.arg, err);
    uv_close((uv_handle_t *)&u->timer, after_close);
}

static void give_back(uv_work_t *work)
{
    let_go(work->data);
}

static void after_give_back(uv_work_t *work, int status)
{
    (void)status;
    end(work->data, NULL);
}

static size_t count_held(const struct sv_unload *u)
{
    size_t n = 0;

    for (size_t i = 0; i < u->n; i++)
        n += !sv_model_is_last(u->models[i]);
    return n;
}

static void look(uv_timer_t *timer)
{
    struct sv_unload *u = timer->data;
    struct al_error err;

    if (count_held(u) == 0) {
        (void)uv_timer_stop(timer);
        u->freeing = true;
        (void)uv_queue_work(u->p.loop, &u->work, give_back, after_give_back);
    } else if (uv_hrtime() >= u->end_ns) {
        (void)al_fail(&err, AL_TIMEOUT,
                      "model '%s' is out of service, but requests in flight still hold "
                      "it after %.3g s",
                      u->name, (double)u->p.limit_ns * 1e-9);
        end(u, &err);
    }
}

void sv_unload(struct sv_unloads *among, const struct sv_unload_params *p)
{
    size_t n = count_serving(p->table, p->name);
    struct sv_unload *u = calloc(1, sizeof(*u) + n * sizeof(struct sv_model *));
    struct al_error err;

    if (n == 0 || !u || !(u->name = strdup(p->name))) {
        (void)(n == 0 ? al_fail(&err, AL_NOT_FOUND,
                                "Request for unknown model: '%s' is not found", p->name)
                      : al_fail(&err, AL_NO_MEMORY, "unloading '%s'", p->name));
        free(u);
        p->done(p->arg, &err);
        return;
    }
    u->p = *p;
    u->among = among;
    u->next = among->first;
    among->first = u;
    u->end_ns = uv_hrtime() + p->limit_ns;
    (void)uv_timer_init(p->loop, &u->timer);
    u->timer.data = u->work.data = u;
    take_out(u);
    (void)uv_timer_start(&u->timer, look, 0, LOOK_EVERY_MS);
}

void sv_unloads_cancel(struct sv_unloads *among)
{
    struct al_error err;

    (void)al_fail(&err, AL_UNAVAILABLE, "the server is stopping");
    for (struct sv_unload *u = among->first, *next; u; u = next) {
        next = u->next;
        if (!u->freeing)
            end(u, &err);
    }
}
