/* life.c — starting, ready, draining, stopped.
 *
 * SIGTERM or SIGINT: readiness turns 503 and answers carry Connection: close, while new
 * connections are still taken for the lame-duck time, in which load balancers notice.
 * Then the backlogs are emptied and the listening sockets close; when nothing is in
 * flight, or the drain limit has passed, everything is closed and the loop runs out. A
 * second signal ends the process at once. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/app/app.h"
#include "server/app/notify.h"

#define DRAIN_CHECK_MS 5
#define IDLE_GRACE_NS  UINT64_C(200000000) /* for clients to see Connection: close */
#define NS_PER_MS      UINT64_C(1000000)

const char *sv_life_state_name(enum sv_life_state s)
{
    static const char *const names[] = {
#define X(id, name) [SV_LIFE_##id] = name,
        SV_LIFE_STATE_LIST(X)
#undef X
    };
    return names[s];
}

static size_t count_serving(const struct sv_app *app)
{
    size_t n = 0;

    for (size_t i = 0; i < sv_table_n(app->table); i++)
        n += sv_table_at(app->table, i)->model != NULL;
    return n;
}

static bool has_failed(const struct sv_app *app)
{
    for (size_t i = 0; i < sv_table_n(app->table); i++)
        if (sv_loader_has_failed(sv_table_at(app->table, i)))
            return true;
    return sv_loader_folder_failed(app->loader);
}

bool sv_life_is_ready(const struct sv_app *app)
{
    return app->life.state == SV_LIFE_READY &&
           (count_serving(app) > 0 || !has_failed(app));
}

/* ---- starting ---- */

static uint64_t since_ms(uint64_t start_ns)
{
    return (uv_hrtime() - start_ns) / NS_PER_MS;
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    sv_notify("WATCHDOG=1");
}

/* The service manager counts from READY=1 on. */
static void start_watchdog(struct sv_app *app)
{
    uint64_t ms = sv_watchdog_ns() / NS_PER_MS / 2;

    if (ms)
        (void)uv_timer_start(&app->life.watchdog, on_watchdog, ms, ms);
}

static void on_loaded(void *arg, const struct al_error *err)
{
    struct sv_app *app = arg;
    size_t n = count_serving(app);
    struct al_error failure;
    char status[96];

    (void)err; /* in the log already */
    if (app->life.state != SV_LIFE_STARTING)
        return;
    app->life.state = SV_LIFE_READY;
    if (app->inherited && sv_app_listen(app, &failure) != AL_OK)
        sv_log(&app->log, SV_ERROR, "not listening", SV_TEXT("error", failure.text));
    (void)snprintf(status, sizeof(status), "READY=1\nSTATUS=serving %zu models", n);
    sv_notify(status);
    start_watchdog(app);
    sv_log(&app->log, SV_INFO, "ready", SV_NUMBER("models", n),
           SV_NUMBER("ms", since_ms(app->life.start_ns)));
}

/* ---- stopping ---- */

static void stop(struct sv_app *app)
{
    struct sv_life *life = &app->life;

    life->state = SV_LIFE_STOPPED;
    sv_log(&app->log, SV_INFO, "stopped",
           SV_NUMBER("drain_ms", since_ms(life->drain_ns)));
    sv_net_close(app->net);
    sv_access_log_close(app->access_log);
    sv_pool_stop(app->pool);
    uv_close((uv_handle_t *)&life->term, NULL);
    uv_close((uv_handle_t *)&life->interrupt, NULL);
    uv_close((uv_handle_t *)&life->hangup, NULL);
    uv_close((uv_handle_t *)&life->drain, NULL);
    uv_close((uv_handle_t *)&life->watchdog, NULL);
    uv_close((uv_handle_t *)&life->poll_models, NULL);
}

static bool is_drained(const struct sv_app *app, uint64_t waited_ns)
{
    bool linger = sv_net_counts(app->net)->connections_open > 0 &&
                  waited_ns < app->config.lame_duck_ms * NS_PER_MS + IDLE_GRACE_NS;

    return !linger && sv_net_is_quiet(app->net) && sv_pool_n_active(app->pool) == 0 &&
           sv_loader_is_idle(app->loader);
}

