#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "files.h"
#include "package/file.h"
#include "package/package.h"

/* A copy of the shipped fashion-blenet, version 1, without policy: its folder. */
struct copy {
    char dir[64];
};

static void copy_file(const struct copy *c, const char *name)
{
    char path[512];
    size_t size;

    (void)snprintf(path, sizeof(path), "../../models/fashion-blenet/%s", name);
    uint8_t *data = test_file_read(path, &size);
    test_file_write(c->dir, name, data, size);
    free(data);
}

static int make_copy(void **state)
{
    static struct copy c;

    (void)snprintf(c.dir, sizeof(c.dir), "/tmp/test_package.XXXXXX");
    if (!mkdtemp(c.dir))
        return -1;
    copy_file(&c, "model.json");
    copy_file(&c, "labels.txt");
    copy_file(&c, "1/model.onnx");
    *state = &c;
    return 0;
}

static int remove_copy(void **state)
{
    const struct copy *c = *state;
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf '%s'", c->dir);
    return system(command);
}

static const struct pk_load_params params = { .precision = AL_N_PRECISIONS,
                                              .cpu_mask = UINT_MAX };

static struct pk_package *load(const struct copy *c)
{
    struct pk_package *p = NULL;
    struct al_error err = { 0 };

    if (pk_package_load(c->dir, 0, &params, &p, &err) != AL_OK)
        fail_msg("%s", err.text);
    return p;
}

static void assert_refused(const struct copy *c, enum al_status status, const char *text)
{
    struct pk_package *p = NULL;
    struct al_error err = { 0 };

    assert_int_equal(pk_package_load(c->dir, 0, &params, &p, &err), status);
    if (!strstr(err.text, text))
        fail_msg("%s", err.text);
    assert_null(p);
}

static struct al_policy certified(const struct pk_package *p)
{
    struct al_policy policy = p->policy;

    policy.confidence = 0.95;
    policy.n_calibration = 100;
    policy.n_levels = 2;
    policy.levels[1] = policy.levels[0];
    policy.levels[1].max_loss = 0.01;
    policy.levels[1].threshold[0] = 0.75f;
    (void)snprintf(policy.calibration_id, sizeof(policy.calibration_id), "abc");
    return policy;
}

static void write_policy(const struct pk_package *p, const struct al_policy *policy)
{
    struct al_error err = { 0 };
    char *path = pk_policy_path(p);
    FILE *f = path ? fopen(path, "w") : NULL;

    assert_non_null(f);
    if (pk_policy_write(p, policy, f, &err) != AL_OK)
        fail_msg("%s", err.text);
    assert_int_equal(fclose(f), 0);
    free(path);
}

static void the_shipped_package_is_described(void **state)
{
    struct pk_package *p = load(*state);

    assert_int_equal(p->version, 1);
    assert_string_equal(p->name, strrchr(((struct copy *)*state)->dir, '/') + 1);
    assert_int_equal(strlen(p->model_sha256), 64);
    assert_true(p->takes_images);
    assert_int_equal(p->input.width, 28);
    assert_int_equal(p->input.colour, PK_COLOUR_GRAY);
    assert_int_equal(p->n_classes, 10);
    assert_int_equal(p->n_labels, 10);
    assert_string_equal(p->labels[9], "Ankle boot");
    assert_int_equal(p->max_batch, 32);
    assert_false(p->has_policy);
    assert_int_equal(p->policy.n_levels, 1);
    assert_int_equal(p->policy.n_exits, 2);
    pk_package_free(p);
}

static void a_written_policy_is_read_again(void **state)
{
    struct pk_package *p = load(*state);
    struct al_policy policy = certified(p);

    write_policy(p, &policy);
    pk_package_free(p);
    p = load(*state);
    assert_true(p->has_policy);
    assert_int_equal(p->policy.n_levels, 2);
    assert_int_equal(p->policy.n_calibration, 100);
    assert_float_equal(p->policy.levels[1].threshold[0], 0.75f, 0.0f);
    assert_string_equal(p->policy.calibration_id, "abc");
    pk_package_free(p);
}

