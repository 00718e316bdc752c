/* oip_read.c — a request: its JSON, or its raw bytes, into what it asks for. */
#include <stdlib.h>
#include <string.h>

#include "server/proto/oip.h"
#include "server/proto/oip_state.h"

const struct sv_codec sv_codec_oip = { .peek_deadline_ms = sv_oip_peek_deadline_ms,
                                       .decode = sv_oip_read,
                                       .encode = sv_oip_write };

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

/* ---- the input, as it is described ---- */

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
                                const json_t *value, struct sv_oip_input *ret,
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
                                 struct sv_oip_input *ret, struct al_error *err)
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

/* ---- whole requests ---- */

/* Header value 0: the body is the one input, batch 1, and outputs are binary. */
static enum al_status read_raw(struct sv_call *c, const struct sv_decoder *d,
                               struct sv_oip *o, struct al_error *err)
{
    struct sv_oip_input in = { .name = c->served->input_name,
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
    return sv_oip_take_input(c, d, &in, o, err);
}

static enum al_status read_doc(struct sv_call *c, const struct sv_decoder *d,
                               const struct sv_json_doc *doc, struct sv_oip *o,
                               struct al_error *err)
{
    const json_t *id = json_object_get(doc->root, "id");
    struct sv_oip_input in = { 0 };
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
    return sv_oip_take_input(c, d, &in, o, err);
}

enum al_status sv_oip_read(struct sv_call *c, const struct sv_decoder *d,
                           struct al_error *err)
{
    struct sv_oip *o = make_state(c);
    struct sv_json_doc doc;
    enum al_status s;

    if (!o)
        return al_fail(err, AL_NO_MEMORY, "request");
    if (c->json_size == 0)
        return read_raw(c, d, o, err);
    s = sv_json_doc_read(c->body, c->json_size == SIZE_MAX ? c->body_size : c->json_size,
                         &d->limits.json, &doc, err);
    if (s == AL_OK)
        s = read_doc(c, d, &doc, o, err);
    sv_json_doc_done(&doc);
    return s;
}
