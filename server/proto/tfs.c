#include "server/proto/tfs.h"

#include "server/proto/call.h"
#include "server/proto/json_numbers.h"
#include "server/proto/tensor.h"

static enum al_status count(void *arg, const double *values, size_t n,
                            struct al_error *err)
{
    (void)values;
    (void)err;
    *(size_t *)arg += n;
    return AL_OK;
}

/* Numbers of the instance at `*p`, in an array of numbers that has been found
 * well-formed; moves `*p` behind the ',' or ']' that ends it. */
static size_t count_numbers(const char **p, const char *end)
{
    size_t depth = 0, n = 0;
    bool in_number = false;

    for (; *p < end; ++*p) {
        char c = **p;
        bool of_number = c > ' ' && c != '[' && c != ']' && c != ',';

        if (depth == 0 && (c == ',' || c == ']'))
            break;
        n += of_number && !in_number;
        in_number = of_number;
        depth += c == '[';
        depth -= c == ']';
    }
    ++*p;
    return n;
}

static enum al_status count_instances(const struct sv_json_span *span,
                                      size_t row_elements, size_t *ret,
                                      struct al_error *err)
{
    size_t total = 0, n = 0;
    const struct sv_json_sink counter = { count, &total };
    const char *p = span->text + 1, *end = span->text + span->size;
    enum al_status s = sv_json_numbers(span->text, span->size, &counter, err);

    for (; s == AL_OK && total > 0 && p < end; n++) {
        size_t has = count_numbers(&p, end);

        if (has != row_elements)
            s = al_fail(err, AL_INVALID,
                        "instance %zu has %zu numbers, the input has %zu", n, has,
                        row_elements);
    }
    *ret = n;
    return s;
}

/* Nested numbers: each instance is one input. How they nest further does not matter. */
static enum al_status take_numbers(struct sv_call *c, const struct sv_decoder *d,
                                   const struct sv_json_span *span, struct al_error *err)
{
    struct sv_fill f = sv_fill_call(c, AL_F32);
    size_t n;
    enum al_status s = count_instances(span, f.row_elements, &n, err);

    if (s == AL_OK)
        s = sv_call_make_rows(c, d, n, err);
    f.n_rows = c->request.n_rows;
    return s == AL_OK ? sv_fill_json(&f, span, err) : s;
}

/* {"b64": …}, alone or as the value of one named input. */
static const json_t *base64_of(json_t *instance)
{
    const json_t *text = json_object_get(instance, "b64");

    if (!text && json_object_size(instance) == 1)
        text = json_object_get(json_object_iter_value(json_object_iter(instance)), "b64");
    return text;
}

static enum al_status take_image(struct sv_call *c, const struct sv_decoder *d, size_t i,
                                 json_t *instance, struct al_error *err)
{
    const json_t *text = base64_of(instance);

    if (!json_is_string(text))
        return al_fail(err, AL_INVALID, "neither numbers nor {\"b64\": …}");
    return sv_call_base64_image(c, d, i, json_string_value(text),
                                json_string_length(text), err);
}

static enum al_status take_images(struct sv_call *c, const struct sv_decoder *d,
                                  const json_t *instances, struct al_error *err)
{
    size_t n = json_array_size(instances);
    enum al_status s = sv_call_make_rows(c, d, n, err);

    for (size_t i = 0; i < n && s == AL_OK; i++) {
        s = take_image(c, d, i, json_array_get(instances, i), err);
        if (s != AL_OK)
            return al_error_prefix(err, s, "instance %zu", i);
    }
    return s;
}

static enum al_status decode(struct sv_call *c, const struct sv_decoder *d,
                             struct al_error *err)
{
    struct sv_json_doc doc;
    const struct sv_json_span *span;
    const json_t *instances;
    enum al_status s =
        sv_json_doc_read(c->body, c->body_size, &d->limits.json, &doc, err);

    if (s == AL_OK) {
        instances = json_object_get(doc.root, "instances");
        span = sv_json_doc_span(&doc, instances);
        if (span)
            s = take_numbers(c, d, span, err);
        else if (json_is_array(instances))
            s = take_images(c, d, instances, err);
        else
            s = al_fail(err, AL_INVALID, "'instances' is missing or not an array");
    }
    sv_json_doc_done(&doc);
    return s;
}

static void encode(struct sv_call *c)
{
    struct sv_text *t = &c->answer;

    sv_text_str(t, "{\"predictions\":[");
    for (uint32_t i = 0; i < c->request.n_rows; i++) {
        const float *probs = sv_call_probs(c, i);

        sv_text_str(t, i ? ",[" : "[");
        for (size_t k = 0; k < c->served->n_classes; k++) {
            sv_text_str(t, k ? "," : "");
            sv_text_number(t, (double)probs[k], 9);
        }
        sv_text_str(t, "]");
    }
    sv_text_str(t, "]}\n");
}

const struct sv_codec sv_codec_tfs = { .decode = decode, .encode = encode };
