#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "package/manifest.h"

#define INPUT \
    "\"input\":{\"tensor\":\"image\",\"width\":28,\"height\":14,\"colour\":\"gray\"}"

static void parse(const char *text, struct pk_manifest *m)
{
    struct al_error err = { 0 };

    if (pk_manifest_parse(text, strlen(text), m, &err) != AL_OK)
        fail_msg("%s", err.text);
}

static void every_key_is_read(void **state)
{
    struct pk_manifest m;

    (void)state;
    parse(
        "{\"input\":{\"tensor\":\"x\",\"width\":32,\"height\":16,\"colour\":\"bgr\","
        "\"fit\":\"crop\",\"filter\":\"lanczos\",\"scale\":2,\"mean\":[1,2.5,3],"
        "\"std\":[4,5,6]},"
        "\"exits\":[{\"tensor\":\"a\",\"name\":\"early\",\"gate\":\"g\"},"
        "{\"tensor\":\"b\",\"kind\":\"probabilities\"}],"
        "\"max_batch\":8,\"precision\":\"strict\",\"default_max_loss\":0.005}",
        &m);
    assert_true(m.has_input);
    assert_string_equal(m.input_tensor, "x");
    assert_int_equal(m.input.width, 32);
    assert_int_equal(m.input.height, 16);
    assert_int_equal(m.input.colour, PK_COLOUR_BGR);
    assert_int_equal(m.input.fit, PK_FIT_CROP);
    assert_int_equal(m.input.filter, PK_FILTER_LANCZOS);
    assert_true(m.input.scale >= 2.0 && m.input.scale <= 2.0);
    assert_memory_equal(m.input.mean, ((double[]){ 1, 2.5, 3 }), sizeof(m.input.mean));
    assert_memory_equal(m.input.std, ((double[]){ 4, 5, 6 }), sizeof(m.input.std));
    assert_int_equal(m.n_exits, 2);
    assert_string_equal(m.exits[0].tensor, "a");
    assert_string_equal(m.exits[0].name, "early");
    assert_string_equal(m.exits[0].gate, "g");
    assert_false(m.exits[0].probabilities);
    assert_string_equal(m.exits[1].name, "b");
    assert_null(m.exits[1].gate);
    assert_true(m.exits[1].probabilities);
    assert_int_equal(m.max_batch, 8);
    assert_int_equal(m.precision, AL_PRECISION_STRICT);
    assert_true(m.default_max_loss > 0.0049 && m.default_max_loss < 0.0051);
    pk_manifest_done(&m);
}

static void an_empty_object_gives_the_defaults(void **state)
{
    struct pk_manifest m;

    (void)state;
    parse("{}", &m);
    assert_false(m.has_input);
    assert_int_equal(m.n_exits, 0);
    assert_int_equal(m.max_batch, 32);
    assert_int_equal(m.precision, AL_N_PRECISIONS);
    assert_true(m.default_max_loss <= 0.0);
    pk_manifest_done(&m);
    parse("{" INPUT "}", &m);
    assert_int_equal(m.input.fit, PK_FIT_STRETCH);
    assert_int_equal(m.input.filter, PK_FILTER_BILINEAR);
    assert_true(m.input.scale * 255 > 0.999 && m.input.scale * 255 < 1.001);
    assert_true(m.input.mean[0] <= 0.0 && m.input.std[0] >= 1.0);
    pk_manifest_done(&m);
}

