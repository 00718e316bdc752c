#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "files.h"
#include "package/image.h"

static enum al_status decode(const void *data, size_t size, uint32_t channels,
                             struct pk_image *ret, struct al_error *err)
{
    const struct pk_image_limits limits = pk_image_limits_default();

    return pk_image_decode(data, size, channels, &limits, ret, err);
}

static struct pk_image decode_file(const char *name, uint32_t channels)
{
    struct pk_image img = { 0 };
    struct al_error err;
    size_t size;
    uint8_t *data = test_file_read(name, &size);

    if (decode(data, size, channels, &img, &err) != AL_OK)
        fail_msg("%s: %s", name, err.text);
    free(data);
    return img;
}

static struct pk_image decode_text(const char *text, uint32_t channels)
{
    struct pk_image img = { 0 };
    struct al_error err;

    if (decode(text, strlen(text), channels, &img, &err) != AL_OK)
        fail_msg("%s: %s", text, err.text);
    return img;
}

static void assert_pixels(struct pk_image *img, uint32_t width, uint32_t height,
                          const uint8_t *pixels)
{
    assert_int_equal(img->width, width);
    assert_int_equal(img->height, height);
    assert_memory_equal(img->pixels, pixels, (size_t)width * height * img->channels);
    pk_image_done(img);
}

/* The file must be refused with `status`, and the error must say `text`. */
static void assert_refused(const char *name, enum al_status status, const char *text)
{
    struct pk_image img = { 0 };
    struct al_error err = { 0 };
    size_t size;
    uint8_t *data = test_file_read(name, &size);

    assert_int_equal(decode(data, size, 3, &img, &err), status);
    assert_non_null(strstr(err.text, text));
    assert_null(img.pixels);
    free(data);
}

static const char *const sound_files[] = {
    "rgb.jpg",   "gray.jpg",   "progressive.jpg", "cmyk.jpg",
    "rgb.png",   "gray.png",   "bits.png",        "palette.png",
    "alpha.png", "lossy.webp", "lossless.webp",
};
#define N_SOUND (sizeof(sound_files) / sizeof(sound_files[0]))

static void every_format_decodes_to_its_twin(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SOUND; i++) {
        char name[64], twin[80];
        bool gray = strstr(sound_files[i], "gray") || strstr(sound_files[i], "bits");
        uint32_t channels = gray ? 1 : 3;

        (void)snprintf(name, sizeof(name), "images/%s", sound_files[i]);
        (void)snprintf(twin, sizeof(twin), "%s.%s", name, gray ? "pgm" : "ppm");
        struct pk_image img = decode_file(name, channels);
        struct pk_image want = decode_file(twin, channels);
        assert_pixels(&img, want.width, want.height, want.pixels);
        pk_image_done(&want);
    }
}

static void formats_are_told_by_their_first_bytes(void **state)
{
    (void)state;
    assert_int_equal(pk_image_format("\xff\xd8\xff\xe0", 4), PK_FORMAT_JPEG);
    assert_int_equal(pk_image_format("\x89PNG\r\n\x1a\n", 8), PK_FORMAT_PNG);
    assert_int_equal(pk_image_format("RIFF1234WEBPVP8 ", 16), PK_FORMAT_WEBP);
    assert_int_equal(pk_image_format("P6\n1 1 255\n", 11), PK_FORMAT_PNM);
    assert_int_equal(pk_image_format("P7\n", 3), PK_FORMAT_UNKNOWN);
    assert_int_equal(pk_image_format("P5\0", 3), PK_FORMAT_UNKNOWN);
    assert_int_equal(pk_image_format("GIF89a", 6), PK_FORMAT_UNKNOWN);
    assert_int_equal(pk_image_format("\x89PNG", 4), PK_FORMAT_UNKNOWN);
    assert_int_equal(pk_image_format("RIFF1234", 8), PK_FORMAT_UNKNOWN);
    assert_int_equal(pk_image_format(NULL, 0), PK_FORMAT_UNKNOWN);
}

static void bytes_of_no_format_are_unsupported(void **state)
{
    struct pk_image img;
    struct al_error err;

    (void)state;
    assert_int_equal(decode("hello", 5, 3, &img, &err), AL_UNSUPPORTED);
    assert_int_equal(decode(NULL, 0, 3, &img, &err), AL_UNSUPPORTED);
    assert_refused("images/animated.webp", AL_UNSUPPORTED, "animated");
}

