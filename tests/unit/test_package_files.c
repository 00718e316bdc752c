#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "files.h"
#include "package/file.h"
#include "package/labels.h"
#include "package/package.h"

static int make_folder(void **state)
{
    char *dir = strdup("/tmp/test_package_files.XXXXXX");

    *state = dir;
    return dir && mkdtemp(dir) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf '%s'", (const char *)*state);
    free(*state);
    return system(command);
}

static void labels_are_lines(void **state)
{
    const char *text = "T-shirt/top\r\nna\xc3\xafve\nlast";
    struct al_error err = { 0 };
    char **labels;
    size_t n;

    (void)state;
    assert_int_equal(pk_labels_parse(text, strlen(text), &labels, &n, &err), AL_OK);
    assert_int_equal(n, 3);
    assert_string_equal(labels[0], "T-shirt/top");
    assert_string_equal(labels[1], "na\xc3\xafve");
    assert_string_equal(labels[2], "last");
    free(labels);
}

static void a_byte_order_mark_is_no_part_of_a_label(void **state)
{
    char **labels;
    size_t n;

    (void)state;
    assert_int_equal(pk_labels_parse("\xef\xbb\xbf"
                                     "cat\r\ndog\r\n",
                                     13, &labels, &n, NULL),
                     AL_OK);
    assert_int_equal(n, 2);
    assert_string_equal(labels[0], "cat");
    assert_string_equal(labels[1], "dog");
    free(labels);
    assert_int_equal(pk_labels_parse("\xef\xbb\xbf", 3, &labels, &n, NULL), AL_INVALID);
}

static void bad_labels_name_their_line(void **state)
{
    struct al_error err = { 0 };
    char **labels;
    size_t n;

    (void)state;
    assert_int_equal(pk_labels_parse("a\n\nb\n", 5, &labels, &n, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "line 2"));
    assert_int_equal(pk_labels_parse("a\nb\nc\xff\n", 7, &labels, &n, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "line 3"));
    assert_int_equal(pk_labels_parse("a\0b\n", 4, &labels, &n, &err), AL_INVALID);
    assert_int_equal(pk_labels_parse("", 0, &labels, &n, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "0 labels"));
}

static void versions_are_folders_named_by_a_number(void **state)
{
    static const char *const names[] = { "10/x",  "2/x",           "007/x", "0/x", "-1/x",
                                         "1.5/x", "99999999999/x", "1/x",   "3",   "4/x",
                                         "5/x" };
    static const uint32_t sorted[] = { 1, 2, 4, 5, 10 };
    struct al_error err = { 0 };
    uint32_t *versions;
    size_t n;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        test_file_write(*state, names[i], "", 0);
    assert_int_equal(pk_package_versions(*state, &versions, &n, &err), AL_OK);
    assert_int_equal(n, sizeof(sorted) / sizeof(sorted[0]));
    assert_memory_equal(versions, sorted, sizeof(sorted));
    free(versions);
}

static void a_folder_without_versions_is_not_found(void **state)
{
    struct al_error err = { 0 };
    uint32_t *versions;
    size_t n;

    assert_int_equal(pk_package_versions(*state, &versions, &n, &err), AL_NOT_FOUND);
    assert_non_null(strstr(err.text, "no folder named by a version number"));
    assert_int_equal(pk_package_versions("/nonexistent", &versions, &n, &err),
                     AL_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nonexistent"));
}

static void files_are_bounded_and_regular(void **state)
{
    struct al_error err = { 0 };
    char path[256], *text;
    size_t size;

    test_file_write(*state, "f", "12345", 5);
    (void)snprintf(path, sizeof(path), "%s/f", (const char *)*state);
    assert_int_equal(pk_file_read(path, 5, &text, &size, &err), AL_OK);
    assert_int_equal(size, 5);
    assert_string_equal(text, "12345");
    free(text);
    assert_int_equal(pk_file_read(path, 4, &text, &size, &err), AL_TOO_LARGE);
    assert_non_null(strstr(err.text, "has 5 bytes, the limit is 4"));
    assert_int_equal(pk_file_read(*state, 4, &text, &size, &err), AL_INVALID);
    (void)snprintf(path, sizeof(path), "%s/fifo", (const char *)*state);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pk_file_read(path, 4, &text, &size, &err), AL_INVALID);
    assert_int_equal(pk_file_read("/nonexistent", 4, &text, &size, &err), AL_NOT_FOUND);
}

static void sha256_is_that_of_the_standard(void **state)
{
    char digest[65];

    (void)state;
    pk_sha256("abc", 3, digest);
    assert_string_equal(
        digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_lines),
        cmocka_unit_test(a_byte_order_mark_is_no_part_of_a_label),
        cmocka_unit_test(bad_labels_name_their_line),
        cmocka_unit_test_setup_teardown(versions_are_folders_named_by_a_number,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_folder_without_versions_is_not_found,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(files_are_bounded_and_regular, make_folder,
                                        remove_folder),
        cmocka_unit_test(sha256_is_that_of_the_standard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
