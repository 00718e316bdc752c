/* api_models.c — health, metadata and configuration, as the Open Inference Protocol and,
 * where it is silent, Triton have them; a model's status as TensorFlow Serving has it. */
#include <stdlib.h>
#include <string.h>

#include "server/app/app.h"
#include "server/core/model.h"

/* ---- health ---- */

void sv_api_live(struct sv_exchange *x)
{
    sv_reply_static(&x->reply, 200, "{\"live\":true}", NULL);
}

/* Names of the packages that could not be loaded, each once. */
static void put_failed(struct sv_text *t, const struct sv_app *app)
{
    const char *last = NULL;

    for (size_t i = 0; i < sv_table_n(app->table); i++) {
        const struct sv_entry *e = sv_table_at(app->table, i);

        if (!sv_loader_has_failed(e) || (last && strcmp(last, e->name) == 0))
            continue;
        sv_text_str(t, last ? "," : ",\"failed\":[");
        sv_text_quote(t, e->name);
        last = e->name;
    }
    sv_text_str(t, last ? "]" : "");
}

void sv_api_ready(struct sv_exchange *x)
{
    const struct sv_app *app = sv_app_of(x);
    struct sv_text t = { 0 };

    if (sv_life_is_ready(app)) {
        sv_reply_static(&x->reply, 200, "{\"ready\":true}", NULL);
        return;
    }
    sv_text_str(&t, "{\"ready\":false");
    if (app->life.state == SV_LIFE_READY)
        put_failed(&t, app);
    sv_text_str(&t, "}");
    sv_api_json(x, 503, &t);
}

void sv_api_model_ready(struct sv_exchange *x)
{
    struct sv_text t = { 0 };
    struct sv_model *m;
    struct al_error err;
    bool ready = sv_api_model(x, &m, &err) == AL_OK;

    if (!ready && err.status == AL_NOT_FOUND) {
        sv_reply_failure(&x->reply, &err);
        return;
    }
    ready = ready && sv_life_is_ready(sv_app_of(x));
    sv_text_str(&t, "{\"name\":");
    sv_text_quote(&t, x->args.value[0]);
    sv_text_printf(&t, ",\"ready\":%s}", ready ? "true" : "false");
    sv_api_json(x, ready ? 200 : 503, &t);
}

/* ---- metadata ---- */

void sv_api_server(struct sv_exchange *x)
{
    sv_reply_static(&x->reply, 200,
                    "{\"name\":\"alight\",\"version\":\"" ALIGHT_VERSION
                    "\","
                    "\"extensions\":[\"classification\",\"model_repository\","
                    "\"model_configuration\",\"binary_tensor_data\",\"parameters\","
                    "\"statistics\",\"logging\"]}",
                    NULL);
}

static void put_dims(struct sv_text *t, const struct al_shape *s, size_t from)
{
    for (size_t i = from; i < s->rank; i++)
        sv_text_printf(t, "%s%lld", i > from ? "," : "", (long long)s->dims[i]);
}

static void put_versions(struct sv_text *t, const struct sv_app *app, const char *name)
{
    const char *comma = "";

    for (size_t i = 0; i < sv_table_n(app->table); i++) {
        const struct sv_entry *e = sv_table_at(app->table, i);

        if (!e->model || strcmp(e->name, name) != 0)
            continue;
        sv_text_printf(t, "%s\"%u\"", comma, e->version);
        comma = ",";
    }
}

static void put_metadata(struct sv_text *t, const struct sv_app *app,
                         const struct sv_served *m)
{
    sv_text_str(t, "{\"name\":");
    sv_text_quote(t, m->name);
    sv_text_str(t, ",\"versions\":[");
    put_versions(t, app, m->name);
    sv_text_str(t, "],\"platform\":\"alight_onnx\",\"inputs\":[{\"name\":");
    sv_text_quote(t, m->input_name);
    sv_text_str(t, ",\"datatype\":\"FP32\",\"shape\":[-1,");
    put_dims(t, &m->input_shape, 1);
    sv_text_printf(t,
                   "]}],\"outputs\":[{\"name\":\"%s\",\"datatype\":\"FP32\","
                   "\"shape\":[-1,%zu]}]}",
                   m->output_name, m->n_classes);
}

