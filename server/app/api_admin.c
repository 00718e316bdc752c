/* api_admin.c — what changes the server: the repository of models, log settings. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "server/app/app.h"
#include "server/app/load.h"

#define MAX_BODY_BYTES 65536 /* an administrative body is small */

/* False and a reply: changing the server is not for clients. */
static bool may_change(struct sv_exchange *x)
{
    if (sv_app_of(x)->config.admin)
        return true;
    sv_reply_error(&x->reply, 403,
                   "the setting 'admin' is false: nothing can be changed");
    return false;
}

/* ---- repository ---- */

static void put_entry(struct sv_text *t, const struct sv_entry *e)
{
    sv_text_str(t, "{\"name\":");
    sv_text_quote(t, e->name);
    if (e->version)
        sv_text_printf(t, ",\"version\":\"%u\"", e->version);
    sv_text_printf(t, ",\"state\":\"%s\",\"reason\":", sv_model_state_name(e->state));
    sv_text_quote(t, e->reason);
    sv_text_str(t, "}");
}

/* The body as an object; an empty body is an empty one. NULL and a reply: it is none. */
static json_t *read_body(struct sv_exchange *x)
{
    json_error_t at;
    json_t *object;
    char text[80];

    if (x->body_size == 0)
        return json_object();
    if (x->body_size > MAX_BODY_BYTES) {
        (void)snprintf(text, sizeof(text), "the body has %zu bytes, the limit here is %d",
                       x->body_size, MAX_BODY_BYTES);
        sv_reply_error(&x->reply, 413, text);
        return NULL;
    }
    object = json_loadb(x->body, x->body_size, JSON_REJECT_DUPLICATES, &at);
    if (json_is_object(object))
        return object;
    json_decref(object);
    sv_reply_error(&x->reply, 400, "the body is not a JSON object");
    return NULL;
}

void sv_api_index(struct sv_exchange *x)
{
    const struct sv_app *app = sv_app_of(x);
    json_t *body = read_body(x);
    struct sv_text t = { 0 };
    const char *comma = "";
    bool only_ready;

    if (!body)
        return;
    only_ready = json_is_true(json_object_get(body, "ready"));
    json_decref(body);
    sv_text_str(&t, "[");
    for (size_t i = 0; i < sv_table_n(app->table); i++) {
        const struct sv_entry *e = sv_table_at(app->table, i);

        if (only_ready && e->state != SV_MODEL_READY)
            continue;
        sv_text_str(&t, comma);
        put_entry(&t, e);
        comma = ",";
    }
    sv_text_str(&t, "]");
    sv_api_json(x, 200, &t);
}

/* The end of a load or an unload. */
static void on_done(void *arg, const struct al_error *err)
{
    struct sv_exchange *x = arg;
    struct sv_net *net = x->net;

    if (err)
        sv_reply_failure(&x->reply, err);
    else
        sv_reply_static(&x->reply, 200, "{}", NULL);
    sv_exchange_answer(x);
    sv_net_drive(net);
}

/* Models come from the folder only: a body that brings or names files is refused. */
static bool is_plain_load(struct sv_exchange *x)
{
    json_t *body = read_body(x);
    const char *key;
    json_t *value;
    bool ok = body != NULL;

    json_object_foreach(json_object_get(body, "parameters"), key, value)
    {
        if (strncmp(key, "file:", 5) == 0 || strcmp(key, "config") == 0) {
            sv_reply_error(&x->reply, 400,
                           "parameters 'file:' and 'config' are not accepted: models are "
                           "loaded from the server's folder as they are");
            ok = false;
            break;
        }
    }
    json_decref(body);
    return ok;
}

void sv_api_load(struct sv_exchange *x)
{
    struct sv_app *app = sv_app_of(x);
    const char *name = x->args.value[0];
    struct al_error err;

    if (!may_change(x) || !is_plain_load(x))
        return;
    if (!sv_load_is_name(name)) {
        (void)al_fail(&err, AL_INVALID, "'%s' is no name of a package", name);
        sv_reply_failure(&x->reply, &err);
        return;
    }
    sv_exchange_park(x);
    sv_loader_load(app->loader, name, on_done, x);
}

/* No request lives for longer than the deadline: who waits twice that waits for a worker
 * that does not come back. */
void sv_api_unload(struct sv_exchange *x)
{
    struct sv_app *app = sv_app_of(x);

    if (!may_change(x))
        return;
    sv_exchange_park(x);
    sv_loader_unload(app->loader, x->args.value[0],
                     2 * app->config.deadline_ms * UINT64_C(1000000), on_done, x);
}

/* ---- logging ---- */

static void put_logging(struct sv_text *t, enum sv_level level)
{
    sv_text_printf(t,
                   "{\"log_error\":true,\"log_warning\":%s,\"log_info\":%s,"
                   "\"log_verbose_level\":%d}",
                   level >= SV_WARNING ? "true" : "false",
                   level >= SV_INFO ? "true" : "false", level == SV_DEBUG);
}

/* The quietest level that keeps what the settings want to see. */
static enum sv_level level_of(const json_t *settings, enum sv_level now)
{
    const json_t *warning = json_object_get(settings, "log_warning");
    const json_t *info = json_object_get(settings, "log_info");
    const json_t *verbose = json_object_get(settings, "log_verbose_level");
    bool wants_warning = warning ? json_is_true(warning) : now >= SV_WARNING;
    bool wants_info = info ? json_is_true(info) : now >= SV_INFO;
    bool wants_debug = verbose ? json_integer_value(verbose) > 0 : now >= SV_DEBUG;

    if (wants_debug)
        return SV_DEBUG;
    if (wants_info)
        return SV_INFO;
    return wants_warning ? SV_WARNING : SV_ERROR;
}

void sv_api_logging(struct sv_exchange *x)
{
    struct sv_app *app = sv_app_of(x);
    enum sv_level level = (enum sv_level)atomic_load(&app->log.level);
    struct sv_text t = { 0 };

    if (x->method == SV_POST) {
        json_t *settings = may_change(x) ? read_body(x) : NULL;

        if (!settings)
            return;
        level = level_of(settings, level);
        json_decref(settings);
        atomic_store(&app->log.level, (int)level);
    }
    put_logging(&t, level);
    sv_api_json(x, 200, &t);
}
