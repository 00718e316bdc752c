#include "package/manifest.h"

#include <string.h>

#include "package/json.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const colours[PK_N_COLOURS] = { "gray", "rgb", "bgr" };
static const char *const fits[PK_N_FITS] = { "stretch", "crop", "pad" };
static const char *const filters[PK_N_FILTERS] = { "nearest", "bilinear", "bicubic",
                                                   "lanczos" };
static const char *const kinds[] = { "logits", "probabilities" };
static const char *const precisions[AL_N_PRECISIONS] = {
#define X(id, name) name,
    AL_PRECISION_LIST(X)
#undef X
};

struct pk_input_spec pk_input_spec_default(void)
{
    return (struct pk_input_spec){ .colour = PK_COLOUR_RGB,
                                   .fit = PK_FIT_STRETCH,
                                   .filter = PK_FILTER_BILINEAR,
                                   .scale = 1.0 / 255.0,
                                   .std = { 1.0, 1.0, 1.0 } };
}

void pk_manifest_init(struct pk_manifest *m)
{
    *m = (struct pk_manifest){ .input = pk_input_spec_default(),
                               .max_batch = 32,
                               .precision = AL_N_PRECISIONS };
}

void pk_manifest_done(struct pk_manifest *m)
{
    json_decref(m->root);
    pk_manifest_init(m);
}

static void read_choices(struct pk_json *j, struct pk_input_spec *spec)
{
    unsigned colour = spec->colour, fit = spec->fit, filter = spec->filter;

    pk_json_choice(j, "colour", colours, COUNT(colours), &colour);
    pk_json_choice(j, "fit", fits, COUNT(fits), &fit);
    pk_json_choice(j, "filter", filters, COUNT(filters), &filter);
    spec->colour = (enum pk_colour)colour;
    spec->fit = (enum pk_fit)fit;
    spec->filter = (enum pk_filter)filter;
}

static enum al_status read_input(const struct pk_json *root, struct pk_manifest *m)
{
    static const char *const keys[] = { "tensor", "width", "height", "colour", "fit",
                                        "filter", "scale", "mean",   "std" };
    struct pk_json j;

    m->has_input = json_object_get(root->object, "input") != NULL;
    if (root->status != AL_OK || !m->has_input)
        return root->status;
    j = pk_json_child(root, "input");
    pk_json_only(&j, keys, COUNT(keys));
    pk_json_need(&j, "tensor");
    pk_json_need(&j, "width");
    pk_json_need(&j, "height");
    pk_json_need(&j, "colour");
    pk_json_string(&j, "tensor", &m->input_tensor);
    pk_json_uint(&j, "width", 1, PK_MAX_INPUT_SIDE, &m->input.width);
    pk_json_uint(&j, "height", 1, PK_MAX_INPUT_SIDE, &m->input.height);
    read_choices(&j, &m->input);
    pk_json_number(&j, "scale", 1e-9, 1e9, &m->input.scale);
    pk_json_numbers(&j, "mean", pk_input_channels(&m->input), -1e9, 1e9, m->input.mean);
    pk_json_numbers(&j, "std", pk_input_channels(&m->input), 1e-9, 1e9, m->input.std);
    return j.status;
}

static enum al_status read_exit(const struct pk_json *root, size_t i,
                                struct al_exit_spec *ret)
{
    static const char *const keys[] = { "tensor", "name", "kind", "gate" };
    struct pk_json j = pk_json_entry(root, "exits", i);
    struct al_exit_spec e = { 0 };
    unsigned kind = 0;

    pk_json_only(&j, keys, COUNT(keys));
    pk_json_need(&j, "tensor");
    pk_json_string(&j, "tensor", &e.tensor);
    e.name = e.tensor;
    pk_json_string(&j, "name", &e.name);
    pk_json_string(&j, "gate", &e.gate);
    pk_json_choice(&j, "kind", kinds, COUNT(kinds), &kind);
    e.probabilities = kind == 1;
    *ret = e;
    return j.status;
}

static bool is_repeated(const struct pk_manifest *m, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(m->exits[k].name, m->exits[i].name) == 0 ||
            strcmp(m->exits[k].tensor, m->exits[i].tensor) == 0)
            return true;
    return false;
}

static enum al_status read_exits(struct pk_json *root, struct pk_manifest *m)
{
    const json_t *array;

    pk_json_array(root, "exits", 1, AL_MAX_EXITS, &array);
    for (size_t i = 0; root->status == AL_OK && i < json_array_size(array); i++) {
        root->status = read_exit(root, i, &m->exits[i]);
        m->n_exits = i + 1;
        if (root->status == AL_OK && is_repeated(m, i))
            pk_json_fail(root, "exits", "repeats exit \"%s\"", m->exits[i].name);
    }
    return root->status;
}

static enum al_status read_root(struct pk_json *j, struct pk_manifest *m)
{
    static const char *const keys[] = { "input", "exits", "max_batch", "precision",
                                        "default_max_loss" };
    unsigned precision = AL_N_PRECISIONS;

    pk_json_only(j, keys, COUNT(keys));
    j->status = read_input(j, m);
    j->status = read_exits(j, m);
    pk_json_uint(j, "max_batch", 1, PK_MAX_BATCH, &m->max_batch);
    pk_json_choice(j, "precision", precisions, COUNT(precisions), &precision);
    pk_json_number(j, "default_max_loss", 0.0, 1.0, &m->default_max_loss);
    m->precision = (enum al_precision)precision;
    return j->status;
}

enum al_status pk_manifest_parse(const char *text, size_t size, struct pk_manifest *ret,
                                 struct al_error *err)
{
    struct pk_manifest m;
    struct pk_json j;
    enum al_status s;

    pk_manifest_init(&m);
    s = pk_json_parse(text, size, &m.root, err);
    if (s != AL_OK)
        return s;
    j = pk_json_reader(m.root, "", err);
    s = read_root(&j, &m);
    if (s != AL_OK) {
        pk_manifest_done(&m);
        return s;
    }
    *ret = m;
    return AL_OK;
}