void sv_api_metadata(struct sv_exchange *x)
{
    struct sv_text t = { 0 };
    struct sv_model *m;
    struct al_error err;

    if (sv_api_model(x, &m, &err) != AL_OK) {
        sv_reply_failure(&x->reply, &err);
        return;
    }
    put_metadata(&t, sv_app_of(x), sv_served_of(m));
    sv_api_json(x, 200, &t);
}

static void put_config(struct sv_text *t, const struct sv_served *m)
{
    bool labels = m->package && m->package->n_labels;

    sv_text_str(t, "{\"name\":");
    sv_text_quote(t, m->name);
    sv_text_printf(t,
                   ",\"platform\":\"alight_onnx\",\"max_batch_size\":%zu,"
                   "\"input\":[{\"name\":",
                   m->max_batch);
    sv_text_quote(t, m->input_name);
    sv_text_printf(t, ",\"data_type\":\"TYPE_FP32\",\"format\":\"%s\",\"dims\":[",
                   m->input_shape.rank == 4 ? "FORMAT_NCHW" : "FORMAT_NONE");
    put_dims(t, &m->input_shape, 1);
    sv_text_printf(t,
                   "]}],\"output\":[{\"name\":\"%s\",\"data_type\":\"TYPE_FP32\","
                   "\"dims\":[%zu],\"label_filename\":\"%s\"}]}",
                   m->output_name, m->n_classes, labels ? "labels.txt" : "");
}

void sv_api_config(struct sv_exchange *x)
{
    struct sv_text t = { 0 };
    struct sv_model *m;
    struct al_error err;

    if (sv_api_model(x, &m, &err) != AL_OK) {
        sv_reply_failure(&x->reply, &err);
        return;
    }
    put_config(&t, sv_served_of(m));
    sv_api_json(x, 200, &t);
}

/* ---- TensorFlow Serving's status ---- */

/* Whether `x` asks about the version of `e`, or about all. */
static bool is_asked_for(const struct sv_exchange *x, const struct sv_entry *e)
{
    return strcmp(e->name, x->args.value[0]) == 0 &&
           (x->args.n < 2 || strtoul(x->args.value[1], NULL, 10) == e->version);
}

static const char *status_name(const struct sv_entry *e)
{
    if (e->model)
        return "AVAILABLE";
    if (e->state == SV_MODEL_LOADING || e->state == SV_MODEL_UNLOADING)
        return sv_model_state_name(e->state);
    return "END";
}

void sv_api_status(struct sv_exchange *x)
{
    const struct sv_app *app = sv_app_of(x);
    struct sv_text t = { 0 };
    struct sv_model *m;
    struct al_error err;
    const char *comma = "";

    sv_text_str(&t, "{\"model_version_status\":[");
    for (size_t i = 0; i < sv_table_n(app->table); i++) {
        const struct sv_entry *e = sv_table_at(app->table, i);
        bool serves = e->model != NULL;

        if (!is_asked_for(x, e))
            continue;
        sv_text_printf(&t,
                       "%s{\"version\":\"%u\",\"state\":\"%s\",\"status\":"
                       "{\"error_code\":\"%s\",\"error_message\":",
                       comma, e->version, status_name(e), serves ? "OK" : "UNAVAILABLE");
        sv_text_quote(&t, e->reason);
        sv_text_str(&t, "}}");
        comma = ",";
    }
    if (!*comma && sv_api_model(x, &m, &err) != AL_OK) { /* nothing is known of it */
        sv_text_done(&t);
        sv_reply_failure(&x->reply, &err);
        return;
    }
    sv_text_str(&t, "]}");
    sv_api_json(x, 200, &t);
}
