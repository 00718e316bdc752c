#include <webp/decode.h>

#include "package/decode.h"

enum al_status pk_decode_webp(const struct pk_source *src, struct pk_image *ret,
                              struct al_error *err)
{
    WebPBitstreamFeatures head;
    struct pk_image img;
    enum al_status s;

    if (WebPGetFeatures(src->data, src->size, &head) != VP8_STATUS_OK)
        return al_fail(err, AL_INVALID, "WebP image has no readable header");
    if (head.has_animation)
        return al_fail(err, AL_UNSUPPORTED, "animated WebP image");
    s = pk_picture_new("WebP", (uint32_t)head.width, (uint32_t)head.height, 3,
                       src->limits, &img, err);
    if (s != AL_OK)
        return s;
    if (!WebPDecodeRGBInto(src->data, src->size, img.pixels, pk_picture_bytes(&img),
                           3 * head.width)) {
        pk_image_done(&img);
        return al_fail(err, AL_INVALID, "WebP image of %dx%d pixels does not decode",
                       head.width, head.height);
    }
    *ret = img;
    return AL_OK;
}
