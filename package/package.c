/* How a package comes to be: the version, then model.json, then the network, then what
 * must agree with it: labels and policy. */
#include "package/package.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "package/choices.h"
#include "package/file.h"
#include "package/labels.h"
#include "package/manifest.h"
#include "package/policy_file.h"

#define MAX_JSON_BYTES   ((size_t)1 << 20)
#define MAX_LABELS_BYTES ((size_t)64 << 20)
#define MAX_MODEL_BYTES  ((size_t)2 << 30)

enum {
    MAX_PATH = 4096
};

/* <dir>/<name>, or <dir>/<version>/<name>. */
static const char *path_of(const struct pk_package *p, const char *name, char *buf)
{
    (void)snprintf(buf, MAX_PATH, "%s/%s", p->dir, name);
    return buf;
}

static const char *versioned_path_of(const struct pk_package *p, const char *name,
                                     char *buf)
{
    (void)snprintf(buf, MAX_PATH, "%s/%" PRIu32 "/%s", p->dir, p->version, name);
    return buf;
}

/* Reads a file that may be missing: `*ret` is then NULL. */
static enum al_status read_optional(const char *path, size_t max_bytes, char **ret,
                                    size_t *ret_size, struct al_error *err)
{
    enum al_status s = pk_file_read(path, max_bytes, ret, ret_size, err);

    if (s != AL_NOT_FOUND)
        return s;
    *ret = NULL;
    *ret_size = 0;
    return AL_OK;
}

/* ---- folder and version ---- */

static enum al_status locate(struct pk_package *p, const char *dir, struct al_error *err)
{
    const char *slash;

    p->dir = realpath(dir, NULL);
    if (!p->dir)
        return al_fail(err, AL_NOT_FOUND, "no model folder %s", dir);
    if (strlen(p->dir) > MAX_PATH / 2)
        return al_fail(err, AL_INVALID, "path of %zu bytes", strlen(p->dir));
    slash = strrchr(p->dir, '/');
    p->name = strdup(slash ? slash + 1 : p->dir);
    return p->name ? AL_OK : al_fail(err, AL_NO_MEMORY, "package");
}

static enum al_status pick_version(struct pk_package *p, uint32_t version,
                                   struct al_error *err)
{
    uint32_t *versions;
    size_t n;
    enum al_status s = pk_package_versions(p->dir, &versions, &n, err);

    if (s != AL_OK)
        return s;
    p->version = version > 0 ? 0 : versions[n - 1];
    for (size_t i = 0; i < n; i++)
        if (versions[i] == version)
            p->version = version;
    free(versions);
    if (p->version == 0)
        return al_fail(err, AL_NOT_FOUND, "model folder %s: no version %" PRIu32, p->dir,
                       version);
    return AL_OK;
}

static enum al_status read_manifest(const struct pk_package *p, struct pk_manifest *m,
                                    struct al_error *err)
{
    char path[MAX_PATH], *text;
    size_t size;
    enum al_status s =
        read_optional(path_of(p, "model.json", path), MAX_JSON_BYTES, &text, &size, err);

    if (s != AL_OK || !text)
        return s;
    s = pk_manifest_parse(text, size, m, err);
    free(text);
    return s == AL_OK ? s : al_error_prefix(err, s, "%s", path);
}

/* ---- the network ---- */

struct network_file {
    char *bytes;
    size_t size;
    char path[MAX_PATH];
};

static struct al_model_params model_params(const struct network_file *f,
                                           const struct pk_manifest *m,
                                           const struct pk_load_params *lp)
{
    enum al_precision said =
        m->precision < AL_N_PRECISIONS ? m->precision : AL_PRECISION_DEFAULT;

    return (struct al_model_params){
        .onnx = f->bytes,
        .onnx_bytes = f->size,
        .precision = lp->precision < AL_N_PRECISIONS ? lp->precision : said,
        .cpu_mask = lp->cpu_mask,
        .max_threads = lp->max_threads,
        .max_rows = m->max_batch,
        .now_ns = lp->now_ns,
        .forget = pk_file_forget,
    };
}

static struct al_shape picture_shape(const struct pk_input_spec *spec)
{
    return (struct al_shape){
        .rank = 4, .dims = { 1, pk_input_channels(spec), spec->height, spec->width }
    };
}

static bool ends_in_softmax(const struct al_model *m)
{
    size_t n = al_model_n_steps(m);
    const char *op = n > 0 ? al_model_step(m, n - 1).op : "";

    return strstr(op, "Softmax") && !strstr(op, "LogSoftmax");
}

