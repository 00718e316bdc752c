#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static void links_are_followed_to_the_file_that_is_replaced(void **state)
{
    struct tl_output o;
    struct stat st;

    (void)state;
    write_file("file", "old");
    assert_int_equal(symlink("file", "link"), 0);
    o = open_output("link");
    (void)fputs("through", o.file);
    (void)fflush(o.file);
    assert_holds("file", "old");
    assert_int_equal(tl_output_commit(&o, NULL), AL_OK);
    assert_holds("file", "through");
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void devices_and_open_descriptors_are_written_in_place(void **state)
{
    char path[32];
    int fd;

    (void)state;
    write_file("/dev/null", "gone");
    write_file("file", "old");
    fd = open("file", O_RDWR);
    assert_true(fd >= 0);
    (void)snprintf(path, sizeof(path), "/dev/fd/%d", fd);
    write_file(path, "seen by who holds it");
    assert_int_equal(lseek(fd, 0, SEEK_END), strlen("seen by who holds it"));
    (void)close(fd);
}

/* A process that is ended by `signal` while it writes "file". */
static int end_while_writing(int signal)
{
    int status = -1;
    const pid_t child = fork();

    if (child == 0) {
        struct tl_output o = { .file = NULL };

        tl_output_tidy_on_signals();
        if (tl_output_open("file", &o, NULL) == AL_OK && fputs("half", o.file) >= 0 &&
            fflush(o.file) == 0)
            (void)raise(signal);
        _exit(EXIT_SUCCESS);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_signal_that_ends_the_process_leaves_nothing(void **state)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };

    (void)state;
    write_file("file", "old");
    const size_t n_files = count_files();

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        const int status = end_while_writing(signals[i]);

        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signals[i]);
        assert_holds("file", "old");
        assert_int_equal(count_files(), n_files);
    }
}

static void an_ignored_signal_stays_ignored(void **state)
{
    struct sigaction now;

    (void)state;
    (void)signal(SIGHUP, SIG_IGN); /* as nohup does */
    tl_output_tidy_on_signals();
    assert_int_equal(sigaction(SIGHUP, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_IGN);
    (void)signal(SIGHUP, SIG_DFL);
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
        cmocka_unit_test(links_are_followed_to_the_file_that_is_replaced),
        cmocka_unit_test(devices_and_open_descriptors_are_written_in_place),
        cmocka_unit_test(a_signal_that_ends_the_process_leaves_nothing),
        cmocka_unit_test(an_ignored_signal_stays_ignored),
        cmocka_unit_test(failures_name_the_path),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
