#include <ftw.h>
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

#include "server/app/config.h"
#include "server/app/cpus.h"

static char folder[] = "/tmp/alight-config-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[200];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    (void)fclose(f);
}

static enum al_status load(struct sv_config *c, struct al_error *err, const char *flag,
                           const char *file)
{
    char program[] = "alightd", file_flag[200], flag_copy[64];
    char *argv[] = { program, file_flag, flag_copy, NULL };
    enum sv_command command;

    (void)snprintf(flag_copy, sizeof(flag_copy), "%s", flag ? flag : "");
    (void)snprintf(file_flag, sizeof(file_flag), "--config=%s/%s", folder, file);
    return sv_config_load(flag ? 3 : 2, argv, c, &command, err);
}

static void later_sources_win(void **state)
{
    struct sv_config c;
    struct al_error err;

    (void)state;
    write_file("a.json", "{\"max_chunks\": 100, \"workers\": 3, \"deadline_ms\": 7}");
    assert_int_equal(setenv("ALIGHT_WORKERS", "4", 1), 0);
    assert_int_equal(setenv("ALIGHT_DEADLINE_MS", "8", 1), 0);
    assert_int_equal(load(&c, &err, "--deadline-ms=9", "a.json"), AL_OK);
    assert_int_equal(c.max_chunks, 100);
    assert_int_equal(c.workers, 4);
    assert_int_equal(c.deadline_ms, 9);
    assert_string_equal(c.listen, "127.0.0.1:8000");
    sv_config_done(&c);
    assert_int_equal(unsetenv("ALIGHT_WORKERS"), 0);
    assert_int_equal(unsetenv("ALIGHT_DEADLINE_MS"), 0);
}

static void assert_error(const char *flag, const char *file, const char *text)
{
    struct sv_config c;
    struct al_error err;

    assert_int_not_equal(load(&c, &err, flag, file), AL_OK);
    if (!strstr(err.text, text))
        fail_msg("'%s' is not in '%s'", text, err.text);
    sv_config_done(&c);
}

static void errors_name_the_source_the_key_and_the_number(void **state)
{
    (void)state;
    write_file("ok.json", "{}");
    write_file("type.json", "{\"workers\": \"two\"}");
    write_file("key.json", "{\"wrokers\": 2}");
    write_file("twice.json", "{\"workers\": 2, \"workers\": 2}");
    write_file("low.json", "{\"max_chunks\": 1}");
    write_file("list.json", "[]");
    assert_error(NULL, "type.json", "type.json': workers: must be a whole number");
    assert_error(NULL, "key.json", "unknown key 'wrokers'");
    assert_error(NULL, "twice.json", "duplicate");
    assert_error(NULL, "low.json", "max_chunks: 1 is not between 16 and");
    assert_error(NULL, "list.json", "not a JSON object");
    assert_error(NULL, "none.json", "No such file");
    assert_error("--workers=x", "ok.json", "workers: 'x' is not a whole number");
    assert_error("--workers=-1", "ok.json", "workers: '-1' is not a whole number");
    assert_error("--workers", "ok.json", "needs a value");
    assert_error("--config", "ok.json", "'--config' needs a value");
    assert_error("--wrokers=1", "ok.json", "unknown option '--wrokers=1'");
    assert_error("--test-models=maybe", "ok.json", "neither true nor false");
}

static void flags_can_be_switched_both_ways(void **state)
{
    struct sv_config c;
    struct al_error err;

    (void)state;
    write_file("on.json", "{\"test_models\": true}");
    assert_int_equal(load(&c, &err, "--no-test-models", "on.json"), AL_OK);
    assert_false(c.test_models);
    sv_config_done(&c);
    assert_int_equal(load(&c, &err, "--test-models", "ok.json"), AL_OK);
    assert_true(c.test_models);
    sv_config_done(&c);
}

struct changes {
    size_t n_applied, n_refused;
};

static void note_change(void *arg, const char *key, bool applied)
{
    struct changes *c = arg;

    (void)key;
    c->n_applied += applied;
    c->n_refused += !applied;
}

static void a_reload_changes_what_may_change(void **state)
{
    struct sv_config c, fresh;
    struct al_error err;
    struct changes changes = { 0 };

    (void)state;
    write_file("new.json", "{\"log_level\": \"debug\", \"models\": \"other\"}");
    assert_int_equal(load(&c, &err, NULL, "ok.json"), AL_OK);
    assert_int_equal(load(&fresh, &err, NULL, "new.json"), AL_OK);
    sv_config_apply(&c, &fresh, note_change, &changes);
    assert_int_equal(changes.n_applied, 1);
    assert_int_equal(changes.n_refused, 1);
    assert_string_equal(c.log_level, "debug");
    assert_string_equal(c.models, "models");
    sv_config_done(&c);
    sv_config_done(&fresh);
}

static void make_folder(const char *name)
{
    char path[200];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void the_quota_of_every_cgroup_above_counts(void **state)
{
    size_t all = sv_usable_cpus("");

    (void)state;
    assert_true(all >= 1);
    make_folder("proc");
    make_folder("proc/self");
    make_folder("sys");
    make_folder("sys/fs");
    make_folder("sys/fs/cgroup");
    make_folder("sys/fs/cgroup/a");
    make_folder("sys/fs/cgroup/a/b");
    write_file("proc/self/cgroup", "0::/a/b\n");
    write_file("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_int_equal(sv_usable_cpus(folder), all);
    write_file("sys/fs/cgroup/a/cpu.max", "50000 100000\n");
    assert_int_equal(sv_usable_cpus(folder), 1);
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_sources_win),
        cmocka_unit_test(errors_name_the_source_the_key_and_the_number),
        cmocka_unit_test(flags_can_be_switched_both_ways),
        cmocka_unit_test(a_reload_changes_what_may_change),
        cmocka_unit_test(the_quota_of_every_cgroup_above_counts),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
