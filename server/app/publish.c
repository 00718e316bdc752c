#include "server/app/publish.h"

#include <string.h>
#include <uv.h>

#include "server/core/model.h"
#include "server/proto/served.h"

#define NS_PER_MS 1000000U

static bool is_present(const struct sv_load *load, uint32_t version)
{
    for (size_t i = 0; i < load->n; i++)
        if (load->versions[i].version == version)
            return true;
    return false;
}

/* `version` 0: the package as a whole. */
static void log_failure(struct sv_publisher *p, enum sv_level level, const char *name,
                        uint32_t version, const char *reason)
{
    const struct sv_field fields[] = { SV_TEXT("model", name),
                                       SV_TEXT("error", reason),
                                       SV_NUMBER("version", version),
                                       { 0 } };
    const struct sv_field whole[] = { fields[0], fields[1], { 0 } };

    sv_log_fields(p->log, level, "model not loaded", version ? fields : whole);
}

/* What was served before goes on being served. */
static void set_failed(struct sv_publisher *p, const char *name, uint32_t version,
                       const char *reason)
{
    const struct sv_entry *e = sv_table_entry(p->table, name, version);
    bool serves = e && e->model;
    bool again = e && strcmp(e->reason, reason) == 0;

    p->counts.n_failed++;
    log_failure(p, again ? SV_DEBUG : SV_ERROR, name, version, reason);
    if (sv_table_set(p->table, name, version,
                     serves ? SV_MODEL_READY : SV_MODEL_UNAVAILABLE, reason,
                     NULL) != AL_OK)
        sv_log(p->log, SV_ERROR, "out of memory", SV_TEXT("model", name));
}

/* Thresholds hold for the arithmetic they were certified in. */
static void check_precision(struct sv_publisher *p, const struct sv_model *m)
{
    const struct pk_package *package = sv_served_of(m)->package;
    enum al_precision runs = al_model_precision(package->model);

    if (package->certified_in == runs)
        return;
    sv_log(p->log, SV_WARNING, "policy certified in another precision",
           SV_TEXT("model", package->name), SV_NUMBER("version", package->version),
           SV_TEXT("certified", al_precision_name(package->certified_in)),
           SV_TEXT("runs", al_precision_name(runs)));
}

/* Puts `v->model` into service; AL_NO_MEMORY: it has not become the table's. */
static enum al_status serve(struct sv_publisher *p, const struct sv_load *load,
                            const struct sv_loaded *v)
{
    const struct sv_entry *e = sv_table_entry(p->table, load->name, v->version);
    uint64_t ms = (uv_hrtime() - load->start_ns) / NS_PER_MS;

    if (e && e->model)
        sv_model_inherit(v->model, e->model);
    if (sv_table_set(p->table, load->name, v->version, SV_MODEL_READY, "", v->model) !=
        AL_OK)
        return AL_NO_MEMORY;
    p->counts.n_loaded++;
    sv_log(p->log, SV_INFO, "model loaded", SV_TEXT("model", load->name),
           SV_NUMBER("version", v->version), SV_NUMBER("ms", ms));
    check_precision(p, v->model);
    return AL_OK;
}

static void publish_version(struct sv_publisher *p, const struct sv_load *load,
                            struct sv_loaded *v)
{
    if (v->unchanged)
        return;
    if (v->model && serve(p, load, v) != AL_OK) {
        sv_model_unref(v->model);
        v->error.status = al_fail(&v->error, AL_NO_MEMORY, "out of memory");
    }
    if (v->error.status != AL_OK)
        set_failed(p, load->name, v->version, v->error.text);
    if (v->error.status != AL_NO_MEMORY)
        sv_table_set_tried(p->table, load->name, v->version, v->stamp);
}

/* Versions that are not on the disk any more. */
static void drop_versions(struct sv_publisher *p, const struct sv_load *load)
{
    size_t i = sv_table_n(p->table);

    while (i-- > 0) {
        const struct sv_entry *e = sv_table_at(p->table, i);

        if (strcmp(e->name, load->name) != 0 || is_present(load, e->version))
            continue;
        if (e->version)
            sv_log(p->log, SV_INFO, "model removed", SV_TEXT("model", load->name),
                   SV_NUMBER("version", e->version));
        sv_table_remove(p->table, load->name, e->version);
    }
}

const struct al_error *sv_publish(struct sv_publisher *p, struct sv_load *load,
                                  bool only_asked)
{
    const struct al_error *failure = NULL;

    if (load->error.status != AL_OK) {
        if (only_asked && load->error.status == AL_NOT_FOUND)
            sv_table_remove(p->table, load->name, 0);
        else
            set_failed(p, load->name, 0, load->error.text);
        return &load->error;
    }
    if (load->n_skipped > 0)
        sv_log(p->log, SV_WARNING, "versions skipped: too many",
               SV_TEXT("model", load->name), SV_NUMBER("skipped", load->n_skipped),
               SV_NUMBER("limit", SV_MAX_VERSIONS));
    for (size_t i = 0; i < load->n; i++) {
        publish_version(p, load, &load->versions[i]);
        if (load->versions[i].error.status != AL_OK)
            failure = &load->versions[i].error;
    }
    drop_versions(p, load);
    return failure;
}
