#include <stdlib.h>

#include "engine/base/check.h"
#include "package/decode.h"

/* ITU-R BT.601 luma in 16-bit fixed point, rounded: Pillow's convert("L"). */
static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 0x8000u) >>
                     16);
}

static void to_gray(struct pk_image *img)
{
    size_t n = (size_t)img->width * img->height;

    for (size_t i = 0; i < n; i++)
        img->pixels[i] = luma(img->pixels + 3 * i);
    img->channels = 1;
}

static enum al_status to_rgb(struct pk_image *img, struct al_error *err)
{
    size_t n = (size_t)img->width * img->height;
    size_t size_bytes;
    uint8_t *p = NULL;

    if (al_mul(n, 3, &size_bytes))
        p = realloc(img->pixels, size_bytes);
    if (!p)
        return al_fail(err, AL_NO_MEMORY, "image of %zu pixels", n);
    img->pixels = p;
    for (size_t i = n; i-- > 0;) /* backwards: the gray bytes lie in front */
        p[3 * i] = p[3 * i + 1] = p[3 * i + 2] = p[i];
    img->channels = 3;
    return AL_OK;
}

enum al_status pk_picture_set_channels(struct pk_image *img, uint32_t channels,
                                       struct al_error *err)
{
    if (img->channels == 1 && channels == 3)
        return to_rgb(img, err);
    if (img->channels == 3 && channels == 1)
        to_gray(img);
    return AL_OK;
}

/* a * b / 255, rounded; exact for bytes. */
static uint32_t mul_div_255(uint32_t a, uint32_t b)
{
    uint32_t t = a * b + 128;

    return (t + (t >> 8)) >> 8;
}

void pk_cmyk_to_rgb(const uint8_t *cmyk, size_t n, uint8_t *rgb)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *in = cmyk + 4 * i;
        uint32_t white = in[3]; /* inverted black */

        for (size_t c = 0; c < 3; c++)
            rgb[3 * i + c] = (uint8_t)(white - mul_div_255(255u - in[c], white));
    }
}