static void on_drain(uv_timer_t *timer)
{
    struct sv_app *app = timer->data;
    uint64_t waited_ns = uv_hrtime() - app->life.drain_ns;
    uint64_t duck_ns = app->config.lame_duck_ms * NS_PER_MS;

    if (app->life.listening && waited_ns >= duck_ns) {
        app->life.listening = false;
        sv_listen_forget(app->bound, app->n_bound);
        sv_net_stop_listening(app->net);
    }
    if (app->life.listening)
        return;
    if (waited_ns > duck_ns + app->config.drain_timeout_ms * NS_PER_MS) {
        if (!app->life.abandoned)
            sv_log(&app->log, SV_WARNING, "drain limit passed",
                   SV_NUMBER("in_flight", sv_net_counts(app->net)->exchanges_open));
        app->life.abandoned = true;
        sv_net_abandon(app->net);
        if (sv_loader_is_idle(app->loader) &&
            sv_net_counts(app->net)->exchanges_parked == 0)
            stop(app);
    } else if (is_drained(app, waited_ns)) {
        stop(app);
    }
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct sv_app *app = signal->data;

    if (app->life.state == SV_LIFE_DRAINING) {
        sv_log(&app->log, SV_WARNING, "second signal: ending at once",
               SV_NUMBER("signal", number));
        _exit(EXIT_FAILURE);
    }
    app->life.state = SV_LIFE_DRAINING;
    app->life.drain_ns = uv_hrtime();
    sv_notify("STOPPING=1\nSTATUS=draining");
    sv_log(&app->log, SV_INFO, "draining", SV_NUMBER("signal", number),
           SV_NUMBER("in_flight", sv_net_counts(app->net)->exchanges_open));
    sv_net_drain(app->net);
    sv_loader_cancel(app->loader);
    (void)uv_timer_start(&app->life.drain, on_drain, 0, DRAIN_CHECK_MS);
}

/* ---- reloading ---- */

static void on_changed(void *arg, const char *key, bool applied)
{
    struct sv_app *app = arg;

    sv_log(&app->log, applied ? SV_INFO : SV_WARNING,
           applied ? "setting changed" : "setting needs a restart", SV_TEXT("key", key));
}

static void on_poll_models(uv_timer_t *timer)
{
    struct sv_app *app = timer->data;

    if (sv_loader_is_idle(app->loader) && app->life.state == SV_LIFE_READY)
        sv_loader_poll(app->loader);
}

static void poll_models(struct sv_app *app)
{
    uint64_t ms = app->config.poll_models_ms;

    if (ms)
        (void)uv_timer_start(&app->life.poll_models, on_poll_models, ms, ms);
    else
        (void)uv_timer_stop(&app->life.poll_models);
}

static void apply(struct sv_app *app, struct sv_config *fresh)
{
    struct sv_net_limits net;
    struct sv_decode_limits decode;

    sv_config_apply(&app->config, fresh, on_changed, app);
    sv_loader_set_versions(app->loader, app->config.versions);
    net = sv_net_limits_of(&app->config);
    decode = sv_decode_limits_of(&app->config);
    sv_net_set_limits(app->net, &net);
    sv_pool_set_limits(app->pool, &decode);
    atomic_store(&app->log.level, (int)sv_level_find(app->config.log_level));
    poll_models(app);
}

static void on_hangup(uv_signal_t *signal, int number)
{
    struct sv_app *app = signal->data;
    bool ready = app->life.state == SV_LIFE_READY;
    struct sv_config fresh;
    enum sv_command command;
    struct al_error err;

    (void)number;
    sv_log(&app->log, SV_INFO, "reloading");
    if (sv_access_log_reopen(app->access_log, &err) != AL_OK)
        sv_log(&app->log, SV_ERROR, "access log not reopened",
               SV_TEXT("error", err.text));
    if (ready)
        sv_notify("RELOADING=1");
    if (sv_config_load(app->argc, app->argv, &fresh, &command, &err) == AL_OK &&
        sv_settings_check(&fresh, &err) == AL_OK)
        apply(app, &fresh);
    else
        sv_log(&app->log, SV_ERROR, "configuration not reloaded",
               SV_TEXT("error", err.text));
    sv_config_done(&fresh);
    if (!ready)
        return; /* READY=1 would be a lie, and a load would hold up the end */
    sv_loader_scan(app->loader, NULL, NULL);
    sv_notify("READY=1");
}

void sv_life_start(struct sv_app *app)
{
    struct sv_life *life = &app->life;

    (void)uv_signal_init(&app->loop, &life->term);
    (void)uv_signal_init(&app->loop, &life->interrupt);
    (void)uv_signal_init(&app->loop, &life->hangup);
    (void)uv_timer_init(&app->loop, &life->drain);
    (void)uv_timer_init(&app->loop, &life->watchdog);
    (void)uv_timer_init(&app->loop, &life->poll_models);
    life->term.data = life->interrupt.data = life->hangup.data = app;
    life->drain.data = life->watchdog.data = life->poll_models.data = app;
    life->listening = true;
    (void)uv_signal_start(&life->term, on_signal, SIGTERM);
    (void)uv_signal_start(&life->interrupt, on_signal, SIGINT);
    (void)uv_signal_start(&life->hangup, on_hangup, SIGHUP);
    poll_models(app);
    sv_loader_scan(app->loader, on_loaded, app);
}
