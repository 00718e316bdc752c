/* api.c — the table of what alightd answers to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/app/app.h"

/* A path is looked for from the top: what is asked for most comes first. */
const struct sv_route sv_routes[] = {
    { SV_POST, "/v1/models/{model}:classify", sv_api_classify, "Classify images" },
    { SV_POST, "/v1/models/{model}/versions/{version}:classify", sv_api_classify,
      "Classify images by one version" },
    { SV_POST, "/v2/models/{model}/infer", sv_api_infer, "Inference on tensors" },
    { SV_POST, "/v2/models/{model}/versions/{version}/infer", sv_api_infer,
      "Inference on tensors by one version" },
    { SV_POST, "/v1/models/{model}:predict", sv_api_predict,
      "Probabilities, TensorFlow Serving's shape" },
    { SV_POST, "/v1/models/{model}/versions/{version}:predict", sv_api_predict,
      "Probabilities by one version, TensorFlow Serving's shape" },
    { SV_PUT | SV_POST, "/predictions/{model}", sv_api_torchserve,
      "Classify an image, TorchServe's shape" },
    { SV_PUT | SV_POST, "/predictions/{model}/{version}", sv_api_torchserve,
      "Classify an image by one version, TorchServe's shape" },
    { SV_GET, "/v1/models/{model}", sv_api_status,
      "Model status, TensorFlow Serving's shape" },
    { SV_GET, "/v1/models/{model}/versions/{version}", sv_api_status,
      "Status of one version, TensorFlow Serving's shape" },
    { SV_GET, "/v2", sv_api_server, "Server metadata" },
    { SV_GET, "/v2/health/live", sv_api_live, "Whether the process lives" },
    { SV_GET, "/v2/health/ready", sv_api_ready, "Whether requests are welcome" },
    { SV_GET, "/stats", sv_api_stats, "Counts, rates and latencies of every model" },
    { SV_GET, "/metrics", sv_api_metrics, "Metrics for Prometheus" },
    { SV_GET, "/", sv_api_page, "A page that shows /stats, live" },
    { SV_GET, "/v2/models/stats", sv_api_all_statistics, "Statistics of every model" },
    { SV_GET, "/v2/models/{model}/stats", sv_api_statistics, "Statistics of a model" },
    { SV_GET, "/v2/models/{model}/versions/{version}/stats", sv_api_statistics,
      "Statistics of one version" },
    { SV_POST, "/v2/repository/index", sv_api_index, "Models and their states" },
    { SV_POST, "/v2/repository/models/{model}/load", sv_api_load,
      "Load a package, or load it again when it has changed" },
    { SV_POST, "/v2/repository/models/{model}/unload", sv_api_unload,
      "Unload a package" },
    { SV_GET | SV_POST, "/v2/logging", sv_api_logging, "Log settings" },
    { SV_GET, "/openapi.json", sv_api_openapi, "This description" },
    { SV_GET, "/v2/models/{model}", sv_api_metadata, "Model metadata" },
    { SV_GET, "/v2/models/{model}/versions/{version}", sv_api_metadata,
      "Metadata of one version" },
    { SV_GET, "/v2/models/{model}/ready", sv_api_model_ready,
      "Whether a model can be asked" },
    { SV_GET, "/v2/models/{model}/versions/{version}/ready", sv_api_model_ready,
      "Whether one version can be asked" },
    { SV_GET, "/v2/models/{model}/config", sv_api_config, "Model configuration" },
    { SV_GET, "/v2/models/{model}/versions/{version}/config", sv_api_config,
      "Configuration of one version" },
};
const size_t sv_n_routes = sizeof(sv_routes) / sizeof(sv_routes[0]);

struct sv_app *sv_app_of(const struct sv_exchange *x)
{
    return sv_net_user(x->net);
}

static enum al_status fail_not_found(const char *name, const char *version,
                                     struct al_error *err)
{
    if (version)
        return al_fail(err, AL_NOT_FOUND,
                       "Request for unknown model: '%s' version '%s' is not found", name,
                       version);
    return al_fail(err, AL_NOT_FOUND, "Request for unknown model: '%s' is not found",
                   name);
}

/* Why the table has an entry of `name` but nothing to serve; entries without a version
 * are about the package as a whole. */
static enum al_status fail_unserved(const struct sv_app *app, const char *name,
                                    const char *version, uint32_t number,
                                    struct al_error *err)
{
    for (size_t i = 0; i < sv_table_n(app->table); i++) {
        const struct sv_entry *e = sv_table_at(app->table, i);

        if (strcmp(e->name, name) != 0 || (version && e->version && e->version != number))
            continue;
        if (e->state == SV_MODEL_UNAVAILABLE || e->state == SV_MODEL_UNLOADING)
            return al_fail(err, AL_UNAVAILABLE, "model '%s' is not available: %s", name,
                           e->reason);
        if (e->state == SV_MODEL_LOADING)
            return al_fail(err, AL_UNAVAILABLE, "model '%s' is being loaded", name);
    }
    if (app->life.state == SV_LIFE_STARTING)
        return al_fail(err, AL_UNAVAILABLE, "models are being loaded");
    return fail_not_found(name, version, err);
}

enum al_status sv_api_model(const struct sv_exchange *x, struct sv_model **ret,
                            struct al_error *err)
{
    const struct sv_app *app = sv_app_of(x);
    const char *name = x->args.value[0];
    const char *version = x->args.n > 1 ? x->args.value[1] : NULL;
    char *end = NULL;
    unsigned long number = version ? strtoul(version, &end, 10) : 0;
    struct sv_model *m;

    if (version &&
        (*version < '0' || *version > '9' || *end || number == 0 || number > UINT32_MAX))
        return fail_not_found(name, version, err);
    m = sv_table_find(app->table, name, (uint32_t)number);
    if (!m)
        return fail_unserved(app, name, version, (uint32_t)number, err);
    *ret = m;
    return AL_OK;
}

void sv_api_json(struct sv_exchange *x, int status, struct sv_text *json)
{
    if (json->failed) {
        sv_text_done(json);
        sv_reply_static(&x->reply, 503, "{\"error\":\"out of memory\"}", NULL);
        return;
    }
    sv_reply_json(&x->reply, status, json->data, json->size);
}