static void all_six_kinds_of_pnm_decode(void **state)
{
    static const uint8_t gray[] = { 0, 255, 255, 0 };
    static const uint8_t rgb[] = { 1, 2, 3, 250, 251, 252 };
    struct pk_image img;

    (void)state;
    img = decode_text("P1 # bitmap\n2 2\n10\n01", 1);
    assert_pixels(&img, 2, 2, gray);
    img = decode_text("P2\n2 2\n#max\n7\n0 7\n7 0\n", 1);
    assert_pixels(&img, 2, 2, gray);
    img = decode_text("P3 2 1 255\n1 2 3 250 251 252", 3);
    assert_pixels(&img, 2, 1, rgb);
    img = decode_text("P4 2 2\n\xbf\x7f", 1);
    assert_pixels(&img, 2, 2, gray);
    img = decode_text("P5 2 2 1\n\x01\x01\x01\x01", 1);
    assert_pixels(&img, 2, 2, (const uint8_t *)"\xff\xff\xff\xff");
    img = decode_text("P5 1 1 65535\n\x80\x80", 1);
    assert_pixels(&img, 1, 1, (const uint8_t *)"\x80");
    img = decode_text("P6 2 1 255\n\x01\x02\x03\xfa\xfb\xfc", 3);
    assert_pixels(&img, 2, 1, rgb);
}

static void damaged_pnm_says_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *error;
        enum al_status status;
    } cases[] = {
        { "P5 2", "no number at byte 4", AL_INVALID },
        { "P5 2 2 0\n", "maximum of 0", AL_INVALID },
        { "P5 2 2 65536\n", "maximum of 65536", AL_INVALID },
        { "P5 99999999999 2 255\n", "no number", AL_INVALID },
        { "P5 2 2 255", "no space at byte 10", AL_INVALID },
        { "P5 2 2 255\nabc", "2x2 pixels has only 3 bytes", AL_INVALID },
        { "P5 0 2 255\n", "0x2 pixels", AL_INVALID },
        { "P5 -1 2 255\n", "no number", AL_INVALID },
        { "P2 2 2 7\n1 2 3 8", "sample 3 of 4", AL_INVALID },
        { "P1 2 2\n1012", "sample 3 of 4", AL_INVALID },
        { "P3 1 1 255\n1 2 x3", "sample 2 of 3", AL_INVALID },
        { "P6 16000 2000 255\n", "has only 0 bytes", AL_INVALID },
        { "P6 2000000000 2000000000 65535\n", "16384 a side", AL_TOO_LARGE },
        { "P6 16000 16000 65535\n", "33554432 pixels", AL_TOO_LARGE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pk_image img;
        struct al_error err = { 0 };

        assert_int_equal(decode(cases[i].text, strlen(cases[i].text), 3, &img, &err),
                         cases[i].status);
        if (!strstr(err.text, cases[i].error))
            fail_msg("'%s' gives '%s'", cases[i].text, err.text);
    }
}

static void sixteen_bits_keep_their_high_byte(void **state)
{
    struct pk_image img = decode_file("images/deep.png", 1);

    (void)state;
    assert_pixels(&img, 2, 1, (const uint8_t *)"\x80\x01");
}

static void gray_is_repeated_and_colour_becomes_luma(void **state)
{
    struct pk_image img = decode_text("P5 2 1 255\n\x10\xf0", 3);

    (void)state;
    assert_int_equal(img.channels, 3);
    assert_pixels(&img, 2, 1, (const uint8_t *)"\x10\x10\x10\xf0\xf0\xf0");
    img = decode_text("P3 4 1 255\n255 0 0  0 255 0  0 0 255  255 255 255", 1);
    assert_int_equal(img.channels, 1);
    assert_pixels(&img, 4, 1, (const uint8_t *)"\x4c\x96\x1d\xff");
}

static void bombs_are_refused_at_once(void **state)
{
    (void)state;
    assert_refused("images/claim-20000.png", AL_TOO_LARGE, "20000x20000");
    assert_refused("images/ztxt-bomb.png", AL_INVALID, "limits");
    assert_refused("images/iccp-bomb.png", AL_INVALID, "limits");
    assert_refused("images/scans.jpg", AL_TOO_LARGE, "scans is over the limit of 100");
}

