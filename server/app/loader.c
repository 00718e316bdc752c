#include "server/app/loader.h"

#include <stdlib.h>
#include <string.h>

#include "server/app/load.h"
#include "server/core/model.h"
#include "server/proto/served.h"

#define MAX_ASKED 64 /* loads by name that wait or run */

struct job {
    struct job *next;
    struct sv_loader *loader;
    char *name; /* NULL: the end of a scan */
    bool asked; /* by name, not by a scan */
    sv_loaded_fn done;
    void *arg;
    uint64_t start_ns;
    uv_work_t work;
    struct sv_load load;
};

struct sv_loader {
    struct sv_loader_params p;
    struct job *first, **end;
    bool busy;
    size_t n_asked;
    bool cancelled;
};

struct sv_loader *sv_loader_new(const struct sv_loader_params *p)
{
    struct sv_loader *l = calloc(1, sizeof(*l));

    if (l) {
        l->p = *p;
        l->end = &l->first;
    }
    return l;
}

void sv_loader_free(struct sv_loader *l)
{
    free(l);
}

bool sv_loader_is_idle(const struct sv_loader *l)
{
    return !l->busy && !l->first;
}

static void start_next(struct sv_loader *l);

static void finish(struct job *j, const struct al_error *err)
{
    j->loader->n_asked -= j->asked;
    if (j->done)
        j->done(j->arg, err);
    free(j->name);
    free(j);
}

/* ---- a load ---- */

static void run(uv_work_t *work)
{
    struct job *j = work->data;

    sv_load_run(&j->load);
}

static bool is_present(const struct sv_load *load, uint32_t version)
{
    for (size_t i = 0; i < load->n; i++)
        if (load->versions[i].version == version)
            return true;
    return false;
}

/* What was served before goes on being served. */
static void set_failed(struct sv_loader *l, const char *name, uint32_t version,
                       const char *reason)
{
    const struct sv_entry *e = sv_table_entry(l->p.table, name, version);
    bool serves = e && e->model;

    sv_log(l->p.log, SV_ERROR, "model not loaded", SV_TEXT("model", name),
           SV_NUMBER("version", version), SV_TEXT("error", reason));
    if (sv_table_set(l->p.table, name, version,
                     serves ? SV_MODEL_READY : SV_MODEL_UNAVAILABLE, reason,
                     NULL) != AL_OK)
        sv_log(l->p.log, SV_ERROR, "out of memory", SV_TEXT("model", name));
}

static void publish_version(struct sv_loader *l, const struct job *j, struct sv_loaded *v)
{
    const char *failure = v->error.text;

    if (v->unchanged)
        return;
    if (v->model) {
        if (sv_table_set(l->p.table, j->name, v->version, SV_MODEL_READY, "", v->model) ==
            AL_OK) {
            sv_log(l->p.log, SV_INFO, "model loaded", SV_TEXT("model", j->name),
                   SV_NUMBER("version", v->version),
                   SV_NUMBER("ms", (double)(uv_hrtime() - j->start_ns) / 1e6));
            return;
        }
        sv_model_unref(v->model);
        failure = "out of memory";
    }
    set_failed(l, j->name, v->version, failure);
}

/* Versions that are not on the disk any more. */
static void drop_versions(struct sv_loader *l, const struct job *j)
{
    size_t i = sv_table_n(l->p.table);

    while (i-- > 0) {
        const struct sv_entry *e = sv_table_at(l->p.table, i);

        if (strcmp(e->name, j->name) == 0 && !is_present(&j->load, e->version))
            sv_table_remove(l->p.table, j->name, e->version);
    }
}

static bool is_in_table(const struct sv_loader *l, const char *name)
{
    for (size_t i = 0; i < sv_table_n(l->p.table); i++)
        if (strcmp(sv_table_at(l->p.table, i)->name, name) == 0)
            return true;
    return false;
}

/* A name that is on the disk no more than in the table leaves no trace: anybody may ask
 * for any. */
static const struct al_error *publish(struct sv_loader *l, struct job *j)
{
    struct sv_load *load = &j->load;
    const struct al_error *failure = NULL;

    if (load->error.status != AL_OK) {
        if (load->error.status != AL_NOT_FOUND || is_in_table(l, j->name))
            set_failed(l, j->name, 0, load->error.text);
        return &load->error;
    }
    if (load->n_skipped > 0)
        sv_log(l->p.log, SV_WARNING, "versions skipped: too many",
               SV_TEXT("model", j->name), SV_NUMBER("skipped", load->n_skipped),
               SV_NUMBER("limit", SV_MAX_VERSIONS));
    for (size_t i = 0; i < load->n; i++) {
        publish_version(l, j, &load->versions[i]);
        if (load->versions[i].error.status != AL_OK)
            failure = &load->versions[i].error;
    }
    drop_versions(l, j);
    return failure;
}

static void after(uv_work_t *work, int status)
{
    struct job *j = work->data;
    struct sv_loader *l = j->loader;

    (void)status;
    l->busy = false;
    finish(j, publish(l, j));
    start_next(l);
}

