#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "package/policy_file.h"

#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct pk_policy_model model = {
    .n_exits = 3,
    .exit_names = { "early", "mid\"dle", "final" },
    .sha256 = SHA,
    .precision = AL_PRECISION_BF16,
};

static struct al_policy sample(void)
{
    struct al_policy p;

    al_policy_init(&p, 3);
    p.confidence = 0.95;
    p.score = AL_SCORE_ENTROPY;
    p.n_calibration = 5000;
    p.n_levels = 2;
    p.levels[0].cost = 321.5;
    p.levels[0].p_value = 1.0;
    p.levels[1] = p.levels[0];
    p.levels[1].max_loss = 0.005;
    p.levels[1].threshold[0] = 0.1f;
    p.levels[1].share[0] = 1.0 / 3.0;
    p.levels[1].share[2] = 1.0 - 1.0 / 3.0;
    p.loss = AL_LOSS_ONE_SIDED;
    p.levels[1].n_losses = 11;
    p.levels[1].n_wins = 7;
    p.levels[1].p_value = 3.25e-5;
    (void)snprintf(p.calibration_id, sizeof(p.calibration_id), "9f3c");
    return p;
}

/* Not inlined: gcc 12 at -O3 then takes the heap text for the local that points to it. */
__attribute__((noinline)) static char *format(const struct al_policy *p)
{
    struct al_error err = { 0 };
    char *text = NULL;
    size_t size;

    if (pk_policy_format(p, &model, &text, &size, &err) != AL_OK)
        fail_msg("%s", err.text);
    assert_int_equal(size, strlen(text));
    return text;
}

static void what_is_written_reads_back_the_same(void **state)
{
    struct al_policy p = sample(), q;
    struct al_error err = { 0 };
    char *text = format(&p), *again;
    enum al_precision precision = AL_N_PRECISIONS;

    (void)state;
    if (pk_policy_parse(text, strlen(text), &model, &q, &precision, &err) != AL_OK)
        fail_msg("%s", err.text);
    assert_int_equal(precision, AL_PRECISION_BF16);
    assert_int_equal(q.score, AL_SCORE_ENTROPY);
    assert_int_equal(q.loss, AL_LOSS_ONE_SIDED);
    assert_int_equal(q.n_exits, 3);
    assert_int_equal(q.n_calibration, 5000);
    assert_int_equal(q.n_levels, 2);
    assert_string_equal(q.calibration_id, "9f3c");
    assert_memory_equal(&q.confidence, &p.confidence, sizeof(p.confidence));
    for (size_t i = 0; i < 2; i++) {
        assert_memory_equal(&q.levels[i].max_loss, &p.levels[i].max_loss, sizeof(double));
        assert_memory_equal(q.levels[i].threshold, p.levels[i].threshold,
                            2 * sizeof(float));
        assert_memory_equal(q.levels[i].share, p.levels[i].share, 3 * sizeof(double));
        assert_memory_equal(&q.levels[i].cost, &p.levels[i].cost, sizeof(double));
        assert_memory_equal(&q.levels[i].p_value, &p.levels[i].p_value, sizeof(double));
        assert_int_equal(q.levels[i].n_losses, p.levels[i].n_losses);
        assert_int_equal(q.levels[i].n_wins, p.levels[i].n_wins);
    }
    again = format(&q);
    assert_string_equal(again, text);
    free(again);
    free(text);
}

static void a_policy_that_names_no_precision_is_of_the_default_one(void **state)
{
    const char key[] = ",\n    \"precision\": \"bf16\"";
    struct al_policy p = sample(), q;
    enum al_precision precision = AL_N_PRECISIONS;
    struct al_error err = { 0 };
    char *text = format(&p), *at = strstr(text, key);

    (void)state;
    assert_non_null(at);
    memmove(at, at + strlen(key), strlen(at + strlen(key)) + 1);
    assert_int_equal(pk_policy_parse(text, strlen(text), &model, &q, &precision, &err),
                     AL_OK);
    assert_int_equal(precision, AL_PRECISION_DEFAULT);
    free(text);
}

