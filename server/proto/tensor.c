#include "server/proto/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "server/proto/json_numbers.h"

#define BLOCK 256

/* ---- bounds of the datatypes ---- */

static bool integer_range(enum al_dtype t, double *ret_low, double *ret_high)
{
    size_t bits = 8 * al_dtype_size(t);

    switch ((int)t) {
    case AL_BOOL:
        *ret_low = 0;
        *ret_high = 1;
        return true;
    case AL_U8:
    case AL_U16:
    case AL_U32:
    case AL_U64:
        *ret_low = 0;
        *ret_high = ldexp(1, (int)bits) - (bits < 53 ? 1 : 0);
        return true;
    case AL_I8:
    case AL_I16:
    case AL_I32:
    case AL_I64:
        *ret_low = -ldexp(1, (int)bits - 1);
        *ret_high = ldexp(1, (int)bits - 1) - (bits < 53 ? 1 : 0);
        return true;
    default:
        return false;
    }
}

static bool fits(const struct sv_fill *f, double v)
{
    double low, high;

    if (integer_range(f->dtype, &low, &high))
        return v >= low && v <= high && !(fabs(v - floor(v)) > 0);
    return !isfinite(v) || fabs(v) <= 3.4028235677973366e38; /* rounds to a float */
}

/* ---- elements to floats ---- */

/* As pictures are: in double, rounded once. */
static float normalised(const struct pk_input_spec *s, size_t element, double v)
{
    size_t channel = element / ((size_t)s->width * s->height);

    return (float)((v * s->scale - s->mean[channel]) / s->std[channel]);
}

static enum al_status take(void *arg, const double *values, size_t n,
                           struct al_error *err)
{
    struct sv_fill *f = arg;

    if (n > f->n_rows * f->row_elements - f->n)
        return al_fail(err, AL_INVALID, "data: more than the %zu elements of its shape",
                       f->n_rows * f->row_elements);
    for (size_t i = 0; i < n; i++, f->n++) {
        size_t row = f->n / f->row_elements, element = f->n % f->row_elements;
        float *dst = f->row_of(f->arg, row);

        if (!fits(f, values[i]))
            return al_fail(err, AL_INVALID, "data: element %zu, %.17g, is no %s", f->n,
                           values[i], al_dtype_oip(f->dtype));
        dst[element] =
            f->pixels ? normalised(f->pixels, element, values[i]) : (float)values[i];
    }
    return AL_OK;
}

static float *row_of_call(void *arg, size_t row)
{
    return sv_call_input(arg, row);
}

struct sv_fill sv_fill_call(struct sv_call *c, enum al_dtype dtype)
{
    const struct pk_package *p = c->served->package;
    struct sv_fill f = { .dtype = dtype,
                         .n_rows = c->request.n_rows,
                         .row_elements = 1,
                         .row_of = row_of_call,
                         .arg = c };

    for (size_t i = 1; i < c->served->input_shape.rank; i++)
        f.row_elements *= (size_t)c->served->input_shape.dims[i];
    if (dtype == AL_U8 && p && p->takes_images)
        f.pixels = &p->input;
    return f;
}

static enum al_status check_complete(const struct sv_fill *f, struct al_error *err)
{
    size_t want = f->n_rows * f->row_elements;

    return f->n == want ? AL_OK
                        : al_fail(err, AL_INVALID,
                                  "data: %zu elements, its shape has %zu", f->n, want);
}

enum al_status sv_fill_json(struct sv_fill *f, const struct sv_json_span *span,
                            struct al_error *err)
{
    const struct sv_json_sink sink = { take, f };
    enum al_status s;

    if (f->dtype == AL_F16 || f->dtype == AL_BF16)
        return al_fail(err, AL_INVALID, "datatype %s is served as binary data only",
                       al_dtype_oip(f->dtype));
    s = sv_json_numbers(span->text, span->size, &sink, err);
    return s == AL_OK ? check_complete(f, err) : s;
}

/* ---- bytes ---- */

static double half_value(uint16_t h)
{
    int exponent = h >> 10 & 31;
    double mantissa = (double)(h & 1023), value;

    if (exponent == 31)
        value = mantissa > 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        value = ldexp(mantissa, -24);
    else
        value = ldexp(mantissa + 1024, exponent - 25);
    return h & 0x8000 ? -value : value;
}

static double bfloat_value(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float value;

    memcpy(&value, &bits, sizeof(value));
    return (double)value;
}

/* Reads `ctype` at `p`, which need not be aligned. */
#define READ(ctype)                 \
    do {                            \
        ctype v_;                   \
        memcpy(&v_, p, sizeof(v_)); \
        return (double)v_;          \
    } while (0)

static double element_at(enum al_dtype t, const char *p)
{
    uint16_t half;

    switch ((int)t) {
    case AL_F32:
        READ(float);
    case AL_F64:
        READ(double);
    case AL_U8:
    case AL_BOOL:
        READ(uint8_t);
    case AL_I8:
        READ(int8_t);
    case AL_U16:
        READ(uint16_t);
    case AL_I16:
        READ(int16_t);
    case AL_U32:
        READ(uint32_t);
    case AL_I32:
        READ(int32_t);
    case AL_U64:
        READ(uint64_t);
    case AL_I64:
        READ(int64_t);
    default:
        memcpy(&half, p, sizeof(half));
        return t == AL_F16 ? half_value(half) : bfloat_value(half);
    }
}

/* FP32 as it comes: nothing to check or convert. */
static void copy_rows(struct sv_fill *f, const char *data)
{
    size_t bytes = f->row_elements * sizeof(float);

    for (size_t row = 0; row < f->n_rows && bytes > 0; row++)
        memcpy(f->row_of(f->arg, row), data + row * bytes, bytes);
    f->n = f->n_rows * f->row_elements;
}

enum al_status sv_fill_bytes(struct sv_fill *f, const char *data, size_t size,
                             struct al_error *err)
{
    size_t element = al_dtype_size(f->dtype), want = f->n_rows * f->row_elements;
    double block[BLOCK];

    if (size / element != want || size % element != 0)
        return al_fail(err, AL_INVALID,
                       "%zu bytes of data, its shape and datatype need %zu", size,
                       want * element);
    if (f->dtype == AL_F32) {
        copy_rows(f, data);
        return AL_OK;
    }
    for (size_t done = 0; done < want;) {
        size_t n = want - done < BLOCK ? want - done : BLOCK;
        enum al_status s;

        for (size_t i = 0; i < n; i++)
            block[i] = element_at(f->dtype, data + (done + i) * element);
        s = take(f, block, n, err);
        if (s != AL_OK)
            return s;
        done += n;
    }
    return AL_OK;
}
