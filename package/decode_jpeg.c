#include <stdbool.h>
#include <string.h>

#include <turbojpeg.h>

#include "engine/base/reader.h"
#include "package/decode.h"

/* A scan costs time proportional to the pixels however few bytes it has; encoders make
 * about ten. */
#define MAX_SCANS 100

/* Bit-identical to Pillow's decoder: accurate DCT, smooth chroma upsampling. */
#define FLAGS (TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING)

/* Markers of ITU-T T.81, B.1.1.3. */
enum {
    STUFFING = 0x00,
    TEM = 0x01,
    RST0 = 0xd0,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda
};

/* The next marker but restarts, which belong to coded data as stuffed bytes do. */
static bool next_marker(struct al_reader *r, uint8_t *ret)
{
    for (;;) {
        const uint8_t *from = r->data + r->pos;
        const uint8_t *found = memchr(from, 0xff, al_reader_left(r));
        uint8_t c = 0xff;

        if (!found)
            return false;
        r->pos += (size_t)(found - from);
        while (c == 0xff) /* any number of them may come first */
            if (!al_reader_u8(r, &c))
                return false;
        if (c != STUFFING && (c < RST0 || c >= SOI)) {
            *ret = c;
            return true;
        }
    }
}

/* Moves past the segment of a marker that has one: its length counts itself. */
static bool skip_segment(struct al_reader *r, uint8_t marker)
{
    const uint8_t *skipped;
    uint8_t high, low;

    if (marker == SOI || marker == TEM)
        return true;
    if (!al_reader_u8(r, &high) || !al_reader_u8(r, &low))
        return false;
    const size_t length = (size_t)high << 8 | low;

    return length >= 2 && al_reader_bytes(r, length - 2, &skipped);
}

/* What lies in segments (thumbnails) or behind the image (films that phones append) does
 * not count. */
static size_t count_scans(const uint8_t *data, size_t size)
{
    struct al_reader r = al_reader_of(data, size);
    uint8_t marker;
    size_t n = 0;

    while (next_marker(&r, &marker) && marker != EOI) {
        n += marker == SOS;
        if (!skip_segment(&r, marker))
            break;
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