static void a_policy_of_another_network_is_refused_unless_left_out(void **state)
{
    struct pk_package *p = load(*state);
    struct al_policy policy = certified(p);
    struct pk_load_params calibrating = params;
    struct al_error err = { 0 };

    (void)snprintf(p->model_sha256, sizeof(p->model_sha256), "0123456789");
    write_policy(p, &policy);
    pk_package_free(p);
    assert_refused(*state, AL_INVALID, "model_sha256\" is 0123456789");
    calibrating.without_policy = true;
    assert_int_equal(
        pk_package_load(((struct copy *)*state)->dir, 1, &calibrating, &p, &err), AL_OK);
    assert_false(p->has_policy);
    pk_package_free(p);
}

static void without_model_json_the_first_output_is_the_only_exit(void **state)
{
    const struct copy *c = *state;
    char path[128];
    struct pk_package *p;

    (void)snprintf(path, sizeof(path), "%s/model.json", c->dir);
    assert_int_equal(remove(path), 0);
    p = load(c);
    assert_int_equal(al_model_n_stages(p->model), 1);
    assert_string_equal(al_model_stage(p->model, 0).exit_name, "branch1");
    assert_true(p->takes_images);
    assert_int_equal(p->input.colour, PK_COLOUR_GRAY);
    assert_int_equal(p->input.height, 28);
    assert_int_equal(p->n_classes, 10);
    pk_package_free(p);
}

static void what_disagrees_with_the_network_is_refused(void **state)
{
    const struct copy *c = *state;
    const char *wide =
        "{\"input\":{\"tensor\":\"image\",\"width\":30,\"height\":28,"
        "\"colour\":\"rgb\"}}";
    const char *exits = "{\"exits\":[{\"tensor\":\"branch2\"}]}";
    const char *foreign = "{\"inputs\":{}}";

    test_file_write(c->dir, "labels.txt", "a\nb\n", 4);
    assert_refused(c, AL_INVALID, "labels.txt: 2 labels for 10 classes");
    test_file_write(c->dir, "model.json", wide, strlen(wide));
    assert_refused(c, AL_INVALID, "image");
    test_file_write(c->dir, "model.json", exits, strlen(exits));
    assert_refused(c, AL_NOT_FOUND, "branch2");
    test_file_write(c->dir, "model.json", foreign, strlen(foreign));
    assert_refused(c, AL_INVALID, "model.json: key \"inputs\" is unknown");
}

static void a_missing_or_damaged_network_is_an_error(void **state)
{
    const struct copy *c = *state;
    struct pk_package *p;
    struct al_error err = { 0 };

    test_file_write(c->dir, "1/model.onnx", "hello", 5);
    assert_refused(c, AL_INVALID, "1/model.onnx");
    test_file_write(c->dir, "2/other", "", 0);
    assert_refused(c, AL_NOT_FOUND, "2/model.onnx");
    assert_int_equal(pk_package_load(c->dir, 7, &params, &p, &err), AL_NOT_FOUND);
    assert_non_null(strstr(err.text, "no version 7"));
    assert_int_equal(pk_package_load("/nonexistent", 0, &params, &p, &err), AL_NOT_FOUND);
}

int main(void)
{
#define ON_A_COPY(test) cmocka_unit_test_setup_teardown(test, make_copy, remove_copy)
    const struct CMUnitTest tests[] = {
        ON_A_COPY(the_shipped_package_is_described),
        ON_A_COPY(a_written_policy_is_read_again),
        ON_A_COPY(a_policy_of_another_network_is_refused_unless_left_out),
        ON_A_COPY(without_model_json_the_first_output_is_the_only_exit),
        ON_A_COPY(what_disagrees_with_the_network_is_refused),
        ON_A_COPY(a_missing_or_damaged_network_is_an_error),
    };
#undef ON_A_COPY

    return cmocka_run_group_tests(tests, NULL, NULL);
}
