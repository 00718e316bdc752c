#include "engine/base/tensor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"

static const struct {
    size_t size;
    int64_t onnx;
    const char *name;
    const char *numpy;
    const char *oip;
} dtype_info[AL_N_DTYPES] = { [AL_NO_DTYPE] = { 0, 0, "none", "", "" },
#define X(name, size, onnx, numpy, oip) [AL_##name] = { size, onnx, #name, numpy, oip },
                              AL_DTYPE_LIST(X)
#undef X
};

size_t al_dtype_size(enum al_dtype t)
{
    return dtype_info[t].size;
}

const char *al_dtype_name(enum al_dtype t)
{
    return dtype_info[t].name;
}

const char *al_dtype_numpy(enum al_dtype t)
{
    return dtype_info[t].numpy;
}

const char *al_dtype_oip(enum al_dtype t)
{
    return dtype_info[t].oip;
}

enum al_dtype al_dtype_of_onnx(int64_t code)
{
    for (int t = AL_NO_DTYPE + 1; t < AL_N_DTYPES; t++)
        if (dtype_info[t].onnx == code)
            return (enum al_dtype)t;
    return AL_NO_DTYPE;
}

enum al_dtype al_dtype_of_oip(const char *name)
{
    for (int t = AL_NO_DTYPE + 1; t < AL_N_DTYPES; t++)
        if (!strcmp(dtype_info[t].oip, name))
            return (enum al_dtype)t;
    return AL_NO_DTYPE;
}

enum al_status al_shape_count(const struct al_shape *s, size_t elem_bytes,
                              size_t *ret_count, struct al_error *err)
{
    size_t count = 1;
    size_t bytes;

    for (size_t i = 0; i < s->rank; i++) {
        if (s->dims[i] < 0)
            return al_fail(err, AL_INVALID, "dimension %zu is %" PRId64, i, s->dims[i]);
        if (!al_mul(count, (size_t)s->dims[i], &count))
            return al_fail(err, AL_TOO_LARGE, "the dimensions' product overflows");
    }
    if (!al_mul(count, elem_bytes, &bytes) || bytes > PTRDIFF_MAX)
        return al_fail(err, AL_TOO_LARGE, "%zu elements of %zu bytes overflow", count,
                       elem_bytes);
    *ret_count = count;
    return AL_OK;
}

bool al_shape_equal(const struct al_shape *a, const struct al_shape *b)
{
    return a->rank == b->rank && !memcmp(a->dims, b->dims, a->rank * sizeof(a->dims[0]));
}

const char *al_shape_text(const struct al_shape *s, char *buf, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < s->rank && used < size; i++) {
        int n =
            snprintf(buf + used, size - used, "%c%" PRId64, i ? ',' : '[', s->dims[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < size)
        (void)snprintf(buf + used, size - used, "%s", s->rank ? "]" : "[]");
    return buf;
}

size_t al_tensor_count(const struct al_tensor *t)
{
    size_t n = 1;

    for (size_t i = 0; i < t->shape.rank; i++)
        n *= (size_t)t->shape.dims[i];
    return n;
}

size_t al_tensor_bytes(const struct al_tensor *t)
{
    return al_tensor_count(t) * al_dtype_size(t->dtype);
}
