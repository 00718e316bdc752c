#include <spng.h>

#include "package/decode.h"

/* Text and colour profiles are inflated while the header is read: bounded, or a few
 * bytes become gigabytes. */
#define MAX_CHUNK_BYTES (1u << 20)

static enum al_status fail(int code, struct al_error *err)
{
    return al_fail(err, AL_INVALID, "PNG image does not decode: %s", spng_strerror(code));
}

static enum al_status decode(spng_ctx *ctx, const struct pk_source *src,
                             struct pk_image *ret, struct al_error *err)
{
    struct spng_ihdr ihdr;
    struct pk_image img;
    enum al_status s;
    int code = spng_get_ihdr(ctx, &ihdr);

    if (code != 0)
        return fail(code, err);
    bool gray = ihdr.color_type == SPNG_COLOR_TYPE_GRAYSCALE && ihdr.bit_depth <= 8;
    s = pk_picture_new("PNG", ihdr.width, ihdr.height, gray ? 1 : 3, src->limits, &img,
                       err);
    if (s != AL_OK)
        return s;
    code = spng_decode_image(ctx, img.pixels, pk_picture_bytes(&img),
                             gray ? SPNG_FMT_G8 : SPNG_FMT_RGB8, 0);
    if (code != 0) {
        pk_image_done(&img);
        return fail(code, err);
    }
    *ret = img;
    return AL_OK;
}

enum al_status pk_decode_png(const struct pk_source *src, struct pk_image *ret,
                             struct al_error *err)
{
    spng_ctx *ctx = spng_ctx_new(0);
    enum al_status s;

    if (!ctx)
        return al_fail(err, AL_NO_MEMORY, "PNG decoder");
    if (spng_set_chunk_limits(ctx, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES) != 0 ||
        spng_set_png_buffer(ctx, src->data, src->size) != 0)
        s = al_fail(err, AL_INTERNAL, "PNG decoder refuses its set-up");
    else
        s = decode(ctx, src, ret, err);
    spng_ctx_free(ctx);
    return s;
}
