/* api_openapi.c — /openapi.json, made from the tables of routes and options. */
#include <string.h>

#include "server/app/app.h"
#include "server/proto/options.h"

#define MAX_TYPES 5

/* What the handlers of POST and PUT read: media types of the body, and whether the query
 * may hold options (options.h). */
static const struct body {
    void (*handle)(struct sv_exchange *x);
    bool takes_options;
    const char *types[MAX_TYPES];
} bodies[] = {
    { sv_api_classify,
      true,
      { "image/jpeg", "image/png", "image/webp", "image/x-portable-anymap",
        "multipart/form-data" } },
    { sv_api_torchserve,
      true,
      { "image/jpeg", "image/png", "image/webp", "image/x-portable-anymap" } },
    { sv_api_predict, true, { "application/json" } },
    { sv_api_infer, true, { "application/json", "application/octet-stream" } },
    { sv_api_index, false, { "application/json" } },
    { sv_api_load, false, { "application/json" } },
    { sv_api_logging, false, { "application/json" } },
};

static const struct {
    const char *name, *text;
    double low, high;
    bool whole;
} options[] = {
#define X(key, low, high, whole, text) { #key, text, low, high, whole },
    SV_OPTION_LIST(X)
#undef X
};

static const struct body *body_of(const struct sv_route *r)
{
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        if (bodies[i].handle == r->handle)
            return &bodies[i];
    return NULL;
}

static void put_path_parameters(struct sv_text *t, const struct sv_route *r)
{
    const char *comma = "";

    for (const char *p = strchr(r->pattern, '{'); p; p = strchr(p + 1, '{')) {
        sv_text_printf(t,
                       "%s{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,"
                       "\"schema\":{\"type\":\"string\"}}",
                       comma, (int)strcspn(p + 1, "}"), p + 1);
        comma = ",";
    }
}

/* Behind those of the path, of which a route that takes options has one at least. */
static void put_options(struct sv_text *t)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        sv_text_printf(
            t, ",{\"name\":\"%s\",\"in\":\"query\",\"description\":", options[i].name);
        sv_text_quote(t, options[i].text);
        sv_text_printf(t,
                       ",\"schema\":{\"type\":\"%s\",\"minimum\":%.9g,"
                       "\"maximum\":%.9g}}",
                       options[i].whole ? "integer" : "number", options[i].low,
                       options[i].high);
    }
}

static void put_body(struct sv_text *t, const struct body *b)
{
    sv_text_str(t, ",\"requestBody\":{\"content\":{");
    for (size_t i = 0; i < MAX_TYPES && b->types[i]; i++)
        sv_text_printf(t, "%s\"%s\":{}", i ? "," : "", b->types[i]);
    sv_text_str(t, "}}");
}

static void put_operation(struct sv_text *t, const struct sv_route *r,
                          enum sv_method method, const char *name)
{
    const struct body *b = method == SV_GET ? NULL : body_of(r);

    sv_text_printf(t, "\"%s\":{\"summary\":", name);
    sv_text_quote(t, r->summary);
    sv_text_str(t, ",\"parameters\":[");
    put_path_parameters(t, r);
    if (b && b->takes_options)
        put_options(t);
    sv_text_str(t, "]");
    if (b)
        put_body(t, b);
    sv_text_str(t,
                ",\"responses\":{\"200\":{\"description\":\"success\"},"
                "\"default\":{\"$ref\":\"#/components/responses/error\"}}}");
}

static void put_path(struct sv_text *t, const struct sv_route *r)
{
    static const struct {
        enum sv_method method;
        const char *name;
    } methods[] = {
        { SV_GET, "get" }, { SV_POST, "post" }, { SV_PUT, "put" }, { SV_DELETE, "delete" }
    };
    const char *comma = "";

    sv_text_printf(t, "\"%s\":{", r->pattern);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (!(r->methods & methods[i].method))
            continue;
        sv_text_str(t, comma);
        put_operation(t, r, methods[i].method, methods[i].name);
        comma = ",";
    }
    sv_text_str(t, "}");
}

void sv_api_openapi(struct sv_exchange *x)
{
    struct sv_text t = { 0 };

    sv_text_str(
        &t,
        "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Alight\",\"version\":\"" ALIGHT_VERSION
        "\"},\"components\":{\"responses\":{\"error\":"
        "{\"description\":\"failure\",\"content\":{\"application/json\":"
        "{\"schema\":{\"type\":\"object\",\"properties\":{\"error\":"
        "{\"type\":\"string\"}}}}}}}},\"paths\":{");
    for (size_t i = 0; i < sv_n_routes; i++) {
        sv_text_str(&t, i ? "," : "");
        put_path(&t, &sv_routes[i]);
    }
    sv_text_str(&t, "}}");
    sv_api_json(x, 200, &t);
}