/* A graph that nobody described: its first output is its only exit. Loaded twice, since
 * the graph itself says what that output is called. */
static enum al_status load_undescribed(struct al_model_params *params,
                                       struct al_model **ret, struct al_error *err)
{
    struct al_model_params look = *params;
    struct al_exit_spec only = { 0 };
    struct al_model *plain;
    enum al_status s;

    look.now_ns = NULL;
    look.max_rows = 1;
    look.forget = NULL;
    s = al_model_load(&look, &plain, err);
    if (s != AL_OK)
        return s;
    only.tensor = only.name = al_model_output(plain, 0).name;
    only.probabilities = ends_in_softmax(plain);
    params->exits = &only;
    params->n_exits = 1;
    s = al_model_load(params, ret, err);
    al_model_free(plain);
    return s;
}

static enum al_status load_network(struct pk_package *p, const struct network_file *f,
                                   const struct pk_manifest *m,
                                   const struct pk_load_params *lp, struct al_error *err)
{
    struct al_model_params params = model_params(f, m, lp);
    char choices[MAX_PATH];
    struct al_input_shape shape = { .tensor = m->input_tensor,
                                    .shape = picture_shape(&m->input) };

    if (pk_choices_path(choices, sizeof(choices)))
        params.choice_file = choices;
    if (m->has_input) {
        params.shapes = &shape;
        params.n_shapes = 1;
    }
    params.exits = m->exits;
    params.n_exits = m->n_exits;
    if (m->n_exits == 0)
        return load_undescribed(&params, &p->model, err);
    return al_model_load(&params, &p->model, err);
}

static enum al_status read_network(struct pk_package *p, const struct pk_manifest *m,
                                   const struct pk_load_params *lp, struct al_error *err)
{
    struct network_file f;
    enum al_status s = pk_file_read(versioned_path_of(p, "model.onnx", f.path),
                                    MAX_MODEL_BYTES, &f.bytes, &f.size, err);

    if (s != AL_OK)
        return s;
    pk_sha256(f.bytes, f.size, p->model_sha256);
    s = load_network(p, &f, m, lp, err);
    free(f.bytes);
    return s == AL_OK ? s : al_error_prefix(err, s, "%s", f.path);
}

/* ---- what must agree with the network ---- */

static bool is_picture(const struct al_tensor_info *in)
{
    const int64_t *d = in->shape.dims;

    return in->dtype == AL_F32 && in->shape.rank == 4 && (d[1] == 1 || d[1] == 3) &&
           d[2] > 1 && d[2] <= PK_MAX_INPUT_SIDE && d[3] > 1 && d[3] <= PK_MAX_INPUT_SIDE;
}

static enum al_status check_described_input(const struct pk_package *p,
                                            const struct al_tensor_info *in,
                                            struct al_error *err)
{
    struct al_shape want = picture_shape(&p->input);
    char a[64], b[64];

    if (in->dtype == AL_F32 && al_shape_equal(&want, &in->shape))
        return AL_OK;
    return al_fail(err, AL_INVALID,
                   "%s/model.json: key \"input\" makes FP32 %s, but input \"%s\" of the "
                   "graph is %s %s",
                   p->dir, al_shape_text(&want, a, sizeof(a)), in->name,
                   al_dtype_oip(in->dtype), al_shape_text(&in->shape, b, sizeof(b)));
}

static enum al_status describe_input(struct pk_package *p, const struct pk_manifest *m,
                                     struct al_error *err)
{
    struct al_tensor_info in;

    if (al_model_n_inputs(p->model) != 1)
        return al_fail(err, AL_UNSUPPORTED, "%s: the graph has %zu inputs, not 1", p->dir,
                       al_model_n_inputs(p->model));
    in = al_model_input(p->model, 0);
    p->input = m->input;
    p->takes_images = m->has_input || is_picture(&in);
    if (m->has_input)
        return check_described_input(p, &in, err);
    if (p->takes_images) {
        p->input.height = (uint32_t)in.shape.dims[2];
        p->input.width = (uint32_t)in.shape.dims[3];
        p->input.colour = in.shape.dims[1] == 1 ? PK_COLOUR_GRAY : PK_COLOUR_RGB;
    }
    return AL_OK;
}

static enum al_status describe_exits(struct pk_package *p, struct al_error *err)
{
    size_t last = al_model_n_stages(p->model) - 1;

