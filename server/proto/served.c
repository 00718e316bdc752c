#include "server/proto/served.h"

#include <stdlib.h>
#include <string.h>

#include "package/manifest.h"
#include "server/core/model.h"

#define BUILTIN_MAX_BATCH 32

_Static_assert(PK_MAX_BATCH <= SV_MAX_BATCH, "a job holds a batch of any package");

static enum al_status describe(struct sv_served *s, struct al_error *err)
{
    const struct al_model *m = s->package->model;
    struct al_tensor_info input;

    if (al_model_n_inputs(m) != 1)
        return al_fail(err, AL_UNSUPPORTED, "model has %zu inputs, one can be served",
                       al_model_n_inputs(m));
    input = al_model_input(m, 0);
    if (input.dtype != AL_F32)
        return al_fail(err, AL_UNSUPPORTED, "input '%s' is %s, only F32 can be served",
                       input.name, al_dtype_name(input.dtype));
    s->input_name = input.name;
    s->input_shape = input.shape;
    s->output_name = "probabilities";
    s->n_classes = s->package->n_classes;
    s->n_exits = al_model_n_stages(m);
    s->row_bytes = al_model_row_bytes(m);
    s->max_batch = s->package->max_batch;
    return AL_OK;
}

enum al_status sv_served_new(struct pk_package *p, struct sv_served **ret,
                             struct al_error *err)
{
    struct sv_served *s = calloc(1, sizeof(*s));
    enum al_status status;

    if (!s || !(s->name = strdup(p->name))) {
        free(s);
        return al_fail(err, AL_NO_MEMORY, "model '%s'", p->name);
    }
    s->package = p;
    s->version = p->version;
    status = describe(s, err);
    if (status != AL_OK) {
        s->package = NULL;
        sv_served_free(s);
        return status;
    }
    *ret = s;
    return AL_OK;
}

enum al_status sv_served_new_builtin(enum sv_builtin builtin, const char *name,
                                     struct sv_served **ret, struct al_error *err)
{
    struct sv_served *s = calloc(1, sizeof(*s));

    if (!s || !(s->name = strdup(name))) {
        free(s);
        return al_fail(err, AL_NO_MEMORY, "model '%s'", name);
    }
    s->version = 1;
    s->builtin = builtin;
    s->input_name = "INPUT0";
    s->output_name = "OUTPUT0";
    s->input_shape = (struct al_shape){ .rank = 2, .dims = { 1, 1 } };
    s->n_classes = 1;
    s->n_exits = builtin == SV_BUILTIN_TWO_EXITS ? 2 : 1;
    s->row_bytes = sizeof(float);
    s->max_batch = BUILTIN_MAX_BATCH;
    s->max_threads = 1;
    *ret = s;
    return AL_OK;
}

void sv_served_free(struct sv_served *s)
{
    if (!s)
        return;
    pk_package_free(s->package);
    free(s->name);
    free(s);
}

static void free_payload(void *payload)
{
    sv_served_free(payload);
}

enum al_status sv_served_to_model(struct sv_served *s, struct sv_model **ret,
                                  struct al_error *err)
{
    const struct sv_model_params p = { .name = s->name,
                                       .version = s->version,
                                       .n_stages = s->n_exits,
                                       .max_batch = s->max_batch,
                                       .max_threads = s->max_threads,
                                       .payload = s,
                                       .free_payload = free_payload };

    *ret = sv_model_new(&p);
    return *ret ? AL_OK : al_fail(err, AL_NO_MEMORY, "model '%s'", s->name);
}

const struct sv_served *sv_served_of(const struct sv_model *m)
{
    return m->payload;
}

bool sv_served_has_exits(const struct sv_served *s)
{
    return s->package || s->n_exits > 1;
}

const char *sv_served_exit_name(const struct sv_served *s, size_t exit)
{
    if (s->package)
        return al_model_stage(s->package->model, exit).exit_name;
    if (s->n_exits == 1)
        return "only";
    return exit == 0 ? "first" : "last";
}

const char *sv_served_label(const struct sv_served *s, size_t class_index)
{
    return s->package && class_index < s->package->n_labels
               ? s->package->labels[class_index]
               : NULL;
}
