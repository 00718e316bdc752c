#include <stdlib.h>
#include <string.h>

#include "engine/base/reader.h"
#include "server/proto/base64.h"
#include "server/proto/json_doc.h"
#include "server/proto/oip.h"
#include "server/proto/oip_state.h"
#include "server/proto/tensor.h"

const struct sv_codec sv_codec_oip = { .peek_deadline_ms = sv_oip_peek_deadline_ms,
                                       .decode = sv_oip_read,
                                       .encode = sv_oip_write };

/* The one input as the request describes it. */
struct input {
    const char *name;
    const char *datatype;
    struct al_shape shape;
    const struct sv_json_span *numbers; /* JSON data of numbers, */
    const json_t *strings;              /* or of strings, */
    const char *bytes;                  /* or binary data */
    size_t n_bytes;
};

static void free_state(void *state)
{
    struct sv_oip *o = state;

    if (!o)
        return;
    free(o->id);
    free(o->echo);
    free(o);
}

static struct sv_oip *make_state(struct sv_call *c)
{
    struct sv_oip *o = malloc(sizeof(*o));

    if (o)
        *o = (struct sv_oip){ 0 };
    c->state = o;
    c->state_free = free_state;
    return o;
}

/* ---- outputs ---- */

static enum al_status find_output(const struct sv_served *m, const char *name,
                                  enum sv_oip_output_kind *ret, struct al_error *err)
{
    if (strcmp(name, m->output_name) == 0)
        *ret = SV_OIP_MAIN;
    else if (sv_served_has_exits(m) && strcmp(name, "exit_index") == 0)
        *ret = SV_OIP_EXIT_INDEX;
    else if (sv_served_has_exits(m) && strcmp(name, "exit_score") == 0)
        *ret = SV_OIP_EXIT_SCORE;
    else
        return al_fail(err, AL_INVALID,
                       "unexpected inference output '%.80s' for model '%s'", name,
                       m->name);
    return AL_OK;
}

static enum al_status read_output(const struct sv_call *c, const json_t *value,
                                  struct sv_oip_output *ret, struct al_error *err)
{
    const char *name = json_string_value(json_object_get(value, "name"));
    const json_t *parameters = json_object_get(value, "parameters");
    const json_t *classes = json_object_get(parameters, "classification");
    const json_t *binary = json_object_get(parameters, "binary_data");

    if (!name)
        return al_fail(err, AL_INVALID, "an output has no name");
    if (classes && (!json_is_integer(classes) || json_integer_value(classes) < 0))
        return al_fail(err, AL_INVALID, "output '%.80s': classification is no number",
                       name);
    if (binary && !json_is_boolean(binary))
        return al_fail(err, AL_INVALID, "output '%.80s': binary_data is no boolean",
                       name);
    if (binary)
        ret->binary = json_is_true(binary);
    if (classes)
        ret->n_classes = json_integer_value(classes) < (json_int_t)c->served->n_classes
                             ? (uint32_t)json_integer_value(classes)
                             : (uint32_t)c->served->n_classes;
    return find_output(c->served, name, &ret->kind, err);
}

static enum al_status read_outputs(const struct sv_call *c, struct sv_oip *o,
                                   json_t *array, struct al_error *err)
{
    size_t n = json_array_size(array);

    if (array && !json_is_array(array))
        return al_fail(err, AL_INVALID, "'outputs' is not an array");
    if (n > SV_OIP_MAX_OUTPUTS)
        return al_fail(err, AL_INVALID, "%zu outputs, at most %d can be asked for", n,
                       SV_OIP_MAX_OUTPUTS);
    for (size_t i = 0; i < n; i++) {
        enum al_status s;

        o->outputs[i].binary = o->binary;
        s = read_output(c, json_array_get(array, i), &o->outputs[i], err);
        if (s != AL_OK)
            return s;
    }
    o->n_outputs = n ? n : 1;
    if (n == 0)
        o->outputs[0].binary = o->binary;
    return AL_OK;
}

/* ---- the input ---- */

static enum al_status read_shape(const json_t *array, struct al_shape *ret,
                                 struct al_error *err)
{
    size_t n = json_array_size(array), count;

