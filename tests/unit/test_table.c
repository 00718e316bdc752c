#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/core/model.h"
#include "server/core/table.h"

static void note_free(void *payload)
{
    ++*(int *)payload;
}

static struct sv_model *model_new(void *freed)
{
    struct sv_model_params p = { .name = "m",
                                 .version = 1,
                                 .n_stages = 1,
                                 .max_batch = 1,
                                 .payload = freed,
                                 .free_payload = note_free };
    return sv_model_new(&p);
}

static void set(struct sv_table *t, const char *name, uint32_t version,
                enum sv_model_state state, struct sv_model *m)
{
    assert_int_equal(sv_table_set(t, name, version, state, NULL, m), AL_OK);
}

static void entries_are_sorted_by_name_and_version(void **state)
{
    struct sv_table *t = sv_table_new();

    (void)state;
    set(t, "b", 2, SV_MODEL_LOADING, NULL);
    set(t, "a", 10, SV_MODEL_LOADING, NULL);
    set(t, "b", 1, SV_MODEL_LOADING, NULL);
    set(t, "a", 9, SV_MODEL_LOADING, NULL);
    set(t, "c", 1, SV_MODEL_LOADING, NULL);
    assert_int_equal(sv_table_n(t), 5);
    assert_string_equal(sv_table_at(t, 0)->name, "a");
    assert_int_equal(sv_table_at(t, 0)->version, 9);
    assert_int_equal(sv_table_at(t, 1)->version, 10);
    assert_int_equal(sv_table_at(t, 3)->version, 2);
    sv_table_remove(t, "b", 1);
    sv_table_remove(t, "b", 7);
    assert_int_equal(sv_table_n(t), 4);
    assert_null(sv_table_entry(t, "b", 1));
    assert_non_null(sv_table_entry(t, "b", 2));
    sv_table_free(t);
}

static void the_highest_version_that_serves_answers_for_the_name(void **state)
{
    struct sv_table *t = sv_table_new();
    int freed[2] = { 0 };
    struct sv_model *one = model_new(&freed[0]), *two = model_new(&freed[1]);

    (void)state;
    set(t, "m", 3, SV_MODEL_LOADING, NULL);
    assert_null(sv_table_find(t, "m", 0));
    set(t, "m", 1, SV_MODEL_READY, one);
    set(t, "m", 2, SV_MODEL_READY, two);
    assert_ptr_equal(sv_table_find(t, "m", 0), two);
    assert_ptr_equal(sv_table_find(t, "m", 1), one);
    assert_null(sv_table_find(t, "m", 3));
    assert_null(sv_table_find(t, "other", 0));
    set(t, "m", 2, SV_MODEL_UNAVAILABLE, NULL);
    assert_int_equal(freed[1], 1);
    assert_ptr_equal(sv_table_find(t, "m", 0), one);
    sv_table_free(t);
    assert_int_equal(freed[0], 1);
}

static void a_reload_serves_the_old_model_until_the_new_one_is_there(void **state)
{
    struct sv_table *t = sv_table_new();
    int freed[2] = { 0 };
    struct sv_model *old = model_new(&freed[0]), *new = model_new(&freed[1]);

    (void)state;
    set(t, "m", 1, SV_MODEL_READY, old);
    set(t, "m", 1, SV_MODEL_LOADING, NULL);
    assert_ptr_equal(sv_table_find(t, "m", 1), old);
    assert_int_equal(sv_table_set(t, "m", 1, SV_MODEL_READY, "reload failed", NULL),
                     AL_OK);
    assert_ptr_equal(sv_table_find(t, "m", 0), old);
    assert_string_equal(sv_table_entry(t, "m", 1)->reason, "reload failed");
    sv_table_set_tried(t, "m", 1, 77);
    sv_table_set_tried(t, "none", 1, 78);
    assert_int_equal(sv_table_n(t), 1);
    assert_int_equal(sv_table_entry(t, "m", 1)->tried, 77);
    set(t, "m", 1, SV_MODEL_READY, new);
    assert_int_equal(freed[0], 1);
    assert_ptr_equal(sv_table_find(t, "m", 0), new);
    assert_string_equal(sv_table_entry(t, "m", 1)->reason, "");
    sv_table_free(t);
    assert_int_equal(freed[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_sorted_by_name_and_version),
        cmocka_unit_test(the_highest_version_that_serves_answers_for_the_name),
        cmocka_unit_test(a_reload_serves_the_old_model_until_the_new_one_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