static void start(struct sv_loader *l, struct job *j)
{
    struct sv_load *load = &j->load;

    for (size_t i = 0; i < sv_table_n(l->p.table); i++) {
        const struct sv_entry *e = sv_table_at(l->p.table, i);

        if (strcmp(e->name, j->name) == 0 && e->model && load->n_known < SV_MAX_VERSIONS)
            load->known[load->n_known++] =
                (struct sv_known){ e->version, sv_served_of(e->model)->stamp };
    }
    j->start_ns = uv_hrtime();
    load->folder = l->p.folder;
    load->name = j->name;
    load->precision = l->p.precision;
    load->cpu_mask = l->p.cpu_mask;
    load->pool = l->p.pool;
    j->work.data = j;
    l->busy = true;
    (void)uv_queue_work(l->p.loop, &j->work, run, after);
}

/* ---- the queue ---- */

static void start_next(struct sv_loader *l)
{
    while (!l->busy && l->first) {
        struct job *j = l->first;

        l->first = j->next;
        if (!l->first)
            l->end = &l->first;
        if (j->name)
            start(l, j);
        else
            finish(j, NULL);
    }
}

static enum al_status queue(struct sv_loader *l, const char *name, bool asked,
                            sv_loaded_fn done, void *arg, struct al_error *err)
{
    struct job *j;

    if (l->cancelled)
        return al_fail(err, AL_UNAVAILABLE, "the server is stopping");
    j = calloc(1, sizeof(*j));
    if (!j || (name && !(j->name = strdup(name)))) {
        free(j);
        return al_fail(err, AL_NO_MEMORY, "loader");
    }
    j->loader = l;
    j->done = done;
    j->arg = arg;
    j->asked = asked;
    l->n_asked += asked;
    *l->end = j;
    l->end = &j->next;
    return AL_OK;
}

void sv_loader_load(struct sv_loader *l, const char *name, sv_loaded_fn done, void *arg)
{
    struct al_error err;
    enum al_status s;

    if (l->n_asked >= MAX_ASKED)
        s = al_fail(&err, AL_OVERLOADED, "%zu loads are waiting, the limit is %d",
                    l->n_asked, MAX_ASKED);
    else
        s = queue(l, name, true, done, arg, &err);
    if (s != AL_OK && done)
        done(arg, &err);
    start_next(l);
}

void sv_loader_cancel(struct sv_loader *l)
{
    struct al_error err;
    struct job *j = l->first;

    (void)al_fail(&err, AL_UNAVAILABLE, "the server is stopping");
    l->cancelled = true;
    l->first = NULL;
    l->end = &l->first;
    for (struct job *next; j; j = next) {
        next = j->next;
        finish(j, &err);
    }
}

static bool is_listed(const char *name, char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Unloaded on demand: only a load by name brings it back. */
#define REASON_UNLOADED "unloaded"

bool sv_loader_unload(struct sv_loader *l, const char *name)
{
    bool found = false;

    for (size_t i = 0; i < sv_table_n(l->p.table); i++) {
        const struct sv_entry *e = sv_table_at(l->p.table, i);

        if (strcmp(e->name, name) != 0 || !e->model)
            continue;
        found |= sv_table_set(l->p.table, name, e->version, SV_MODEL_UNAVAILABLE,
                              REASON_UNLOADED, NULL) == AL_OK;
    }
    if (found)
        sv_log(l->p.log, SV_INFO, "model unloaded", SV_TEXT("model", name));
    return found;
}

static bool is_unloaded(const struct sv_loader *l, const char *name)
{
    for (size_t i = 0; i < sv_table_n(l->p.table); i++) {
        const struct sv_entry *e = sv_table_at(l->p.table, i);

        if (strcmp(e->name, name) == 0 && strcmp(e->reason, REASON_UNLOADED) == 0)
            return true;
    }
    return false;
}

/* Packages that are in the table but not on the disk any more. */
static void drop_missing(struct sv_loader *l, char **names, size_t n)
{
    size_t i = sv_table_n(l->p.table);

    while (i-- > 0) {
        const struct sv_entry *e = sv_table_at(l->p.table, i);
        bool built_in = e->model && !sv_served_of(e->model)->package;

        if (built_in || is_listed(e->name, names, n))
            continue;
        sv_log(l->p.log, SV_INFO, "model removed", SV_TEXT("model", e->name),
               SV_NUMBER("version", e->version));
        sv_table_remove(l->p.table, e->name, e->version);
    }
}

void sv_loader_scan(struct sv_loader *l, sv_loaded_fn done, void *arg)
{
    char **names;
    size_t n;
    struct al_error err;

    if (sv_load_list(l->p.folder, &names, &n, &err) != AL_OK) {
        if (done)
            done(arg, &err);
        return;
    }
    drop_missing(l, names, n);
    for (size_t i = 0; i < n; i++)
        if (!is_unloaded(l, names[i]))
            (void)queue(l, names[i], false, NULL, NULL, &err);
    sv_load_list_free(names, n);
    if (queue(l, NULL, false, done, arg, &err) != AL_OK && done)
        done(arg, &err);
    start_next(l);
}
