/* main.c — alightd: configuration, then the parts in order, then the loop. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/app/app.h"
#include "server/app/builtin.h"
#include "server/app/cpus.h"
#include "server/app/metrics.h"
#include "server/app/notify.h"

/* Bodies come and go: memory for one is not to be mapped, faulted in and given back to
 * the system each time. */
#define MMAP_BYTES (4 << 20)
#define TRIM_BYTES (64 << 20)

/* What must be settled before the first thread. */
static void settle_process(void)
{
    struct rlimit files;

    json_object_seed(0);
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setenv("UV_THREADPOOL_SIZE", "1", 1); /* NOLINT(concurrency-mt-unsafe) */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void start_log(struct sv_app *app)
{
    app->log.fd = STDERR_FILENO;
    app->log.json = strcmp(app->config.log_format, "json") == 0;
    atomic_store(&app->log.level, (int)sv_level_find(app->config.log_level));
}

/* Nicer than this thread, which is as nice as the process was started. */
static int worker_nice(const struct sv_config *c)
{
    return getpriority(PRIO_PROCESS, 0) + (int)c->worker_nice;
}

static enum al_status start_pool(struct sv_app *app, struct al_error *err)
{
    const struct sv_config *c = &app->config;
    size_t n_workers = c->workers ? c->workers : sv_usable_cpus("");
    const struct sv_pool_params p = {
        .loop = &app->loop,
        .sched = { .n_workers = n_workers,
                   .max_rows = c->max_queue_rows,
                   .max_bytes = c->max_queue_bytes,
                   .whole_batches = c->whole_batches },
        .worker_nice = worker_nice(c),
        .team_threads = c->team_threads,
        .decode = sv_decode_limits_of(c),
        .finished = sv_api_calls_finished,
        .user = app,
    };

    return sv_pool_new(&p, &app->pool, err);
}

static enum al_status start_loader(struct sv_app *app, struct al_error *err)
{
    struct sv_loader_params p = { .loop = &app->loop,
                                  .log = &app->log,
                                  .pool = app->pool,
                                  .folder = app->config.models,
                                  .versions = app->config.versions,
                                  .worker_nice = worker_nice(&app->config),
                                  .precision = AL_N_PRECISIONS };

    (void)al_engine_cpu_mask(app->config.cpu_mask, &p.cpu_mask); /* checked before */
    if (app->config.precision[0])
        p.precision = al_precision_find(app->config.precision);
    p.table = app->table = sv_table_new();
    app->loader = app->table ? sv_loader_new(&p) : NULL;
    if (!app->loader)
        return al_fail(err, AL_NO_MEMORY, "table of models");
    return app->config.test_models
               ? sv_builtin_add(app->table, app->config.test_model_alias, err)
               : AL_OK;
}

static void flush(void *user)
{
    struct sv_app *app = user;

    sv_pool_flush(app->pool);
}

static void complain(void *user, const char *text)
{
    struct sv_app *app = user;

    sv_log(&app->log, SV_DEBUG, "libmicrohttpd", SV_TEXT("text", text));
}

static void log_access(void *user, const struct sv_exchange *x, bool sent)
{
    struct sv_app *app = user;

    sv_access_log_add(app->access_log, x, sent);
}

static enum al_status start_net(struct sv_app *app, struct al_error *err)
{
    const struct sv_net_params p = { .loop = &app->loop,
                                     .limits = sv_net_limits_of(&app->config),
                                     .routes = sv_routes,
                                     .n_routes = sv_n_routes,
                                     .user = app,
                                     .flush = flush,
                                     .finished = app->access_log ? log_access : NULL,
                                     .complain = complain };
    enum al_status s = sv_net_new(&p, &app->net, err);

    if (p.limits.max_connections < app->config.max_connections)
        sv_log(&app->log, SV_WARNING, "max_connections lowered",
               SV_NUMBER("limit", p.limits.max_connections),
               SV_NUMBER("wanted", app->config.max_connections));
    return s == AL_OK && !app->inherited ? sv_app_listen(app, err) : s;
}

enum al_status sv_app_listen(struct sv_app *app, struct al_error *err)
{
    enum al_status s = AL_OK;

    for (size_t i = 0; i < app->n_bound && s == AL_OK; i++) {
        s = sv_net_listen(app->net, app->bound[i].fd, err);
        if (s == AL_OK)
            sv_log(&app->log, SV_INFO, "listening",
                   SV_TEXT("address", app->bound[i].address));
    }
    return s;
}

static enum al_status bind_all(struct sv_app *app, struct al_error *err)
{
    app->n_bound = sv_inherited_sockets();
    if (app->n_bound > SV_MAX_LISTENERS)
        return al_fail(err, AL_INVALID, "%zu inherited sockets, at most %d are served",
                       app->n_bound, SV_MAX_LISTENERS);
    app->inherited = app->n_bound > 0;
    if (app->inherited)
        return sv_listen_inherited(app->n_bound, app->bound, err);
    return sv_listen_all(app->config.listen, app->bound, &app->n_bound, err);
}

/* What a log is to tell of before anything else. */
static void log_start(struct sv_app *app)
{
    unsigned allowed = UINT_MAX;

    (void)al_engine_cpu_mask(app->config.cpu_mask, &allowed);
    sv_log(&app->log, SV_INFO, "starting", SV_TEXT("version", ALIGHT_VERSION),
           SV_NUMBER("pid", getpid()), SV_NUMBER("workers", sv_pool_n_workers(app->pool)),
           SV_TEXT("cpu", al_engine_cpu_name(al_engine_cpu_flags() & allowed)),
           SV_TEXT("models", app->config.models));
}

/* A folder that goes later, or stays empty, is no reason to end; a wrong name is. */
static enum al_status check_folder(const struct sv_app *app, struct al_error *err)
{
    const char *folder = app->config.models;

    if (access(folder, R_OK | X_OK) == 0 || app->config.test_models)
        return AL_OK;
    return al_fail(err, AL_NOT_FOUND, "models: folder '%s': %s", folder, strerror(errno));
}

static enum al_status start(struct sv_app *app, struct al_error *err)
{
    enum al_status s;

    start_log(app);
    s = check_folder(app, err);
    if (s == AL_OK)
        s = bind_all(app, err);
    if (s == AL_OK)
        s = start_pool(app, err);
    if (s == AL_OK)
        log_start(app);
    if (s == AL_OK)
        s = start_loader(app, err);
    if (s == AL_OK && app->config.access_log[0])
        s = sv_access_log_new(&app->loop, app->config.access_log, app->log.json,
                              &app->access_log, err);
    if (s == AL_OK)
        s = start_net(app, err);
    if (s == AL_OK)
        sv_life_start(app);
    return s;
}

static void finish(struct sv_app *app)
{
    sv_net_free(app->net);
    sv_access_log_free(app->access_log);
    sv_loader_free(app->loader);
    sv_table_free(app->table);
    sv_pool_free(app->pool);
    (void)uv_loop_close(&app->loop);
}

static int serve(struct sv_app *app)
{
    struct al_error err;

    app->life.start_ns = uv_hrtime();
    settle_process();
    (void)uv_loop_init(&app->loop);
    if (start(app, &err) != AL_OK) {
        sv_listen_forget(app->bound, app->n_bound);
        (void)fprintf(stderr, "alightd: %s\n", err.text);
        return EXIT_FAILURE;
    }
    (void)uv_run(&app->loop, UV_RUN_DEFAULT);
    finish(app);
    return EXIT_SUCCESS;
}

static int obey(struct sv_app *app, enum sv_command command)
{
    switch (command) {
    case SV_COMMAND_HELP:
        sv_config_print_help(stdout);
        break;
    case SV_COMMAND_VERSION:
        (void)puts("alightd " ALIGHT_VERSION);
        break;
    case SV_COMMAND_CHECK:
        (void)puts("the configuration is sound");
        break;
    case SV_COMMAND_PRINT_METRICS:
        sv_metrics_print_page(stdout);
        break;
    case SV_COMMAND_PRINT_PAGE:
        sv_config_print_page(stdout);
        break;
    case SV_COMMAND_PRINT_SCHEMA:
        sv_config_print_schema(stdout);
        break;
    case SV_COMMAND_SERVE:
        return serve(app);
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct sv_app app = { .argc = argc, .argv = argv };
    enum sv_command command;
    struct al_error err;
    int result;

    if (sv_config_load(argc, argv, &app.config, &command, &err) != AL_OK ||
        sv_settings_check(&app.config, &err) != AL_OK) {
        (void)fprintf(stderr, "alightd: %s\n", err.text);
        sv_config_done(&app.config);
        return 2;
    }
    result = obey(&app, command);
    sv_config_done(&app.config);
    return result;
}
