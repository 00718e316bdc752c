#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/status.h"

static void a_prefix_keeps_the_cause(void **state)
{
    struct al_error err;

    (void)state;
    enum al_status s = al_fail(&err, AL_INVALID, "dim %d is %d", 1, -3);
    s = al_error_prefix(&err, s, "model '%s'", "resnet");
    assert_int_equal(s, AL_INVALID);
    assert_int_equal(err.status, AL_INVALID);
    assert_string_equal(err.text, "model 'resnet': dim 1 is -3");
}

static void an_error_may_be_ignored(void **state)
{
    (void)state;
    assert_int_equal(al_fail(NULL, AL_IO, "unread"), AL_IO);
    assert_int_equal(al_error_prefix(NULL, AL_IO, "unread"), AL_IO);
}

static void every_status_has_text_and_http_status(void **state)
{
    (void)state;
    for (int s = AL_OK; s <= AL_INTERNAL; s++) {
        assert_non_null(al_status_text((enum al_status)s));
        assert_in_range(al_status_http((enum al_status)s), 200, 599);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_keeps_the_cause),
        cmocka_unit_test(an_error_may_be_ignored),
        cmocka_unit_test(every_status_has_text_and_http_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
