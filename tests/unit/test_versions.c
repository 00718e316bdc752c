#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/app/versions.h"

/* What is kept of 1, 2, 5 and 10, as "1 5 ". */
static const char *kept(const char *rules, const char *package)
{
    static char text[64];
    uint32_t versions[] = { 1, 2, 5, 10 };
    size_t n = sv_versions_keep(rules, package, versions, 4), at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%u ", versions[i]);
    return text;
}

static void without_a_rule_all_are_served(void **state)
{
    (void)state;
    assert_string_equal(kept("", "m"), "1 2 5 10 ");
    assert_string_equal(kept("all", "m"), "1 2 5 10 ");
    assert_string_equal(kept("other=2", "m"), "1 2 5 10 ");
}

static void the_newest_or_listed_ones_are_kept(void **state)
{
    (void)state;
    assert_string_equal(kept("latest:1", "m"), "10 ");
    assert_string_equal(kept("latest:3", "m"), "2 5 10 ");
    assert_string_equal(kept("latest:99", "m"), "1 2 5 10 ");
    assert_string_equal(kept("5", "m"), "5 ");
    assert_string_equal(kept("10+1+7", "m"), "1 10 ");
    assert_string_equal(kept("7", "m"), "");
}

static void a_rule_with_the_packages_name_comes_first(void **state)
{
    static const char rules[] = "latest:1,m=1+2,other=all";

    (void)state;
    assert_string_equal(kept(rules, "m"), "1 2 ");
    assert_string_equal(kept(rules, "other"), "1 2 5 10 ");
    assert_string_equal(kept(rules, "mm"), "10 ");
    assert_string_equal(kept("m=1,latest:2", "x"), "5 10 ");
}

static void rules_that_mean_nothing_are_refused(void **state)
{
    static const char *const bad[] = { "none",     "latest",   "latest:",   "latest:0",
                                       "latest:x", "1+",       "+1",        "1++2",
                                       "m=",       "m=latest", "0",         "4294967296",
                                       "1,,2",     "m=n=1",    "all latest" };
    static const char *const good[] = { "", "all", "latest:4294967295", "1",
                                        "a=1+2,all" };
    struct al_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(sv_versions_check(bad[i], &err), AL_INVALID);
        assert_non_null(strstr(err.text, "versions"));
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(sv_versions_check(good[i], &err), AL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_rule_all_are_served),
        cmocka_unit_test(the_newest_or_listed_ones_are_kept),
        cmocka_unit_test(a_rule_with_the_packages_name_comes_first),
        cmocka_unit_test(rules_that_mean_nothing_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