    if (!json_is_array(array))
        return al_fail(err, AL_INVALID, "shape is missing or not an array");
    if (n > AL_MAX_DIMS)
        return al_fail(err, AL_INVALID, "shape has %zu dimensions, at most %d", n,
                       AL_MAX_DIMS);
    ret->rank = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *dim = json_array_get(array, i);

        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return al_fail(err, AL_INVALID, "shape: dimension %zu is no whole number", i);
        ret->dims[i] = json_integer_value(dim);
    }
    return al_shape_count(ret, sizeof(double), &count, err) == AL_OK
               ? AL_OK
               : al_fail(err, AL_INVALID, "shape: too many elements");
}

static enum al_status read_data(const struct sv_call *c, const struct sv_json_doc *doc,
                                const json_t *value, struct input *ret,
                                struct al_error *err)
{
    const json_t *data = json_object_get(value, "data");
    const json_t *parameters = json_object_get(value, "parameters");
    const json_t *binary = json_object_get(parameters, "binary_data_size");
    size_t left = c->json_size == SIZE_MAX ? 0 : c->body_size - c->json_size;

    if (binary && c->json_size == SIZE_MAX)
        return al_fail(err, AL_INVALID,
                       "binary_data_size without Inference-Header-Content-Length");
    if (binary) {
        if (!json_is_integer(binary) || json_integer_value(binary) < 0 ||
            (uint64_t)json_integer_value(binary) != left)
            return al_fail(err, AL_INVALID,
                           "binary_data_size does not fit the %zu bytes behind the JSON",
                           left);
        ret->bytes = c->body + c->json_size;
        ret->n_bytes = left;
        return AL_OK;
    }
    if (left > 0)
        return al_fail(err, AL_INVALID, "%zu bytes behind the JSON belong to no input",
                       left);
    ret->numbers = sv_json_doc_span(doc, data);
    if (!ret->numbers && !json_is_array(data))
        return al_fail(err, AL_INVALID, "data is missing or not an array");
    ret->strings = data;
    return AL_OK;
}

static enum al_status read_input(const struct sv_call *c, const struct sv_json_doc *doc,
                                 struct input *ret, struct al_error *err)
{
    const json_t *inputs = json_object_get(doc->root, "inputs");
    const json_t *value = json_array_get(inputs, 0);
    enum al_status s;

    if (!json_is_array(inputs) || json_array_size(inputs) != 1)
        return al_fail(err, AL_INVALID, "expected 1 input, got %zu",
                       json_array_size(inputs));
    ret->name = json_string_value(json_object_get(value, "name"));
    ret->datatype = json_string_value(json_object_get(value, "datatype"));
    if (!ret->name || strcmp(ret->name, c->served->input_name) != 0)
        return al_fail(
            err, AL_INVALID,
            "unexpected inference input '%.80s' for model '%s', which takes '%s'",
            ret->name ? ret->name : "", c->served->name, c->served->input_name);
    if (!ret->datatype)
        return al_fail(err, AL_INVALID, "input '%s': datatype is missing", ret->name);
    s = read_shape(json_object_get(value, "shape"), &ret->shape, err);
    if (s == AL_OK)
        s = read_data(c, doc, value, ret, err);
    return s == AL_OK ? s : al_error_prefix(err, s, "input '%s'", ret->name);
}

/* ---- rows ---- */

/* [N, what one row has]. */
static enum al_status check_shape(const struct sv_call *c, const struct al_shape *shape,
                                  struct al_error *err)
{
    struct al_shape want = c->served->input_shape;
    char got_text[96], want_text[96];
    bool fits = shape->rank == want.rank && shape->rank > 0;

    for (size_t i = 1; fits && i < want.rank; i++)
        fits = shape->dims[i] == want.dims[i];
    if (fits)
        return AL_OK;
    want.dims[0] = -1;
    return al_fail(err, AL_INVALID, "input '%s': shape %s, the model takes %s",
                   c->served->input_name,
                   al_shape_text(shape, got_text, sizeof(got_text)),
                   al_shape_text(&want, want_text, sizeof(want_text)));
}

static enum al_status fill(struct sv_fill *f, const struct input *in,
                           struct al_error *err)
{
    if (in->bytes)
        return sv_fill_bytes(f, in->bytes, in->n_bytes, err);
    if (!in->numbers)
        return al_fail(err, AL_INVALID, "data: %s takes numbers", al_dtype_oip(f->dtype));
    return sv_fill_json(f, in->numbers, err);
}

