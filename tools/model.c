#include "tools/model.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "package/choices.h"
#include "package/file.h"
#include "tools/clock.h"

#define MAX_MODEL_BYTES ((size_t)2 << 30)

static enum al_status parse_precision(const char *text, enum al_precision *ret,
                                      struct al_error *err)
{
    *ret = text ? al_precision_find(text) : AL_N_PRECISIONS;
    if (text && *ret == AL_N_PRECISIONS)
        return al_fail(err, AL_INVALID,
                       "--precision: '%s' is none of strict, default, bf16", text);
    return AL_OK;
}

static enum al_status parse_cpu_mask(const char *text, unsigned *ret,
                                     struct al_error *err)
{
    *ret = UINT_MAX;
    if (text && !al_engine_cpu_mask(text, ret))
        return al_fail(err, AL_INVALID, "--cpu-mask: '%s' names no instruction set",
                       text);
    return AL_OK;
}

enum al_status tl_model_check(const struct tl_model_args *args, struct al_error *err)
{
    enum al_precision precision;
    unsigned cpu_mask;
    const enum al_status s = parse_precision(args->precision, &precision, err);

    return s == AL_OK ? parse_cpu_mask(args->cpu_mask, &cpu_mask, err) : s;
}

/* The file itself, or model.onnx of the version asked for of a package. */
static enum al_status find_file(const struct tl_model_args *args, char *buf, size_t size,
                                struct al_error *err)
{
    struct stat st;
    uint32_t *versions;
    size_t n_versions;

    if (stat(args->path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        (void)snprintf(buf, size, "%s", args->path);
        return AL_OK;
    }
    const enum al_status s = pk_package_versions(args->path, &versions, &n_versions, err);

    if (s != AL_OK)
        return s;
    (void)snprintf(buf, size, "%s/%zu/model.onnx", args->path,
                   args->version ? args->version : (size_t)versions[n_versions - 1]);
    free(versions);
    return AL_OK;
}

enum al_status tl_model_open_file(const struct tl_model_args *args,
                                  const struct al_input_shape *shapes, size_t n_shapes,
                                  struct tl_model *ret, struct al_error *err)
{
    struct al_model_params p = { .shapes = shapes,
                                 .n_shapes = n_shapes,
                                 .max_threads = args->max_threads,
                                 .now_ns = tl_now_ns,
                                 .forget = pk_file_forget };
    struct al_model *model = NULL;
    char path[PATH_MAX], choices[PATH_MAX], *bytes;
    size_t size;
    enum al_status s = parse_precision(args->precision, &p.precision, err);

    if (s == AL_OK)
        s = parse_cpu_mask(args->cpu_mask, &p.cpu_mask, err);
    if (s == AL_OK)
        s = find_file(args, path, sizeof(path), err);
    if (s == AL_OK)
        s = pk_file_read(path, MAX_MODEL_BYTES, &bytes, &size, err);
    if (s != AL_OK)
        return s;
    if (p.precision == AL_N_PRECISIONS)
        p.precision = AL_PRECISION_DEFAULT;
    p.onnx = bytes;
    p.onnx_bytes = size;
    if (pk_choices_path(choices, sizeof(choices)))
        p.choice_file = choices;
    s = al_model_load(&p, &model, err);
    free(bytes);
    if (s != AL_OK)
        return al_error_prefix(err, s, "model '%s'", path);
    *ret = (struct tl_model){ .model = model };
    return AL_OK;
}

static enum al_status open_package(const struct tl_model_args *args, struct tl_model *ret,
                                   struct al_error *err)
{
    struct pk_load_params p = { .now_ns = tl_now_ns,
                                .max_threads = args->max_threads,
                                .without_policy = args->without_policy };
    struct pk_package *package = NULL;
    enum al_status s = parse_precision(args->precision, &p.precision, err);

    if (s == AL_OK)
        s = parse_cpu_mask(args->cpu_mask, &p.cpu_mask, err);
    if (s == AL_OK)
        s = pk_package_load(args->path, (uint32_t)args->version, &p, &package, err);
    if (s != AL_OK)
        return s;
    *ret = (struct tl_model){ .package = package, .model = package->model };
    return AL_OK;
}

enum al_status tl_model_open(const struct tl_model_args *args, struct tl_model *ret,
                             struct al_error *err)
{
    struct stat st;

    if (stat(args->path, &st) != 0)
        return al_fail(err, AL_NOT_FOUND, "model '%s': %s", args->path,
                       strerrordesc_np(errno));
    return S_ISDIR(st.st_mode) ? open_package(args, ret, err)
                               : tl_model_open_file(args, NULL, 0, ret, err);
}

enum al_status tl_model_open_classifier(const struct tl_model_args *args,
                                        struct tl_model *ret, struct al_error *err)
{
    struct tl_model m;
    const enum al_status s = tl_model_open(args, &m, err);

    if (s != AL_OK)
        return s;
    if (!m.package || !m.package->takes_images) {
        tl_model_done(&m);
        return al_fail(err, AL_INVALID,
                       "model '%s' is not a package that takes pictures: a folder with "
                       "model.json and 1/model.onnx is wanted",
                       args->path);
    }
    *ret = m;
    return AL_OK;
}

void tl_model_done(struct tl_model *m)
{
    if (m->package)
        pk_package_free(m->package);
    else
        al_model_free(m->model);
    memset(m, 0, sizeof(*m));
}
