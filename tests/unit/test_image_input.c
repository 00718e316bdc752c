#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "package/image.h"

static struct pk_input_spec spec_of(enum pk_colour colour, uint32_t width,
                                    uint32_t height, enum pk_fit fit)
{
    return (struct pk_input_spec){ .width = width,
                                   .height = height,
                                   .colour = colour,
                                   .fit = fit,
                                   .filter = PK_FILTER_NEAREST,
                                   .scale = 1.0,
                                   .std = { 1.0, 1.0, 1.0 } };
}

static void feed(const char *pnm, const struct pk_input_spec *spec, float *dst)
{
    const struct pk_image_limits limits = pk_image_limits_default();
    struct al_error err = { 0 };

    if (pk_image_to_tensor(pnm, strlen(pnm), spec, &limits, dst, &err) != AL_OK)
        fail_msg("%s", err.text);
}

static void assert_floats(const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_float_equal(got[i], want[i], 0.0f);
}

static void planes_follow_the_colour_order(void **state)
{
    const char *pnm = "P3 2 1 255\n1 2 3 4 5 6";
    struct pk_input_spec rgb = spec_of(PK_COLOUR_RGB, 2, 1, PK_FIT_STRETCH);
    struct pk_input_spec bgr = spec_of(PK_COLOUR_BGR, 2, 1, PK_FIT_STRETCH);
    float dst[6];

    (void)state;
    assert_int_equal(pk_input_floats(&rgb), 6);
    feed(pnm, &rgb, dst);
    assert_floats(dst, (const float[]){ 1, 4, 2, 5, 3, 6 }, 6);
    feed(pnm, &bgr, dst);
    assert_floats(dst, (const float[]){ 3, 6, 2, 5, 1, 4 }, 6);
}

static void each_channel_is_normalised_by_its_own_mean_and_std(void **state)
{
    struct pk_input_spec spec = spec_of(PK_COLOUR_BGR, 1, 1, PK_FIT_STRETCH);
    float dst[3];

    (void)state;
    spec.scale = 1.0 / 255.0;
    memcpy(spec.mean, (const double[3]){ 0.5, 0.25, 0.0 }, sizeof(spec.mean));
    memcpy(spec.std, (const double[3]){ 0.5, 0.25, 2.0 }, sizeof(spec.std));
    feed("P3 1 1 255\n255 255 0", &spec, dst);
    assert_floats(dst, (const float[]){ -1.0f, 3.0f, 0.5f }, 3);
}

static void crop_keeps_the_middle(void **state)
{
    struct pk_input_spec spec = spec_of(PK_COLOUR_GRAY, 2, 2, PK_FIT_CROP);
    float dst[4];

    (void)state;
    feed("P2 6 2 255\n0 1 2 3 4 5\n10 11 12 13 14 15", &spec, dst);
    assert_floats(dst, (const float[]){ 2, 3, 12, 13 }, 4);
    feed("P2 2 6 255\n0 1 2 3 4 5 6 7 8 9 10 11", &spec, dst);
    assert_floats(dst, (const float[]){ 4, 5, 6, 7 }, 4);
}

static void pad_surrounds_with_black(void **state)
{
    struct pk_input_spec spec = spec_of(PK_COLOUR_GRAY, 3, 3, PK_FIT_PAD);
    float dst[9];

    (void)state;
    spec.mean[0] = 1.0;
    feed("P2 3 1 255\n7 8 9", &spec, dst);
    assert_floats(dst, (const float[]){ -1, -1, -1, 6, 7, 8, -1, -1, -1 }, 9);
    feed("P2 1 3 255\n7 8 9", &spec, dst);
    assert_floats(dst, (const float[]){ -1, 6, -1, -1, 7, -1, -1, 8, -1 }, 9);
}

static void elongated_pictures_cost_no_more_than_they_give(void **state)
{
    static float dst[3 * 224 * 224];
    static char pnm[32 + 3 * 16384];
    struct pk_input_spec spec = spec_of(PK_COLOUR_RGB, 224, 224, PK_FIT_CROP);
    const struct pk_image_limits limits = pk_image_limits_default();
    struct al_error err = { 0 };

    (void)state;
    memcpy(pnm, "P6 16384 1 255\n", 15);
    memset(pnm + 15, 9, 3 * 16384);
    for (int f = 0; f < PK_N_FILTERS; f++) {
        spec.filter = (enum pk_filter)f;
        assert_int_equal(
            pk_image_to_tensor(pnm, 15 + 3 * 16384, &spec, &limits, dst, &err), AL_OK);
        assert_float_equal(dst[0], 9.0f, 0.0f);
        assert_float_equal(dst[3 * 224 * 224 - 1], 9.0f, 0.0f);
    }
}

static void a_picture_of_the_wrong_channels_is_refused(void **state)
{
    struct pk_input_spec spec = spec_of(PK_COLOUR_RGB, 1, 1, PK_FIT_STRETCH);
    uint8_t pixel = 3;
    const struct pk_image img = {
        .width = 1, .height = 1, .channels = 1, .pixels = &pixel
    };
    struct al_error err;
    float dst[3];

    (void)state;
    assert_int_equal(pk_picture_to_tensor(&img, &spec, dst, &err), AL_INVALID);
    assert_string_equal(err.text, "picture of 1 channels, the model takes 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_follow_the_colour_order),
        cmocka_unit_test(each_channel_is_normalised_by_its_own_mean_and_std),
        cmocka_unit_test(crop_keeps_the_middle),
        cmocka_unit_test(pad_surrounds_with_black),
        cmocka_unit_test(elongated_pictures_cost_no_more_than_they_give),
        cmocka_unit_test(a_picture_of_the_wrong_channels_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
