#include "files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

uint8_t *test_file_read(const char *name, size_t *ret_size)
{
    char path[4096];
    struct stat st;
    uint8_t *data;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
    f = fopen(path, "rbe");
    if (!f)
        fail_msg("cannot open %s", path);
    assert_int_equal(fstat(fileno(f), &st), 0);
    *ret_size = (size_t)st.st_size;
    data = calloc(1, *ret_size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *ret_size, f), *ret_size);
    (void)fclose(f);
    return data;
}

void test_file_write(const char *dir, const char *name, const void *data, size_t size)
{
    char path[4096];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0777);
        *slash = '/';
    }
    f = fopen(path, "wbe");
    if (!f)
        fail_msg("cannot write %s", path);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}
