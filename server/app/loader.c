#include "server/app/loader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/app/load.h"
#include "server/app/unload.h"
#include "server/core/model.h"
#include "server/proto/served.h"

#define MAX_ASKED          64 /* loads by name that wait or run */
/* Enough that a load takes little from two busy workers, and yet is over in some ten
 * times its own time. */
#define NICER_THAN_WORKERS 10

/* Who wants a package loaded. */
enum cause {
    ASKED,   /* a client, by name */
    SCANNED, /* a look at the folder */
    POLLED   /* likewise, by the timer: what failed is tried again when it has changed */
};

struct job {
    struct job *next;
    struct sv_loader *loader;
    char *name; /* NULL: the end of a scan */
    enum cause cause;
    bool is_new; /* no version of it was in the table */
    sv_loaded_fn done;
    void *arg;
    uv_work_t work;
    struct sv_load load;
};

struct sv_loader {
    struct sv_loader_params p;
    struct sv_publisher publisher;
    struct job *first, **end;
    bool busy;
    size_t n_asked;
    bool cancelled;
    bool folder_failed; /* at the last scan */
    struct sv_unloads unloads;
};

struct sv_loader *sv_loader_new(const struct sv_loader_params *p)
{
    struct sv_loader *l = calloc(1, sizeof(*l));

    if (l) {
        l->p = *p;
        l->publisher = (struct sv_publisher){ .table = p->table, .log = p->log };
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
    return !l->busy && !l->first && !l->unloads.first;
}

void sv_loader_set_versions(struct sv_loader *l, const char *rules)
{
    l->p.versions = rules;
}

static void start_next(struct sv_loader *l);

static void finish(struct job *j, const struct al_error *err)
{
    j->loader->n_asked -= j->cause == ASKED;
    if (j->done)
        j->done(j->arg, err);
    free(j->load.rules);
    free(j->name);
    free(j);
}

/* ---- a load ---- */

static void run(uv_work_t *work)
{
    struct job *j = work->data;

    /* On Linux of the thread alone, which does nothing but load and free models. What is
     * beyond the highest niceness counts as that. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(),
                      j->loader->p.worker_nice + NICER_THAN_WORKERS);
    sv_load_run(&j->load);
}

static void after(uv_work_t *work, int status)
{
    struct job *j = work->data;
    struct sv_loader *l = j->loader;

    (void)status;
    l->busy = false;
    finish(j, sv_publish(&l->publisher, &j->load, j->is_new && j->cause == ASKED));
    start_next(l);
}

static void start(struct sv_loader *l, struct job *j)
{
    struct sv_load *load = &j->load;

    j->is_new = true;
    for (size_t i = 0; i < sv_table_n(l->p.table); i++) {
        const struct sv_entry *e = sv_table_at(l->p.table, i);

        if (strcmp(e->name, j->name) != 0)
            continue;
        j->is_new = false;
        if (load->n_known == SV_MAX_VERSIONS)
            continue;
        if (j->cause == POLLED && e->tried)
            load->known[load->n_known++] = (struct sv_known){ e->version, e->tried };
        else if (e->model)
            load->known[load->n_known++] =
                (struct sv_known){ e->version, sv_served_of(e->model)->stamp };
    }
    if (j->is_new &&
        sv_table_set(l->p.table, j->name, 0, SV_MODEL_LOADING, "", NULL) != AL_OK)
        sv_log(l->p.log, SV_ERROR, "out of memory", SV_TEXT("model", j->name));
    load->start_ns = uv_hrtime();
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

static enum al_status queue(struct sv_loader *l, const char *name, enum cause cause,
                            sv_loaded_fn done, void *arg, struct al_error *err)
{
    struct job *j;

    if (l->cancelled)
        return al_fail(err, AL_UNAVAILABLE, "the server is stopping");
    j = calloc(1, sizeof(*j));
    if (!j || (name && !(j->name = strdup(name))) ||
        !(j->load.rules = strdup(l->p.versions))) {
        free(j ? j->name : NULL);
        free(j);
        return al_fail(err, AL_NO_MEMORY, "loader");
    }
    j->loader = l;
    j->done = done;
    j->arg = arg;
    j->cause = cause;
    l->n_asked += cause == ASKED;
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
        s = queue(l, name, ASKED, done, arg, &err);
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
    sv_unloads_cancel(&l->unloads);
}

static bool is_listed(const char *name, char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

void sv_loader_unload(struct sv_loader *l, const char *name, uint64_t limit_ns,
                      sv_loaded_fn done, void *arg)
{
    const struct sv_unload_params p = { .loop = l->p.loop,
                                        .log = l->p.log,
                                        .table = l->p.table,
                                        .name = name,
                                        .limit_ns = limit_ns,
                                        .done = done,
                                        .arg = arg };
    struct al_error err;

    if (!l->cancelled) {
        sv_unload(&l->unloads, &p);
        return;
    }
    (void)al_fail(&err, AL_UNAVAILABLE, "the server is stopping");
    done(arg, &err);
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

/* Whether a subfolder is to be loaded; polls do not repeat what a scan has told. */
static bool is_wanted(struct sv_loader *l, const char *name, enum cause cause)
{
    if (sv_load_is_name(name))
        return !sv_is_unloaded(l->p.table, name);
    if (cause == SCANNED)
        sv_log(l->p.log, SV_WARNING, "folder passed over", SV_TEXT("folder", name),
               SV_TEXT("reason", "no name of a model: letters, digits, '.', '_', '-'"));
    return false;
}

static void scan(struct sv_loader *l, enum cause cause, sv_loaded_fn done, void *arg)
{
    char **names;
    size_t n;
    struct al_error err;
    bool failed = sv_load_list(l->p.folder, &names, &n, &err) != AL_OK;

    if (failed && !(l->folder_failed && cause == POLLED))
        sv_log(l->p.log, SV_ERROR, "models not read", SV_TEXT("error", err.text));
    l->folder_failed = failed;
    if (failed) {
        if (done)
            done(arg, &err);
        return;
    }
    drop_missing(l, names, n);
    for (size_t i = 0; i < n; i++)
        if (is_wanted(l, names[i], cause))
            (void)queue(l, names[i], cause, NULL, NULL, &err);
    sv_load_list_free(names, n);
    if (queue(l, NULL, cause, done, arg, &err) != AL_OK && done)
        done(arg, &err);
    start_next(l);
}

void sv_loader_scan(struct sv_loader *l, sv_loaded_fn done, void *arg)
{
    scan(l, SCANNED, done, arg);
}

void sv_loader_poll(struct sv_loader *l)
{
    scan(l, POLLED, NULL, NULL);
}

bool sv_loader_has_failed(const struct sv_entry *e)
{
    return e->state == SV_MODEL_UNAVAILABLE && !sv_unload_is_reason(e);
}

bool sv_loader_folder_failed(const struct sv_loader *l)
{
    return l->folder_failed;
}

const struct sv_load_counts *sv_loader_counts(const struct sv_loader *l)
{
    return &l->publisher.counts;
}