static enum al_status take_tensor(struct sv_call *c, const struct sv_decoder *d,
                                  const struct input *in, struct al_error *err)
{
    enum al_dtype dtype = al_dtype_of_oip(in->datatype);
    struct sv_fill f;
    enum al_status s;

    if (dtype == AL_NO_DTYPE)
        return al_fail(err, AL_INVALID, "input '%s': unknown datatype '%.20s'", in->name,
                       in->datatype);
    s = check_shape(c, &in->shape, err);
    if (s == AL_OK)
        s = sv_call_make_rows(c, d, (size_t)in->shape.dims[0], err);
    if (s != AL_OK)
        return s;
    f = sv_fill_call(c, dtype);
    s = fill(&f, in, err);
    return s == AL_OK ? s : al_error_prefix(err, s, "input '%s'", in->name);
}

/* Element `i` of JSON strings: an image in base64. */
static enum al_status take_base64(struct sv_call *c, const struct sv_decoder *d,
                                  const json_t *text, size_t i, struct al_error *err)
{
    size_t length = json_string_length(text), size;
    uint8_t *image;
    enum al_status s;

    if (!json_is_string(text))
        return al_fail(err, AL_INVALID, "not a string");
    image = malloc(SV_BASE64_BYTES(length));
    if (!image)
        return al_fail(err, AL_NO_MEMORY, "base64");
    s = sv_base64_decode(json_string_value(text), length, image, &size)
            ? sv_call_image(c, d, i, image, size, err)
            : al_fail(err, AL_INVALID, "not base64");
    free(image);
    return s;
}

static enum al_status take_element(struct sv_call *c, const struct sv_decoder *d,
                                   const struct input *in, struct al_reader *r, size_t i,
                                   struct al_error *err)
{
    const uint8_t *image;
    uint32_t size;

    if (!in->bytes)
        return take_base64(c, d, json_array_get(in->strings, i), i, err);
    if (!al_reader_u32(r, &size) || !al_reader_bytes(r, size, &image))
        return al_fail(err, AL_INVALID, "the binary data ends inside it");
    return sv_call_image(c, d, i, image, size, err);
}

/* BYTES [N] or [N,1]: encoded images. */
static enum al_status take_images(struct sv_call *c, const struct sv_decoder *d,
                                  const struct input *in, struct al_error *err)
{
    struct al_reader r = al_reader_of(in->bytes, in->n_bytes);
    size_t n = in->shape.rank ? (size_t)in->shape.dims[0] : 0;
    enum al_status s;

    if (in->shape.rank > 2 || (in->shape.rank == 2 && in->shape.dims[1] != 1))
        return al_fail(err, AL_INVALID, "input '%s': BYTES images have shape [N]",
                       in->name);
    if (in->numbers || (!in->bytes && json_array_size(in->strings) != n))
        return al_fail(err, AL_INVALID, "input '%s': data does not hold %zu strings",
                       in->name, n);
    s = sv_call_make_rows(c, d, n, err);
    for (size_t i = 0; i < n && s == AL_OK; i++) {
        s = take_element(c, d, in, &r, i, err);
        if (s != AL_OK)
            return al_error_prefix(err, s, "input '%s', element %zu", in->name, i);
    }
    if (s == AL_OK && al_reader_left(&r) > 0)
        return al_fail(err, AL_INVALID, "input '%s': %zu bytes too many", in->name,
                       al_reader_left(&r));
    return s;
}

static float *echo_row(void *arg, size_t row)
{
    struct sv_oip *o = arg;

    return o->echo + row * o->n_echo;
}

/* identity_fp32: any shape, kept for the answer. */
static enum al_status take_echo(struct sv_call *c, const struct sv_decoder *d,
                                const struct input *in, struct sv_oip *o,
                                struct al_error *err)
{
    struct sv_fill f = {
        .dtype = al_dtype_of_oip(in->datatype), .n_rows = 1, .row_of = echo_row, .arg = o
    };
    enum al_status s;

