#include "engine/onnx/tensor.h"

#include <inttypes.h>
#include <string.h>

#include "engine/base/arena.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw_data is little-endian");

static enum al_status read_shape(const Onnx__TensorProto *m, struct al_shape *ret,
                                 struct al_error *err)
{
    if (m->n_dims > AL_MAX_DIMS)
        return al_fail(err, AL_UNSUPPORTED, "%zu dimensions, at most %d are supported",
                       m->n_dims, AL_MAX_DIMS);
    ret->rank = m->n_dims;
    for (size_t i = 0; i < m->n_dims; i++) {
        if (m->dims[i] < 0 || m->dims[i] > INT32_MAX)
            return al_fail(err, AL_INVALID, "dimension %zu is %" PRId64, i, m->dims[i]);
        ret->dims[i] = m->dims[i];
    }
    return AL_OK;
}

static enum al_status check_kind(const Onnx__TensorProto *m, struct al_error *err)
{
    if (m->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL ||
        m->n_external_data)
        return al_fail(err, AL_UNSUPPORTED, "its data lies outside the file");
    if (m->segment)
        return al_fail(err, AL_UNSUPPORTED, "it is stored in segments");
    if (al_dtype_of_onnx(m->data_type) == AL_NO_DTYPE)
        return al_fail(err, AL_UNSUPPORTED, "element type %d is not supported",
                       m->data_type);
    return AL_OK;
}

/* Elements in the typed field that `t` is stored in. */
static size_t typed_count(const Onnx__TensorProto *m, enum al_dtype t)
{
    if (t == AL_F32)
        return m->n_float_data;
    if (t == AL_F64)
        return m->n_double_data;
    if (t == AL_I64)
        return m->n_int64_data;
    if (t == AL_U32 || t == AL_U64)
        return m->n_uint64_data;
    return m->n_int32_data;
}

/* Element i of a type that is stored in int32_data or uint64_data, narrowed; the least
 * significant bytes come first. */
static void copy_narrowed(const Onnx__TensorProto *m, enum al_dtype t, size_t n,
                          uint8_t *out)
{
    size_t size = al_dtype_size(t);

    for (size_t i = 0; i < n; i++) {
        uint64_t wide =
            t == AL_U32 || t == AL_U64 ? m->uint64_data[i] : (uint64_t)m->int32_data[i];
        memcpy(out + i * size, &wide, size);
    }
}

static void copy_typed(const Onnx__TensorProto *m, enum al_dtype t, size_t n, void *out)
{
    if (t == AL_F32)
        memcpy(out, m->float_data, n * sizeof(float));
    else if (t == AL_F64)
        memcpy(out, m->double_data, n * sizeof(double));
    else if (t == AL_I64)
        memcpy(out, m->int64_data, n * sizeof(int64_t));
    else
        copy_narrowed(m, t, n, out);
}

enum al_status al_onnx_tensor(const Onnx__TensorProto *m, struct al_bytes raw,
                              struct al_arena *arena, struct al_tensor *ret,
                              struct al_error *err)
{
    struct al_tensor t = { 0 };
    size_t n = 0;
    enum al_status s;

    if ((s = check_kind(m, err)) != AL_OK || (s = read_shape(m, &t.shape, err)) != AL_OK)
        return s;
    t.dtype = al_dtype_of_onnx(m->data_type);
    size_t size = al_dtype_size(t.dtype);
    s = al_shape_count(&t.shape, size, &n, err);
    if (s != AL_OK)
        return s;
    if (raw.data && raw.size != n * size)
        return al_fail(err, AL_INVALID, "its shape needs %zu bytes, raw_data has %zu",
                       n * size, raw.size);
    if (!raw.data && typed_count(m, t.dtype) != n)
        return al_fail(err, AL_INVALID, "its shape needs %zu elements, the file has %zu",
                       n, typed_count(m, t.dtype));
    t.data = al_arena_alloc(arena, n, size);
    if (!t.data)
        return al_fail(err, AL_NO_MEMORY, "no memory for its %zu bytes", n * size);
    if (n && raw.data)
        memcpy(t.data, raw.data, n * size);
    else if (n)
        copy_typed(m, t.dtype, n, t.data);
    if (t.dtype == AL_BOOL)
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)t.data)[i] = ((uint8_t *)t.data)[i] != 0;
    *ret = t;
    return AL_OK;
}
