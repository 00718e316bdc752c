#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "package/image.h"
#include "package/resize.h"

/* A 5x4 ramp with an edge; `expected` below is what Pillow 9.4 makes of it. */
static uint8_t ramp[20] = { 0,  40,  80,  120, 160, 30, 70,  110, 150, 190,
                            60, 100, 140, 180, 220, 0,  255, 0,   255, 0 };
static const struct pk_image source = {
    .width = 5, .height = 4, .channels = 1, .pixels = ramp
};

static const struct {
    enum pk_filter filter;
    uint32_t width, height;
    uint8_t pixels[24];
} expected[] = {
    { PK_FILTER_NEAREST, 3, 2, { 30, 110, 190, 0, 0, 0 } },
    { PK_FILTER_NEAREST,
      8,
      3,
      { 0,   0,   40,  80,  80, 120, 160, 160, 60, 60,  100, 140,
        140, 180, 220, 220, 0,  0,   255, 0,   0,  255, 0,   0 } },
    { PK_FILTER_NEAREST,
      2,
      7,
      { 40, 120, 40, 120, 70, 150, 70, 150, 100, 180, 255, 255, 255, 255 } },
    { PK_FILTER_BILINEAR, 3, 2, { 38, 101, 164, 86, 124, 158 } },
    { PK_FILTER_BILINEAR, 8, 3, { 9,  27,  52,  77,  102, 127, 152, 169,
                                  45, 63,  88,  113, 138, 163, 188, 205,
                                  18, 102, 198, 94,  102, 221, 139, 66 } },
    { PK_FILTER_BILINEAR,
      2,
      7,
      { 40, 120, 51, 131, 68, 148, 85, 165, 101, 175, 110, 139, 116, 116 } },
    { PK_FILTER_BICUBIC, 3, 2, { 32, 99, 168, 87, 132, 159 } },
    { PK_FILTER_BICUBIC,
      8,
      3,
      { 5,   20,  49,  74,  99, 124, 152, 169, 45, 59,  84,  116,
        142, 161, 195, 217, 16, 106, 217, 78,  84, 235, 138, 57 } },
    { PK_FILTER_BICUBIC,
      2,
      7,
      { 32, 124, 42, 134, 62, 154, 80, 177, 96, 184, 108, 136, 115, 107 } },
    { PK_FILTER_LANCZOS, 3, 2, { 29, 98, 173, 86, 140, 158 } },
    { PK_FILTER_LANCZOS,
      8,
      3,
      { 3,   17,  50,  72,  94, 123, 151, 164, 47, 56,  81,  121,
        144, 159, 200, 224, 16, 115, 219, 75,  80, 237, 148, 57 } },
    { PK_FILTER_LANCZOS,
      2,
      7,
      { 30, 126, 39, 134, 59, 154, 78, 188, 94, 184, 110, 138, 117, 106 } },
};

static void every_filter_gives_pillows_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct pk_image img;
        struct al_error err;

        assert_int_equal(pk_image_resize(&source, expected[i].width, expected[i].height,
                                         expected[i].filter, &img, &err),
                         AL_OK);
        assert_int_equal(img.width, expected[i].width);
        assert_int_equal(img.height, expected[i].height);
        assert_memory_equal(img.pixels, expected[i].pixels,
                            (size_t)img.width * img.height);
        pk_image_done(&img);
    }
}

/* Deterministic noise, RGB. */
static struct pk_image noise(uint32_t width, uint32_t height)
{
    struct pk_image img = { .width = width, .height = height, .channels = 3 };
    uint32_t x = 1;

    img.pixels = malloc((size_t)width * height * 3);
    assert_non_null(img.pixels);
    for (size_t i = 0; i < (size_t)width * height * 3; i++) {
        x = x * 1664525u + 1013904223u;
        img.pixels[i] = (uint8_t)(x >> 24);
    }
    return img;
}

static void assert_window(const struct pk_image *window, const struct pk_image *whole,
                          uint32_t left, uint32_t top)
{
    for (uint32_t y = 0; y < window->height; y++)
        assert_memory_equal(window->pixels + (size_t)y * window->width * 3,
                            whole->pixels + ((size_t)(top + y) * whole->width + left) * 3,
                            (size_t)window->width * 3);
}

static void a_window_is_a_part_of_the_whole(void **state)
{
    struct pk_image src = noise(37, 23), whole, window;
    struct pk_span columns = { .full = 20, .start = 7, .length = 9 };
    struct pk_span rows = { .full = 41, .start = 3, .length = 30 };
    struct al_error err;

    (void)state;
    for (int f = 0; f < PK_N_FILTERS; f++) {
        assert_int_equal(pk_image_resize(&src, 20, 41, (enum pk_filter)f, &whole, &err),
                         AL_OK);
        assert_int_equal(
            pk_resize_window(&src, columns, rows, (enum pk_filter)f, &window, &err),
            AL_OK);
        assert_window(&window, &whole, 7, 3);
        pk_image_done(&whole);
        pk_image_done(&window);
    }
    pk_image_done(&src);
}

static void the_same_size_is_a_copy(void **state)
{
    struct pk_image src = noise(11, 6), img;
    struct al_error err;

    (void)state;
    assert_int_equal(pk_image_resize(&src, 11, 6, PK_FILTER_LANCZOS, &img, &err), AL_OK);
    assert_memory_equal(img.pixels, src.pixels, 11 * 6 * 3);
    assert_ptr_not_equal(img.pixels, src.pixels);
    pk_image_done(&img);
    pk_image_done(&src);
}

static void a_flat_picture_stays_flat(void **state)
{
    uint8_t *pixels = malloc(100 * 90);
    struct pk_image src = { .width = 100, .height = 90, .channels = 1, .pixels = pixels };
    struct al_error err;

    (void)state;
    assert_non_null(pixels);
    memset(pixels, 201, 100 * 90);
    for (int f = 0; f < PK_N_FILTERS; f++) {
        struct pk_image img;

        assert_int_equal(pk_image_resize(&src, 13, 150, (enum pk_filter)f, &img, &err),
                         AL_OK);
        for (size_t i = 0; i < 13 * 150; i++)
            assert_int_equal(img.pixels[i], 201);
        pk_image_done(&img);
    }
    free(pixels);
}

static void no_pixels_are_refused(void **state)
{
    struct pk_image img;
    struct al_error err;

    (void)state;
    assert_int_equal(pk_image_resize(&source, 0, 3, PK_FILTER_BICUBIC, &img, &err),
                     AL_INVALID);
    assert_string_equal(err.text, "resize to 0x3 pixels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_filter_gives_pillows_bytes),
        cmocka_unit_test(a_window_is_a_part_of_the_whole),
        cmocka_unit_test(the_same_size_is_a_copy),
        cmocka_unit_test(a_flat_picture_stays_flat),
        cmocka_unit_test(no_pixels_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
