/* oip_rows.c — the input of a request into the rows of its call. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/reader.h"
#include "server/proto/oip_state.h"
#include "server/proto/tensor.h"

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

static enum al_status fill(struct sv_fill *f, const struct sv_oip_input *in,
                           struct al_error *err)
{
    if (in->bytes)
        return sv_fill_bytes(f, in->bytes, in->n_bytes, err);
    if (!in->numbers)
        return al_fail(err, AL_INVALID, "data: %s takes numbers", al_dtype_oip(f->dtype));
    return sv_fill_json(f, in->numbers, err);
}

static enum al_status take_tensor(struct sv_call *c, const struct sv_decoder *d,
                                  const struct sv_oip_input *in, struct al_error *err)
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

static enum al_status take_element(struct sv_call *c, const struct sv_decoder *d,
                                   const struct sv_oip_input *in, struct al_reader *r,
                                   size_t i, struct al_error *err)
{
    const json_t *text = json_array_get(in->strings, i);
    const uint8_t *image;
    uint32_t size;

    if (!in->bytes && !json_is_string(text))
        return al_fail(err, AL_INVALID, "not a string");
    if (!in->bytes)
        return sv_call_base64_image(c, d, i, json_string_value(text),
                                    json_string_length(text), err);
    if (!al_reader_u32(r, &size) || !al_reader_bytes(r, size, &image))
        return al_fail(err, AL_INVALID, "the binary data ends inside it");
    return sv_call_image(c, d, i, image, size, err);
}

/* BYTES [N] or [N,1]: encoded images. */
static enum al_status take_images(struct sv_call *c, const struct sv_decoder *d,
                                  const struct sv_oip_input *in, struct al_error *err)
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
                                const struct sv_oip_input *in, struct sv_oip *o,
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

enum al_status sv_oip_take_input(struct sv_call *c, const struct sv_decoder *d,
                                 const struct sv_oip_input *in, struct sv_oip *o,
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