    al_policy_init(&p->policy, (uint32_t)last + 1);
    p->n_classes = al_model_stage(p->model, last).n_classes;
    for (size_t k = 0; k < last; k++) {
        struct al_stage_info stage = al_model_stage(p->model, k);

        if (stage.n_classes != p->n_classes)
            return al_fail(err, AL_INVALID,
                           "%s: exit \"%s\" has %zu classes, the last exit %zu", p->dir,
                           stage.exit_name, stage.n_classes, p->n_classes);
    }
    return AL_OK;
}

static enum al_status read_labels(struct pk_package *p, struct al_error *err)
{
    char path[MAX_PATH], *text;
    size_t size;
    enum al_status s = read_optional(path_of(p, "labels.txt", path), MAX_LABELS_BYTES,
                                     &text, &size, err);

    if (s != AL_OK || !text)
        return s;
    s = pk_labels_parse(text, size, &p->labels, &p->n_labels, err);
    free(text);
    if (s == AL_OK && p->n_labels != p->n_classes)
        s = al_fail(err, AL_INVALID, "%zu labels for %zu classes", p->n_labels,
                    p->n_classes);
    return s == AL_OK ? s : al_error_prefix(err, s, "%s", path);
}

static struct pk_policy_model policy_model(const struct pk_package *p)
{
    struct pk_policy_model m = { .sha256 = p->model_sha256,
                                 .precision = al_model_precision(p->model) };

    m.n_exits = (uint32_t)al_model_n_stages(p->model);
    for (uint32_t k = 0; k < m.n_exits; k++)
        m.exit_names[k] = al_model_stage(p->model, k).exit_name;
    return m;
}

static enum al_status read_policy(struct pk_package *p, struct al_error *err)
{
    struct pk_policy_model m = policy_model(p);
    char path[MAX_PATH], *text;
    size_t size;
    enum al_status s = read_optional(versioned_path_of(p, "policy.json", path),
                                     MAX_JSON_BYTES, &text, &size, err);

    if (s != AL_OK || !text)
        return s;
    s = pk_policy_parse(text, size, &m, &p->policy, &p->certified_in, err);
    free(text);
    p->has_policy = s == AL_OK;
    return s == AL_OK ? s : al_error_prefix(err, s, "%s", path);
}

/* ---- the whole ---- */

static enum al_status fill(struct pk_package *p, struct pk_manifest *m,
                           const struct pk_load_params *lp, struct al_error *err)
{
    enum al_status s = read_manifest(p, m, err);

    if (s == AL_OK)
        s = read_network(p, m, lp, err);
    if (s == AL_OK)
        s = describe_input(p, m, err);
    if (s == AL_OK)
        s = describe_exits(p, err);
    if (s == AL_OK)
        s = read_labels(p, err);
    if (s == AL_OK)
        p->certified_in = al_model_precision(p->model);
    if (s == AL_OK && !lp->without_policy)
        s = read_policy(p, err);
    p->max_batch = m->max_batch;
    p->default_max_loss = m->default_max_loss;
    return s;
}

enum al_status pk_package_load(const char *dir, uint32_t version,
                               const struct pk_load_params *lp, struct pk_package **ret,
                               struct al_error *err)
{
    struct pk_package *p = calloc(1, sizeof(*p));
    struct pk_manifest m;
    enum al_status s;

    if (!p)
        return al_fail(err, AL_NO_MEMORY, "package");
    pk_manifest_init(&m);
    s = locate(p, dir, err);
    if (s == AL_OK)
        s = pick_version(p, version, err);
    if (s == AL_OK)
        s = fill(p, &m, lp, err);
    pk_manifest_done(&m);
    if (s != AL_OK) {
        pk_package_free(p);
        return s;
    }
    *ret = p;
    return AL_OK;
}

void pk_package_free(struct pk_package *p)
{
    if (!p)
        return;
    al_model_free(p->model);
    free(p->labels);
    free(p->name);
    free(p->dir);
    free(p);
}

char *pk_policy_path(const struct pk_package *p)
{
    char path[MAX_PATH];

    return strdup(versioned_path_of(p, "policy.json", path));
}

enum al_status pk_policy_write(const struct pk_package *p, const struct al_policy *policy,
                               FILE *f, struct al_error *err)
{
    struct pk_policy_model m = policy_model(p);
    char *text;
    size_t size;
    enum al_status s = pk_policy_format(policy, &m, &text, &size, err);

    if (s != AL_OK)
        return s;
    (void)fwrite(text, 1, size, f);
    free(text);
    return AL_OK;
}
