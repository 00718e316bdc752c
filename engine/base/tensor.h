/* tensor.h — element types, shapes and row-major tensor views. No ownership: a tensor is
 * a view of memory that somebody else keeps alive. */
#ifndef AL_BASE_TENSOR_H
#define AL_BASE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

#define AL_MAX_DIMS 8

/* One row a type: name, C size in bytes, ONNX TensorProto.DataType, NumPy code, Open
 * Inference Protocol name. BOOL is one byte, 0 or 1. */
#define AL_DTYPE_LIST(X)          \
    X(F32, 4, 1, "f4", "FP32")    \
    X(U8, 1, 2, "u1", "UINT8")    \
    X(I8, 1, 3, "i1", "INT8")     \
    X(U16, 2, 4, "u2", "UINT16")  \
    X(I16, 2, 5, "i2", "INT16")   \
    X(I32, 4, 6, "i4", "INT32")   \
    X(I64, 8, 7, "i8", "INT64")   \
    X(BOOL, 1, 9, "b1", "BOOL")   \
    X(F16, 2, 10, "f2", "FP16")   \
    X(F64, 8, 11, "f8", "FP64")   \
    X(U32, 4, 12, "u4", "UINT32") \
    X(U64, 8, 13, "u8", "UINT64") \
    X(BF16, 2, 16, "", "BF16")

enum al_dtype {
    AL_NO_DTYPE,
#define X(name, size, onnx, numpy, oip) AL_##name,
    AL_DTYPE_LIST(X)
#undef X
    AL_N_DTYPES
};

size_t al_dtype_size(enum al_dtype t);       /* bytes an element; 0 for AL_NO_DTYPE */
const char *al_dtype_name(enum al_dtype t);  /* "F32" */
const char *al_dtype_numpy(enum al_dtype t); /* "f4"; "" where NumPy has none */
const char *al_dtype_oip(enum al_dtype t);   /* "FP32" */
enum al_dtype al_dtype_of_onnx(int64_t code);
enum al_dtype al_dtype_of_oip(const char *name);

struct al_shape {
    size_t rank;
    int64_t dims[AL_MAX_DIMS]; /* each >= 0 in a tensor; -1 = unknown while inferring */
};

struct al_tensor {
    enum al_dtype dtype;
    struct al_shape shape;
    void *data; /* row-major, no gaps, aligned to the element at least */
};

/* Product of the dims (1 for rank 0). AL_INVALID on a negative dim, AL_TOO_LARGE on
 * overflow of the byte count for elements of `elem_bytes`. */
AL_MUST_CHECK enum al_status al_shape_count(const struct al_shape *s, size_t elem_bytes,
                                            size_t *ret_count, struct al_error *err);
bool al_shape_equal(const struct al_shape *a, const struct al_shape *b);
/* Writes "[1,3,-1]" into `buf`, cut to fit, and returns `buf`. */
const char *al_shape_text(const struct al_shape *s, char *buf, size_t size);
/* Elements and bytes of a tensor whose shape has been checked before. */
size_t al_tensor_count(const struct al_tensor *t);
size_t al_tensor_bytes(const struct al_tensor *t);

#endif
