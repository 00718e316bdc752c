#include <string.h>

#include <turbojpeg.h>

#include "package/decode.h"

/* A scan costs time proportional to the pixels however few bytes it has; encoders make
 * about ten. */
#define MAX_SCANS 100

/* Bit-identical to Pillow's decoder: accurate DCT, smooth chroma upsampling. */
#define FLAGS (TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING)

/* Start-of-scan markers, at least: coded data stuffs every 0xff, so only a thumbnail in a
 * metadata segment can add some. */
static size_t count_scans(const uint8_t *p, size_t size)
{
    const uint8_t *end = p + size;
    size_t n = 0;

    while ((p = memchr(p, 0xff, (size_t)(end - p)))) {
        if (++p == end)
            break;
        n += *p == 0xda;
    }
    return n;
}

static enum al_status fail(tjhandle tj, struct al_error *err)
{
    return al_fail(err, AL_INVALID, "JPEG image does not decode: %s", tjGetErrorStr2(tj));
}

/* CMYK goes through a buffer of its own: four bytes a pixel shrink to three. */
static enum al_status decode_cmyk(tjhandle tj, const struct pk_source *src,
                                  struct pk_image *img, struct al_error *err)
{
    struct pk_image cmyk;
    enum al_status s =
        pk_picture_new("JPEG", img->width, img->height, 4, src->limits, &cmyk, err);

    if (s != AL_OK)
        return s;
    if (tjDecompress2(tj, src->data, src->size, cmyk.pixels, (int)img->width, 0,
                      (int)img->height, TJPF_CMYK, FLAGS) == 0)
        pk_cmyk_to_rgb(cmyk.pixels, (size_t)img->width * img->height, img->pixels);
    else
        s = fail(tj, err);
    pk_image_done(&cmyk);
    return s;
}

static enum al_status decode_pixels(tjhandle tj, const struct pk_source *src, int space,
                                    struct pk_image *img, struct al_error *err)
{
    int format = space == TJCS_GRAY ? TJPF_GRAY : TJPF_RGB;

    if (space == TJCS_CMYK || space == TJCS_YCCK)
        return decode_cmyk(tj, src, img, err);
    if (tjDecompress2(tj, src->data, src->size, img->pixels, (int)img->width, 0,
                      (int)img->height, format, FLAGS) != 0)
        return fail(tj, err);
    return AL_OK;
}

static enum al_status decode(tjhandle tj, const struct pk_source *src,
                             struct pk_image *ret, struct al_error *err)
{
    struct pk_image img;
    int width, height, subsampling, space;
    size_t n_scans = count_scans(src->data, src->size);
    enum al_status s;

    if (tjDecompressHeader3(tj, src->data, src->size, &width, &height, &subsampling,
                            &space) != 0)
        return fail(tj, err);
    if (n_scans > MAX_SCANS)
        return al_fail(err, AL_TOO_LARGE,
                       "JPEG image of %zu scans is over the limit of %d", n_scans,
                       MAX_SCANS);
    s = pk_picture_new("JPEG", (uint32_t)width, (uint32_t)height,
                       space == TJCS_GRAY ? 1 : 3, src->limits, &img, err);
    if (s != AL_OK)
        return s;
    s = decode_pixels(tj, src, space, &img, err);
    if (s != AL_OK) {
        pk_image_done(&img);
        return s;
    }
    *ret = img;
    return AL_OK;
}

enum al_status pk_decode_jpeg(const struct pk_source *src, struct pk_image *ret,
                              struct al_error *err)
{
    tjhandle tj = tjInitDecompress();
    enum al_status s;

    if (!tj)
        return al_fail(err, AL_NO_MEMORY, "JPEG decoder");
    s = decode(tj, src, ret, err);
    (void)tjDestroy(tj);
    return s;
}