static void numbers_are_as_short_as_they_can_be(void **state)
{
    struct al_policy p = sample();
    char *text = format(&p);

    (void)state;
    assert_non_null(strstr(text,
                           "\"thresholds\": [0.1, null], \"share\": "
                           "[0.3333333333333333, 0, 0.6666666666666667]"));
    assert_non_null(strstr(text,
                           "\"cost_us\": 321.5, \"losses\": 11, \"wins\": 7, "
                           "\"p_value\": 3.25e-05}"));
    free(text);
}

static void numbers_that_are_none_are_not_written(void **state)
{
    struct al_policy p = sample();
    struct al_error err = { 0 };
    char *text;
    size_t size;

    (void)state;
    p.levels[1].cost = nan("");
    assert_int_equal(pk_policy_format(&p, &model, &text, &size, &err), AL_INVALID);
    p = sample();
    p.levels[1].max_loss = 0.0;
    assert_int_equal(pk_policy_format(&p, &model, &text, &size, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "entry 1: max_loss 0 does not grow"));
}

/* Replaces the first `from` of a valid text by `to` and expects `error`. */
static void assert_refused(const char *from, const char *to, const char *error)
{
    struct al_policy p = sample();
    struct al_error err = { 0 };
    enum al_precision precision;
    char *text = format(&p);
    char *changed;

    assert_non_null(strstr(text, from));
    const size_t before = (size_t)(strstr(text, from) - text);
    assert_true(asprintf(&changed, "%.*s%s%s", (int)before, text, to,
                         text + before + strlen(from)) > 0);
    assert_int_equal(
        pk_policy_parse(changed, strlen(changed), &model, &p, &precision, &err),
        AL_INVALID);
    if (!strstr(err.text, error))
        fail_msg("%s -> %s gives: %s", from, to, err.text);
    free(changed);
    free(text);
}

static void errors_name_the_key_and_the_value(void **state)
{
    (void)state;
    assert_refused("\"format\": 1", "\"format\": 2",
                   "key \"format\" is 2, not in 1 to 1");
    assert_refused("\"format\": 1,", "", "key \"format\" is missing");
    assert_refused("entropy", "gini", "is \"gini\", none of margin, max_prob, entropy");
    assert_refused("0.95", "95", "key \"confidence\" is 95, not in 0 to 1");
    assert_refused("9f3c", "9F3C", "hexadecimal");
    assert_refused("\"model_sha256\": \"0", "\"model_sha256\": \"1",
                   "key \"calibration.model_sha256\" is 101122334455…, but model.onnx is "
                   "001122334455…");
    assert_refused("\"final\"", "\"last\"", "entry 2 is not the model's exit \"final\"");
    assert_refused(", \"final\"", "", "key \"exits\" has 2 entries, not 3 to 3");
    assert_refused("0.1, null", "0.1", "key \"levels[1].thresholds\" has 1 entries");
    assert_refused("0.1, null", "1.5, null", "entry 0 is neither null nor in 0 to 1");
    assert_refused("null, null", "0.5, null", "must begin with max_loss 0");
    assert_refused("0.005", "0", "entry 1: max_loss 0 does not grow");
    assert_refused("losses", "lossses", "unknown, the nearest known one is \"losses\"");
    assert_refused("\"bf16\"", "\"half\"", "is \"half\", none of strict, default, bf16");
    assert_refused("5000", "0", "key \"calibration.rows\" is 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(a_policy_that_names_no_precision_is_of_the_default_one),
        cmocka_unit_test(numbers_are_as_short_as_they_can_be),
        cmocka_unit_test(numbers_that_are_none_are_not_written),
        cmocka_unit_test(errors_name_the_key_and_the_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
