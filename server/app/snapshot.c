#include "server/app/snapshot.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "server/app/app.h"
#include "server/core/model.h"
#include "server/core/sched.h"
#include "server/proto/served.h"

#define NS_PER_S  1000000000U
#define NS_PER_MS 1000000U

/* ---- process ---- */

static uint64_t count_open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (!d)
        return 0;
    while (readdir(d)) /* NOLINT(concurrency-mt-unsafe): `d` is ours alone */
        n++;
    (void)closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the folder itself */
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static void look_at_process(struct sv_process *p)
{
    struct rlimit files = { 0 };
    struct rusage usage = { 0 };
    unsigned long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f) {
        if (fscanf(f, "%lu %lu", &pages, &resident) == 2) { /* NOLINT(cert-err34-c) */
            p->virtual_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
            p->resident_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
        }
        (void)fclose(f);
    }
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    p->cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    p->max_files = files.rlim_cur;
    p->open_files = count_open_files();
}

/* ---- models ---- */

/* Memory for the copy, taken before the lock is. */
static enum al_status view_init(struct sv_model_view *v, const struct sv_entry *e)
{
    const struct sv_served *served = sv_served_of(e->model);
    size_t n = e->model->n_stages;

    v->model = sv_model_ref(e->model);
    v->name = e->model->name;
    v->version = e->version;
    v->state = sv_model_state_name(e->state);
    v->counters = sv_model_counters_new(n);
    v->names = calloc(n, sizeof(*v->names));
    if (!v->counters || !v->names)
        return AL_NO_MEMORY;
    for (size_t k = 0; k < n; k++)
        v->names[k] = sv_served_exit_name(served, k);
    v->exit_names = v->names;
    return AL_OK;
}

static void view_copy(struct sv_model_view *v)
{
    const struct sv_model *m = v->model;

    sv_model_counters_copy(v->counters, m->counters);
    v->n_decode_queued = m->steps[0].queue.n;
    for (size_t k = 0; k < m->n_stages && k < AL_MAX_EXITS; k++)
        v->n_rows_queued[k] = m->steps[k + 1].queue.n;
}

/* With the scheduler locked. */
static void copy(void *arg, struct sv_sched *sched)
{
    struct sv_snapshot *s = arg;

    s->n_requests = sv_sched_n_active(sched);
    s->n_rows = sv_sched_n_rows(sched);
    s->n_bytes = sv_sched_n_bytes(sched);
    s->drain_ns = sv_sched_drain_ns(sched);
    for (size_t i = 0; i < s->n_models; i++)
        view_copy(&s->models[i]);
}

/* What needs neither memory nor the scheduler. */
static struct sv_snapshot look_at_server(const struct sv_app *app)
{
    struct sv_snapshot s = { .state = sv_life_state_name(app->life.state),
                             .is_ready = sv_life_is_ready(app),
                             .n_workers = sv_pool_n_workers(app->pool),
                             .max_rows = app->config.max_queue_rows,
                             .max_bytes = app->config.max_queue_bytes,
                             .net = *sv_net_counts(app->net),
                             .max_connections =
                                 sv_net_limits_of(&app->config).max_connections,
                             .loads = *sv_loader_counts(app->loader) };

    for (size_t i = 0; i < sv_table_n(app->table); i++)
        s.n_by_state[sv_table_at(app->table, i)->state]++;
    look_at_process(&s.process);
    return s;
}

enum al_status sv_snapshot_take(const struct sv_app *app, const struct sv_model *only,
                                struct sv_snapshot *ret, struct al_error *err)
{
    struct sv_snapshot s = look_at_server(app);
    struct timespec wall;
    size_t n = sv_table_n(app->table);

    s.models = calloc(n + 1, sizeof(*s.models));
    for (size_t i = 0; s.models && i < n; i++) {
        const struct sv_entry *e = sv_table_at(app->table, i);
        if (!e->model || (only && e->model != only))
            continue;
        if (view_init(&s.models[s.n_models++], e) != AL_OK)
            goto fail;
    }
    if (!s.models)
        goto fail;
    sv_pool_inspect(app->pool, copy, &s);
    s.now_ns = uv_hrtime(); /* not before what the counters tell of */
    s.up_ns = s.now_ns - app->life.start_ns;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    s.epoch_ms = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / NS_PER_MS;
    s.process.start_s = (double)s.epoch_ms * 1e-3 - (double)s.up_ns / NS_PER_S;
    *ret = s;
    return AL_OK;
fail:
    sv_snapshot_done(&s);
    return al_fail(err, AL_NO_MEMORY, "statistics of %zu models", n);
}

void sv_snapshot_done(struct sv_snapshot *s)
{
    for (size_t i = 0; s->models && i < s->n_models; i++) {
        sv_model_unref(s->models[i].model);
        sv_model_counters_unref(s->models[i].counters);
        free(s->models[i].names);
    }
    free(s->models);
    memset(s, 0, sizeof(*s));
}
