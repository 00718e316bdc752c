/* decode.h — one decoder per file format, behind pk_image_decode. Each reads the header,
 * asks pk_picture_new whether the size is within the limits, and only then decodes into
 * what the file holds: gray or RGB. Pure; any thread. */
#ifndef PK_DECODE_H
#define PK_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "package/image.h"

struct pk_source {
    const uint8_t *data; /* not owned */
    size_t size;
    const struct pk_image_limits *limits;
};

typedef enum al_status (*pk_decode_fn)(const struct pk_source *src, struct pk_image *ret,
                                       struct al_error *err);

enum al_status pk_decode_jpeg(const struct pk_source *src, struct pk_image *ret,
                              struct al_error *err);
enum al_status pk_decode_png(const struct pk_source *src, struct pk_image *ret,
                             struct al_error *err);
enum al_status pk_decode_webp(const struct pk_source *src, struct pk_image *ret,
                              struct al_error *err);
enum al_status pk_decode_pnm(const struct pk_source *src, struct pk_image *ret,
                             struct al_error *err);

/* Checks a size against the limits and allocates its pixels, uninitialised. `format`
 * names the file format in errors. */
AL_MUST_CHECK enum al_status pk_picture_new(const char *format, uint32_t width,
                                            uint32_t height, uint32_t channels,
                                            const struct pk_image_limits *limits,
                                            struct pk_image *ret, struct al_error *err);
size_t pk_picture_bytes(const struct pk_image *img);

/* colour.c */

/* Makes `img` gray (channels 1) or RGB (3), in place. */
AL_MUST_CHECK enum al_status pk_picture_set_channels(struct pk_image *img,
                                                     uint32_t channels,
                                                     struct al_error *err);
/* `n` pixels of inverted CMYK (Adobe's convention) to RGB; `rgb` may be `cmyk`. */
void pk_cmyk_to_rgb(const uint8_t *cmyk, size_t n, uint8_t *rgb);

#endif
