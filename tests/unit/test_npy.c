#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/npy.h"

/* A .npy file of version 1 in memory. */
struct npy {
    uint8_t bytes[512];
    size_t size;
};

static struct npy make(const char *header, const void *data, size_t data_bytes)
{
    struct npy f = { .size = 10 };
    const size_t n = strlen(header);

    memcpy(f.bytes, "\x93NUMPY\x01\x00", 8);
    f.bytes[8] = (uint8_t)n;
    f.bytes[9] = (uint8_t)(n >> 8);
    memcpy(f.bytes + f.size, header, n);
    f.size += n;
    memcpy(f.bytes + f.size, data, data_bytes);
    f.size += data_bytes;
    return f;
}

static const float six[] = { 1, 2, 3, 4, 5, 6 };
static const char good[] =
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }         \n";

static enum al_status parse(const struct npy *f, struct al_tensor *ret)
{
    return tl_npy_parse(f->bytes, f->size, ret, NULL);
}

static void an_array_is_read_with_type_and_shape(void **state)
{
    const struct npy f = make(good, six, sizeof(six));
    struct al_tensor t;

    (void)state;
    assert_int_equal(parse(&f, &t), AL_OK);
    assert_int_equal(t.dtype, AL_F32);
    assert_int_equal(t.shape.rank, 2);
    assert_int_equal(t.shape.dims[0], 2);
    assert_int_equal(t.shape.dims[1], 3);
    assert_memory_equal(t.data, six, sizeof(six));
}

static void scalars_and_vectors_have_their_shapes(void **state)
{
    struct npy f =
        make("{'descr': '<i8', 'fortran_order': False, 'shape': (), }\n", six, 8);
    struct al_tensor t;

    (void)state;
    assert_int_equal(parse(&f, &t), AL_OK);
    assert_int_equal(t.shape.rank, 0);
    f = make("{'descr': '|b1', 'fortran_order': True, 'shape': (3,), }\n", six, 3);
    assert_int_equal(parse(&f, &t), AL_OK);
    assert_int_equal(t.dtype, AL_BOOL);
    assert_int_equal(t.shape.dims[0], 3);
}

static void every_cut_of_a_file_is_refused(void **state)
{
    const struct npy f = make(good, six, sizeof(six));
    struct al_tensor t;

    (void)state;
    for (size_t n = 0; n < f.size; n++) {
        uint8_t *exact = malloc(n + 1); /* so that reading past the end shows */

        memcpy(exact, f.bytes, n);
        exact = realloc(exact, n ? n : 1);
        assert_int_not_equal(tl_npy_parse(exact, n, &t, NULL), AL_OK);
        free(exact);
    }
}

static void wrong_headers_are_refused(void **state)
{
    static const char *const headers[] = {
        "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }\n",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3), }\n",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, x), }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 6, }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,2,3), }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 8), }\n",
        "{'descr': '<f4', 'fortran_order': False, }\n",
        "{'descr': '<f4",
        "",
    };
    struct al_tensor t;

    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        const struct npy f = make(headers[i], six, sizeof(six));

        assert_int_not_equal(parse(&f, &t), AL_OK);
    }
}

static void what_is_written_is_read_back(void **state)
{
    char path[] = "/tmp/alight-npy-XXXXXX";
    const int fd = mkstemp(path);
    struct al_tensor t = { .dtype = AL_F32,
                           .shape = { 3, { 1, 2, 3 } },
                           .data = (void *)(uintptr_t)six };
    struct al_tensor back;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(tl_npy_write(path, &t, NULL), AL_OK);
    assert_int_equal(tl_npy_read(path, &back, NULL), AL_OK);
    assert_int_equal(back.dtype, AL_F32);
    assert_true(al_shape_equal(&t.shape, &back.shape));
    assert_memory_equal(back.data, six, sizeof(six));
    free(back.data);
    t.dtype = AL_BF16;
    assert_int_equal(tl_npy_write(path, &t, NULL), AL_UNSUPPORTED);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_is_read_with_type_and_shape),
        cmocka_unit_test(scalars_and_vectors_have_their_shapes),
        cmocka_unit_test(every_cut_of_a_file_is_refused),
        cmocka_unit_test(wrong_headers_are_refused),
        cmocka_unit_test(what_is_written_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
