/* app.h — the daemon: what its parts share. Everything belongs to the loop thread, but
 * for `log` (any thread) and what the parts' own headers say. */
#ifndef SV_APP_APP_H
#define SV_APP_APP_H

#include <uv.h>

#include "server/app/accesslog.h"
#include "server/app/config.h"
#include "server/app/listen.h"
#include "server/app/loader.h"
#include "server/app/log.h"
#include "server/app/pool.h"
#include "server/core/table.h"
#include "server/net/net.h"

/* In the order they come; with the name /stats shows. */
#define SV_LIFE_STATE_LIST(X) \
    X(STARTING, "starting")   \
    X(READY, "ready")         \
    X(DRAINING, "draining")   \
    X(STOPPED, "stopped")

enum sv_life_state {
#define X(id, name) SV_LIFE_##id,
    SV_LIFE_STATE_LIST(X)
#undef X
};

struct sv_life {
    enum sv_life_state state;
    uint64_t start_ns, drain_ns;
    uv_signal_t term, interrupt, hangup;
    uv_timer_t drain, watchdog, poll_models;
    bool listening;
    bool abandoned; /* the drain limit has passed: requests are answered 503 */
};

struct sv_app {
    int argc;
    char **argv;
    struct sv_config config;
    struct sv_log log;
    uv_loop_t loop;
    struct sv_table *table;
    struct sv_pool *pool;
    struct sv_loader *loader;
    struct sv_net *net;
    struct sv_access_log *access_log; /* NULL: none */
    struct sv_bound bound[SV_MAX_LISTENERS];
    size_t n_bound;
    bool inherited; /* the sockets; they outlive this process */
    struct sv_life life;
};

/* main.c */
/* Serves the bound sockets. Inherited ones wait until the models are loaded: clients stay
 * in their backlog, so that a restart refuses nobody. */
AL_MUST_CHECK enum al_status sv_app_listen(struct sv_app *app, struct al_error *err);

/* life.c */
void sv_life_start(struct sv_app *app);
const char *sv_life_state_name(enum sv_life_state s);
/* The readiness that health checks see: neither starting nor draining, and not without a
 * single model because none could be loaded. */
bool sv_life_is_ready(const struct sv_app *app);

/* settings.c: what the configuration says to each part */
struct sv_net_limits sv_net_limits_of(const struct sv_config *c);
struct sv_decode_limits sv_decode_limits_of(const struct sv_config *c);
/* Texts of `c` that the table's bounds cannot check. */
AL_MUST_CHECK enum al_status sv_settings_check(const struct sv_config *c,
                                               struct al_error *err);

/* api.c */
extern const struct sv_route sv_routes[];
extern const size_t sv_n_routes;
struct sv_app *sv_app_of(const struct sv_exchange *x);
/* The model that a route's arguments name. */
AL_MUST_CHECK enum al_status sv_api_model(const struct sv_exchange *x,
                                          struct sv_model **ret, struct al_error *err);
/* Replies with `json`, which is taken over. */
void sv_api_json(struct sv_exchange *x, int status, struct sv_text *json);

/* api_admin.c */
void sv_api_index(struct sv_exchange *x);
void sv_api_load(struct sv_exchange *x);
void sv_api_unload(struct sv_exchange *x);
void sv_api_logging(struct sv_exchange *x);

/* api_infer.c */
void sv_api_classify(struct sv_exchange *x);
void sv_api_torchserve(struct sv_exchange *x);
void sv_api_predict(struct sv_exchange *x);
void sv_api_infer(struct sv_exchange *x);
void sv_api_calls_finished(void *user, struct sv_call *calls);

/* api_models.c */
void sv_api_server(struct sv_exchange *x);
void sv_api_live(struct sv_exchange *x);
void sv_api_ready(struct sv_exchange *x);
void sv_api_metadata(struct sv_exchange *x);
void sv_api_model_ready(struct sv_exchange *x);
void sv_api_config(struct sv_exchange *x);
void sv_api_status(struct sv_exchange *x);

/* api_openapi.c */
void sv_api_openapi(struct sv_exchange *x);

/* page.html */
extern const char sv_page[];

/* api_stats.c */
void sv_api_page(struct sv_exchange *x);
void sv_api_stats(struct sv_exchange *x);
void sv_api_metrics(struct sv_exchange *x);
void sv_api_all_statistics(struct sv_exchange *x);
void sv_api_statistics(struct sv_exchange *x);

#endif
