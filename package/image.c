#include "package/image.h"

#include <inttypes.h>
#include <stdlib.h>

#include "engine/base/check.h"
#include "package/decode.h"

struct pk_image_limits pk_image_limits_default(void)
{
    return (struct pk_image_limits){ .max_side = 16384, .max_pixels = UINT64_C(1) << 25 };
}

void pk_image_done(struct pk_image *img)
{
    if (!img)
        return;
    free(img->pixels);
    *img = (struct pk_image){ 0 };
}

size_t pk_picture_bytes(const struct pk_image *img)
{
    return (size_t)img->width * img->height * img->channels;
}

static enum al_status check_size(const char *format, uint32_t width, uint32_t height,
                                 const struct pk_image_limits *limits,
                                 struct al_error *err)
{
    if (width == 0 || height == 0)
        return al_fail(err, AL_INVALID, "%s image of %" PRIu32 "x%" PRIu32 " pixels",
                       format, width, height);
    if (width > limits->max_side || height > limits->max_side)
        return al_fail(err, AL_TOO_LARGE,
                       "%s image of %" PRIu32 "x%" PRIu32
                       " pixels is over the limit of %" PRIu32 " a side",
                       format, width, height, limits->max_side);
    if ((uint64_t)width * height > limits->max_pixels)
        return al_fail(err, AL_TOO_LARGE,
                       "%s image of %" PRIu32 "x%" PRIu32
                       " pixels is over the limit of %" PRIu64 " pixels",
                       format, width, height, limits->max_pixels);
    return AL_OK;
}

enum al_status pk_picture_new(const char *format, uint32_t width, uint32_t height,
                              uint32_t channels, const struct pk_image_limits *limits,
                              struct pk_image *ret, struct al_error *err)
{
    struct pk_image img = { .width = width, .height = height, .channels = channels };
    size_t n_pixels, size_bytes;
    enum al_status s = check_size(format, width, height, limits, err);

    if (s != AL_OK)
        return s;
    if (al_mul(width, height, &n_pixels) && al_mul(n_pixels, channels, &size_bytes))
        img.pixels = malloc(size_bytes);
    if (!img.pixels)
        return al_fail(err, AL_NO_MEMORY, "%s image of %" PRIu32 "x%" PRIu32 " pixels",
                       format, width, height);
    *ret = img;
    return AL_OK;
}

enum al_status pk_image_decode(const void *data, size_t size, uint32_t channels,
                               const struct pk_image_limits *limits, struct pk_image *ret,
                               struct al_error *err)
{
    static const pk_decode_fn decoders[] = {
        [PK_FORMAT_JPEG] = pk_decode_jpeg,
        [PK_FORMAT_PNG] = pk_decode_png,
        [PK_FORMAT_WEBP] = pk_decode_webp,
        [PK_FORMAT_PNM] = pk_decode_pnm,
    };
    const struct pk_source src = { .data = data, .size = size, .limits = limits };
    pk_decode_fn decode = decoders[pk_image_format(data, size)];
    struct pk_image img = { 0 };
    enum al_status s;

    if (!decode)
        return al_fail(err, AL_UNSUPPORTED,
                       "%zu bytes that are no JPEG, PNG, WebP or PNM image", size);
    s = decode(&src, &img, err);
    if (s == AL_OK)
        s = pk_picture_set_channels(&img, channels, err);
    if (s != AL_OK) {
        pk_image_done(&img);
        return s;
    }
    *ret = img;
    return AL_OK;
}
