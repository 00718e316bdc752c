/* image.h — encoded picture in, model input out. JPEG (libjpeg-turbo), PNG (libspng),
 * WebP (libwebp) and PNM, told apart by their first bytes. Input is hostile: every limit
 * is checked against the header before a pixel is allocated. Stateless; any thread. */
#ifndef PK_IMAGE_H
#define PK_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

enum pk_format {
    PK_FORMAT_UNKNOWN,
    PK_FORMAT_JPEG,
    PK_FORMAT_PNG,
    PK_FORMAT_WEBP,
    PK_FORMAT_PNM
};

enum pk_format pk_image_format(const void *data, size_t size);

struct pk_image_limits {
    uint32_t max_side; /* pixels, at most 65535 */
    uint64_t max_pixels;
};
/* 16384 a side, 2^25 pixels: what phones and cameras make, and 100 MB at most. */
struct pk_image_limits pk_image_limits_default(void);

/* 8-bit picture, rows top to bottom without gaps. */
struct pk_image {
    uint32_t width, height;
    uint32_t channels; /* 1 gray, 3 RGB */
    uint8_t *pixels;   /* owned; free with pk_image_done */
};

/* `channels` 1 or 3: what the model wants; colour pictures become gray by ITU-R 601 luma
 * as Pillow's convert("L") does, gray ones are repeated, alpha is dropped, 16-bit samples
 * of PNG keep their high byte, PNM's are scaled to 255, orientation tags are ignored. AL_UNSUPPORTED: not an image we
 * decode. AL_INVALID: does not decode. AL_TOO_LARGE: limits. */
AL_MUST_CHECK enum al_status pk_image_decode(const void *data, size_t size,
                                             uint32_t channels,
                                             const struct pk_image_limits *limits,
                                             struct pk_image *ret, struct al_error *err);
void pk_image_done(struct pk_image *img);

enum pk_filter {
    PK_FILTER_NEAREST,
    PK_FILTER_BILINEAR,
    PK_FILTER_BICUBIC,
    PK_FILTER_LANCZOS,
    PK_N_FILTERS
};
enum pk_fit {
    PK_FIT_STRETCH,
    PK_FIT_CROP,
    PK_FIT_PAD,
    PK_N_FITS
};
enum pk_colour {
    PK_COLOUR_GRAY,
    PK_COLOUR_RGB,
    PK_COLOUR_BGR,
    PK_N_COLOURS
};

/* Antialiased separable resize of 8-bit pictures, Pillow's scheme and bit-identical to it
 * (22-bit fixed-point coefficients, horizontal pass first into 8 bits, then vertical). */
AL_MUST_CHECK enum al_status pk_image_resize(const struct pk_image *src, uint32_t width,
                                             uint32_t height, enum pk_filter filter,
                                             struct pk_image *ret, struct al_error *err);

/* How a model is fed. */
struct pk_input_spec {
    uint32_t width, height; /* 1..PK_MAX_INPUT_SIDE */
    enum pk_colour colour;
    enum pk_fit fit;
    enum pk_filter filter;
    double scale;
    double mean[3], std[3]; /* (pixel * scale - mean) / std, per channel of the model */
};
#define PK_MAX_INPUT_SIDE 8192

/* 1 or 3. */
uint32_t pk_input_channels(const struct pk_input_spec *spec);
/* Floats of one row: channels * height * width. */
size_t pk_input_floats(const struct pk_input_spec *spec);
/* The model's float of a pixel's value in one of its channels: computed in double and
 * rounded once. */
float pk_input_value(const struct pk_input_spec *spec, uint32_t channel, double pixel);

/* Fits a picture and normalises it into `dst`: [channels][height][width] floats.
 * stretch: to the size, whatever the aspect ratio. crop: covers the size and loses what
 * stands out on both sides (torchvision's Resize and CenterCrop). pad: fits inside and is
 * centred on black (Pillow's ImageOps.pad). `src` has pk_input_channels() channels. */
AL_MUST_CHECK enum al_status pk_picture_to_tensor(const struct pk_image *src,
                                                  const struct pk_input_spec *spec,
                                                  float *dst, struct al_error *err);

/* Decodes, fits and normalises. */
AL_MUST_CHECK enum al_status pk_image_to_tensor(const void *data, size_t size,
                                                const struct pk_input_spec *spec,
                                                const struct pk_image_limits *limits,
                                                float *dst, struct al_error *err);

#endif