static const struct {
    const char *text, *error;
} wrong[] = {
    { "", "line 1" },
    { "[]", "root is not an object" },
    { "{\"max_batch\":1,\"max_batch\":2}", "duplicate" },
    { "{\"max_bach\":1}",
      "key \"max_bach\" is unknown, the nearest known one is \"max_batch\"" },
    { "{\"max_batch\":0}", "key \"max_batch\" is 0, not in 1 to 128" },
    { "{\"max_batch\":512}", "key \"max_batch\" is 512, not in 1 to 128" },
    { "{\"max_batch\":99999999999}", "is 99999999999, not in 1 to 128" },
    { "{\"max_batch\":8.0}", "key \"max_batch\" is not an integer" },
    { "{\"precision\":\"fast\"}", "is \"fast\", none of strict, default, bf16" },
    { "{\"default_max_loss\":1.5}", "key \"default_max_loss\" is 1.5, not in 0 to 1" },
    { "{\"default_max_loss\":\"0\"}", "is not a number" },
    { "{\"input\":3}", "\"input.\" is not an object" },
    { "{\"input\":{}}", "key \"input.tensor\" is missing" },
    { "{\"input\":{\"tensor\":\"\",\"width\":1,\"height\":1,\"colour\":\"rgb\"}}",
      "key \"input.tensor\" has 0 bytes" },
    { "{\"input\":{\"tensor\":\"x\",\"width\":-3,\"height\":1,\"colour\":\"rgb\"}}",
      "key \"input.width\" is -3, not in 1 to 8192" },
    { "{\"input\":{\"tensor\":\"x\",\"width\":1,\"height\":1,\"colour\":\"grey\"}}",
      "key \"input.colour\" is \"grey\", none of gray, rgb, bgr" },
    { "{\"input\":{\"tensor\":\"x\",\"width\":1,\"height\":1,\"colour\":\"rgb\","
      "\"mean\":[0.5]}}",
      "key \"input.mean\" has 1 entries, not 3 to 3" },
    { "{\"input\":{\"tensor\":\"x\",\"width\":1,\"height\":1,\"colour\":\"gray\","
      "\"std\":[0]}}",
      "key \"input.std\" entry 0 is no number in 1e-09" },
    { "{\"input\":{\"tensor\":\"x\",\"width\":1,\"height\":1,\"color\":\"gray\"}}",
      "key \"input.color\" is unknown, the nearest known one is \"colour\"" },
    { "{\"exits\":[]}", "key \"exits\" has 0 entries, not 1 to 32" },
    { "{\"exits\":{}}", "key \"exits\" is not an array" },
    { "{\"exits\":[7]}", "\"exits[0].\" is not an object" },
    { "{\"exits\":[{\"name\":\"a\"}]}", "key \"exits[0].tensor\" is missing" },
    { "{\"exits\":[{\"tensor\":\"a\"},{\"tensor\":\"b\",\"kind\":\"softmax\"}]}",
      "key \"exits[1].kind\" is \"softmax\", none of logits, probabilities" },
    { "{\"exits\":[{\"tensor\":\"a\"},{\"tensor\":\"b\",\"name\":\"a\"}]}",
      "key \"exits\" repeats exit \"a\"" },
    { "{\"exits\":[{\"tensor\":\"a\\n\"}]}", "contains a control character" },
};

static void errors_name_the_key_and_the_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct pk_manifest m;
        struct al_error err = { 0 };

        assert_int_equal(
            pk_manifest_parse(wrong[i].text, strlen(wrong[i].text), &m, &err),
            AL_INVALID);
        if (!strstr(err.text, wrong[i].error))
            fail_msg("%s gives: %s", wrong[i].text, err.text);
    }
}

static void deep_nesting_is_an_error(void **state)
{
    static char text[100000];
    struct pk_manifest m;
    struct al_error err = { 0 };

    (void)state;
    memset(text, '[', sizeof(text));
    memcpy(text, "{\"input\":", 9);
    assert_int_equal(pk_manifest_parse(text, sizeof(text), &m, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "depth"));
}

static void *no_memory(size_t size)
{
    (void)size;
    return NULL;
}

static void want_of_memory_is_not_the_texts_fault(void **state)
{
    struct pk_manifest m;
    struct al_error err = { 0 };

    (void)state;
    json_set_alloc_funcs(no_memory, free);
    assert_int_equal(pk_manifest_parse("{}", 2, &m, &err), AL_NO_MEMORY);
    json_set_alloc_funcs(malloc, free);
    assert_string_equal(err.text, "JSON of 2 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(an_empty_object_gives_the_defaults),
        cmocka_unit_test(errors_name_the_key_and_the_value),
        cmocka_unit_test(deep_nesting_is_an_error),
        cmocka_unit_test(want_of_memory_is_not_the_texts_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