    if (f.dtype != AL_F32)
        return al_fail(err, AL_INVALID,
                       "input '%s': datatype '%.20s', model '%s' takes FP32", in->name,
                       in->datatype, c->served->name);
    o->echo_shape = in->shape;
    s = al_shape_count(&in->shape, sizeof(float), &o->n_echo, err);
    if (s == AL_OK && o->n_echo > d->limits.max_body_bytes)
        s = al_fail(err, AL_TOO_LARGE, "input '%s': %zu elements", in->name, o->n_echo);
    if (s == AL_OK)
        s = sv_call_make_rows(c, d, 1, err);
    if (s == AL_OK && !(o->echo = calloc(o->n_echo + 1, sizeof(float))))
        s = al_fail(err, AL_NO_MEMORY, "input '%s'", in->name);
    f.row_elements = o->n_echo;
    return s == AL_OK ? fill(&f, in, err) : s;
}

static enum al_status take_nothing(struct sv_call *c, const struct sv_decoder *d,
                                   struct al_error *err)
{
    enum al_status s = sv_call_make_rows(c, d, 1, err);

    if (s == AL_OK)
        *sv_call_input(c, 0) = 0;
    return s;
}

static enum al_status take_input(struct sv_call *c, const struct sv_decoder *d,
                                 const struct input *in, struct sv_oip *o,
                                 struct al_error *err)
{
    if (c->served->builtin == SV_BUILTIN_IDENTITY)
        return take_echo(c, d, in, o, err);
    if (c->served->builtin == SV_BUILTIN_NULL)
        return take_nothing(c, d, err);
    if (strcmp(in->datatype, "BYTES") == 0)
        return take_images(c, d, in, err);
    return take_tensor(c, d, in, err);
}

/* ---- whole requests ---- */

/* Header value 0: the body is the one input, batch 1, and outputs are binary. */
static enum al_status read_raw(struct sv_call *c, const struct sv_decoder *d,
                               struct sv_oip *o, struct al_error *err)
{
    struct input in = { .name = c->served->input_name,
                        .datatype = "FP32",
                        .shape = c->served->input_shape,
                        .bytes = c->body,
                        .n_bytes = c->body_size };

    if (c->served->builtin == SV_BUILTIN_IDENTITY)
        in.shape = (struct al_shape){ 1, { (int64_t)(c->body_size / sizeof(float)) } };
    else
        in.shape.dims[0] = 1;
    o->n_outputs = 1;
    o->outputs[0].binary = o->binary = true;
    if (!in.bytes)
        return al_fail(err, AL_INVALID, "the body is empty");
    return take_input(c, d, &in, o, err);
}

static enum al_status read_doc(struct sv_call *c, const struct sv_decoder *d,
                               const struct sv_json_doc *doc, struct sv_oip *o,
                               struct al_error *err)
{
    const json_t *id = json_object_get(doc->root, "id");
    struct input in = { 0 };
    enum al_status s;

    if (id && !json_is_string(id))
        return al_fail(err, AL_INVALID, "'id' is not a string");
    if (id && !(o->id = strdup(json_string_value(id))))
        return al_fail(err, AL_NO_MEMORY, "id");
    s = sv_oip_read_parameters(c, o, json_object_get(doc->root, "parameters"), err);
    if (s == AL_OK)
        s = read_outputs(c, o, json_object_get(doc->root, "outputs"), err);
    if (s == AL_OK)
        s = read_input(c, doc, &in, err);
    if (s != AL_OK)
        return s;
    sv_oip_apply_urgency(c, d);
    return take_input(c, d, &in, o, err);
}

enum al_status sv_oip_read(struct sv_call *c, const struct sv_decoder *d,
                           struct al_error *err)
{
    const struct sv_json_limits limits = { d->limits.max_json_depth,
                                           d->limits.max_json_values };
    struct sv_oip *o = make_state(c);
    struct sv_json_doc doc;
    enum al_status s;

    if (!o)
        return al_fail(err, AL_NO_MEMORY, "request");
    if (c->json_size == 0)
        return read_raw(c, d, o, err);
    s = sv_json_doc_read(c->body, c->json_size == SIZE_MAX ? c->body_size : c->json_size,
                         &limits, &doc, err);
    if (s == AL_OK)
        s = read_doc(c, d, &doc, o, err);
    sv_json_doc_done(&doc);
    return s;
}
