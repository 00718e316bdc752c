#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/output.h"

static char folder[] = "/tmp/alight-output-XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    (void)unlink("file");
    (void)unlink("link");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static size_t count_files(void)
{
    DIR *d = opendir(".");
    size_t n = 0;

    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

static void assert_holds(const char *path, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    assert_int_equal(fread(got, 1, sizeof(got) - 1, f), strlen(text));
    (void)fclose(f);
    assert_string_equal(got, text);
}

static struct tl_output open_output(const char *path)
{
    struct tl_output o = { .file = NULL };
    struct al_error err;

    if (tl_output_open(path, &o, &err) != AL_OK)
        fail_msg("%s", err.text);
    return o;
}

static void write_file(const char *path, const char *text)
{
    struct tl_output o = open_output(path);

    (void)fputs(text, o.file);
    assert_int_equal(tl_output_commit(&o, NULL), AL_OK);
}

static void the_old_file_stays_until_the_new_one_is_whole(void **state)
{
    struct tl_output o;

    (void)state;
    write_file("file", "old");
    o = open_output("file");
    (void)fputs("new", o.file);
    (void)fflush(o.file);
    assert_holds("file", "old");
    assert_int_equal(tl_output_commit(&o, NULL), AL_OK);
    assert_holds("file", "new");
    assert_int_equal(count_files(), 1);
}

static void what_is_dropped_leaves_nothing(void **state)
{
    struct tl_output o;

    (void)state;
    write_file("file", "old");
    o = open_output("file");
    (void)fputs("half", o.file);
    tl_output_drop(&o);
    assert_holds("file", "old");
    assert_int_equal(count_files(), 1);
    tl_output_drop(&o); /* again: nothing to do */
}

static void links_and_devices_are_written_in_place(void **state)
{
    struct stat st;

    (void)state;
    write_file("file", "old");
    assert_int_equal(symlink("file", "link"), 0);
    write_file("link", "through");
    assert_holds("file", "through");
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    write_file("/dev/null", "gone");
}

static void failures_name_the_path(void **state)
{
    struct tl_output o = { .file = NULL };
    struct al_error err;

    (void)state;
    assert_int_equal(tl_output_open("nowhere/file", &o, &err), AL_IO);
    assert_string_equal(err.text, "nowhere/file: No such file or directory");
    assert_null(o.file);
    o = open_output("/dev/full");
    (void)fputs("more than there is room for", o.file);
    assert_int_equal(tl_output_commit(&o, &err), AL_IO);
    assert_string_equal(err.text, "/dev/full: No space left on device");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_old_file_stays_until_the_new_one_is_whole),
        cmocka_unit_test(what_is_dropped_leaves_nothing),
        cmocka_unit_test(links_and_devices_are_written_in_place),
        cmocka_unit_test(failures_name_the_path),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