/* A film behind the picture, as phones append, and a thumbnail within a segment. */
static void only_the_scans_of_the_image_itself_count(void **state)
{
    uint8_t *whole, segment[1004] = { 0xff, 0xe9, 1002 >> 8, 1002 & 0xff };
    struct pk_image img = { 0 };
    struct al_error err;
    size_t size;
    uint8_t *data = test_file_read("images/gray.jpg", &size);
    struct pk_image want = decode_file("images/gray.jpg", 1);

    (void)state;
    for (size_t i = 4; i < sizeof(segment); i++)
        segment[i] = i % 2 ? 0xda : 0xff;
    whole = malloc(size + 2 * sizeof(segment));
    assert_non_null(whole);
    memcpy(whole, data, 2);
    memcpy(whole + 2, segment, sizeof(segment));
    memcpy(whole + 2 + sizeof(segment), data + 2, size - 2);
    memcpy(whole + size + sizeof(segment), segment, sizeof(segment));
    if (decode(whole, size + 2 * sizeof(segment), 1, &img, &err) != AL_OK)
        fail_msg("%s", err.text);
    assert_pixels(&img, want.width, want.height, want.pixels);
    pk_image_done(&want);
    free(whole);
    free(data);
}

static void limits_are_those_given(void **state)
{
    const struct pk_image_limits narrow = { .max_side = 12, .max_pixels = 1000 };
    const struct pk_image_limits few = { .max_side = 13, .max_pixels = 116 };
    struct pk_image img;
    struct al_error err;

    (void)state;
    for (size_t i = 0; i < N_SOUND; i++) {
        char name[64];
        size_t size;

        (void)snprintf(name, sizeof(name), "images/%s", sound_files[i]);
        uint8_t *data = test_file_read(name, &size);
        assert_int_equal(pk_image_decode(data, size, 3, &narrow, &img, &err),
                         AL_TOO_LARGE);
        assert_non_null(strstr(err.text, "13x9 pixels is over the limit of 12 a side"));
        assert_int_equal(pk_image_decode(data, size, 3, &few, &img, &err), AL_TOO_LARGE);
        assert_non_null(strstr(err.text, "over the limit of 116 pixels"));
        free(data);
    }
}

/* A copy of exactly `size` bytes, so that a sanitizer sees a read past the end. A cut
 * file fails, or lacks only what follows the pixels. */
static void decode_cut(const uint8_t *data, size_t size, const struct pk_image *whole)
{
    struct pk_image img = { 0 };
    struct al_error err;
    uint8_t *cut = malloc(size > 0 ? size : 1);

    assert_non_null(cut);
    memcpy(cut, data, size);
    if (decode(cut, size, 3, &img, &err) == AL_OK)
        assert_pixels(&img, whole->width, whole->height, whole->pixels);
    else
        assert_null(img.pixels);
    free(cut);
}

static void files_cut_at_any_byte_fail_cleanly(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SOUND; i++) {
        char name[64];
        size_t size;

        (void)snprintf(name, sizeof(name), "images/%s", sound_files[i]);
        uint8_t *data = test_file_read(name, &size);
        struct pk_image whole = decode_file(name, 3);
        for (size_t n = 0; n < size; n++)
            decode_cut(data, n, &whole);
        pk_image_done(&whole);
        free(data);
    }
}

static void a_changed_byte_never_crashes(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SOUND; i++) {
        char name[64];
        size_t size;

        (void)snprintf(name, sizeof(name), "images/%s", sound_files[i]);
        uint8_t *data = test_file_read(name, &size);
        for (size_t n = 0; n < size; n++) {
            struct pk_image img = { 0 };
            struct al_error err;

            data[n] ^= 0x5a;
            if (decode(data, size, 1, &img, &err) == AL_OK)
                assert_int_equal(img.channels, 1);
            pk_image_done(&img);
            data[n] ^= 0x5a;
        }
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_decodes_to_its_twin),
        cmocka_unit_test(formats_are_told_by_their_first_bytes),
        cmocka_unit_test(bytes_of_no_format_are_unsupported),
        cmocka_unit_test(all_six_kinds_of_pnm_decode),
        cmocka_unit_test(damaged_pnm_says_what_is_wrong),
        cmocka_unit_test(sixteen_bits_keep_their_high_byte),
        cmocka_unit_test(gray_is_repeated_and_colour_becomes_luma),
        cmocka_unit_test(bombs_are_refused_at_once),
        cmocka_unit_test(only_the_scans_of_the_image_itself_count),
        cmocka_unit_test(limits_are_those_given),
        cmocka_unit_test(files_cut_at_any_byte_fail_cleanly),
        cmocka_unit_test(a_changed_byte_never_crashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
