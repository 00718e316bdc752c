/* From a picture to a model's input: fit, then normalise. */
#include <inttypes.h>
#include <math.h>

#include "package/image.h"
#include "package/resize.h"

uint32_t pk_input_channels(const struct pk_input_spec *spec)
{
    return spec->colour == PK_COLOUR_GRAY ? 1 : 3;
}

size_t pk_input_floats(const struct pk_input_spec *spec)
{
    return (size_t)pk_input_channels(spec) * spec->width * spec->height;
}

float pk_input_value(const struct pk_input_spec *spec, uint32_t channel, double pixel)
{
    return (float)((pixel * spec->scale - spec->mean[channel]) / spec->std[channel]);
}

/* Where the picture lands: the window of the resized picture that is kept, and its place
 * in the input. */
struct placement {
    struct pk_span columns, rows;
    uint32_t left, top;
};

static struct pk_span whole(uint32_t length)
{
    return (struct pk_span){ .full = length, .start = 0, .length = length };
}

/* The middle `length` of `full` pixels; half pixels go to the even side. */
static struct pk_span middle(uint32_t full, uint32_t length)
{
    return (struct pk_span){ .full = full,
                             .start = (uint32_t)rint((full - length) / 2.0),
                             .length = length };
}

static struct placement place_crop(const struct pk_image *src,
                                   const struct pk_input_spec *spec)
{
    uint64_t w = src->width, h = src->height;
    struct placement p = { .columns = whole(spec->width), .rows = whole(spec->height) };

    if (w * spec->height > h * spec->width)
        p.columns = middle((uint32_t)(w * spec->height / h), spec->width);
    else
        p.rows = middle((uint32_t)(h * spec->width / w), spec->height);
    return p;
}

static uint32_t at_least_1(double x)
{
    return x < 1.0 ? 1 : (uint32_t)x;
}

static struct placement place_pad(const struct pk_image *src,
                                  const struct pk_input_spec *spec)
{
    double w = src->width, h = src->height;
    struct placement p = { .columns = whole(spec->width), .rows = whole(spec->height) };

    if (w / h > (double)spec->width / spec->height)
        p.rows = whole(at_least_1(rint(h / w * spec->width)));
    else
        p.columns = whole(at_least_1(rint(w / h * spec->height)));
    p.left = (uint32_t)rint((spec->width - p.columns.length) * 0.5);
    p.top = (uint32_t)rint((spec->height - p.rows.length) * 0.5);
    return p;
}

static struct placement place(const struct pk_image *src,
                              const struct pk_input_spec *spec)
{
    if (spec->fit == PK_FIT_CROP)
        return place_crop(src, spec);
    if (spec->fit == PK_FIT_PAD)
        return place_pad(src, spec);
    return (struct placement){ .columns = whole(spec->width),
                               .rows = whole(spec->height) };
}

/* Writes plane `c` of the input: `values` maps a byte of channel `from` to its float,
 * black surrounds the picture. */
static void fill_plane(const struct pk_image *img, uint32_t from,
                       const struct placement *p, const struct pk_input_spec *spec,
                       const float values[256], float *plane)
{
    const uint8_t *pixel = img->pixels + from;

    if (img->width < spec->width || img->height < spec->height)
        for (size_t i = 0; i < (size_t)spec->width * spec->height; i++)
            plane[i] = values[0];
    for (uint32_t y = 0; y < img->height; y++) {
        float *row = plane + (size_t)(p->top + y) * spec->width + p->left;

        for (uint32_t x = 0; x < img->width; x++, pixel += img->channels)
            row[x] = values[*pixel];
    }
}

static void normalise(const struct pk_image *img, const struct placement *p,
                      const struct pk_input_spec *spec, float *dst)
{
    float values[256];

    for (uint32_t c = 0; c < img->channels; c++) {
        uint32_t from = spec->colour == PK_COLOUR_BGR ? 2 - c : c;

        for (int v = 0; v < 256; v++)
            values[v] = pk_input_value(spec, c, v);
        fill_plane(img, from, p, spec, values,
                   dst + (size_t)c * spec->width * spec->height);
    }
}

enum al_status pk_picture_to_tensor(const struct pk_image *src,
                                    const struct pk_input_spec *spec, float *dst,
                                    struct al_error *err)
{
    struct placement p;
    struct pk_image fitted;
    enum al_status s;

    if (src->channels != pk_input_channels(spec))
        return al_fail(err, AL_INVALID,
                       "picture of %" PRIu32 " channels, the model takes %" PRIu32,
                       src->channels, pk_input_channels(spec));
    p = place(src, spec);
    if (src->width == spec->width && src->height == spec->height) {
        normalise(src, &p, spec, dst);
        return AL_OK;
    }
    s = pk_resize_window(src, p.columns, p.rows, spec->filter, &fitted, err);
    if (s != AL_OK)
        return s;
    normalise(&fitted, &p, spec, dst);
    pk_image_done(&fitted);
    return AL_OK;
}

enum al_status pk_image_to_tensor(const void *data, size_t size,
                                  const struct pk_input_spec *spec,
                                  const struct pk_image_limits *limits, float *dst,
                                  struct al_error *err)
{
    struct pk_image img;
    enum al_status s =
        pk_image_decode(data, size, pk_input_channels(spec), limits, &img, err);

    if (s != AL_OK)
        return s;
    s = pk_picture_to_tensor(&img, spec, dst, err);
    pk_image_done(&img);
    return s;
}
