#include "package/resize.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "package/decode.h"
#include "package/taps.h"

/* Rounds a fixed-point sum to a byte; filters with negative lobes over- and undershoot.
 */
static inline uint8_t to_byte(int32_t sum)
{
    int32_t v = (sum + (1 << (PK_TAP_BITS - 1))) >> PK_TAP_BITS;

    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void row_gray(const struct pk_taps *t, const uint8_t *src, uint8_t *dst)
{
    for (uint32_t x = 0; x < t->length; x++) {
        const struct pk_tap *tap = &t->taps[x];
        int32_t sum = 0;

        for (uint32_t k = 0; k < tap->n; k++)
            sum += src[tap->first + k] * tap->weights[k];
        dst[x] = to_byte(sum);
    }
}

static void row_rgb(const struct pk_taps *t, const uint8_t *src, uint8_t *dst)
{
    for (uint32_t x = 0; x < t->length; x++) {
        const struct pk_tap *tap = &t->taps[x];
        const uint8_t *p = src + 3 * (size_t)tap->first;
        uint8_t *to = dst + 3 * (size_t)x;
        int32_t r = 0, g = 0, b = 0;

        for (uint32_t k = 0; k < tap->n; k++, p += 3) {
            r += p[0] * tap->weights[k];
            g += p[1] * tap->weights[k];
            b += p[2] * tap->weights[k];
        }
        to[0] = to_byte(r);
        to[1] = to_byte(g);
        to[2] = to_byte(b);
    }
}

/* `dst` has the rows of `src` from `first_row` on. */
static void pass_horizontal(const struct pk_taps *t, const struct pk_image *src,
                            uint32_t first_row, struct pk_image *dst)
{
    size_t src_stride = (size_t)src->width * src->channels;
    size_t dst_stride = (size_t)dst->width * dst->channels;

    for (uint32_t y = 0; y < dst->height; y++) {
        const uint8_t *from = src->pixels + (first_row + y) * src_stride;
        uint8_t *to = dst->pixels + y * dst_stride;

        if (src->channels == 1)
            row_gray(t, from, to);
        else
            row_rgb(t, from, to);
    }
}

/* Row y of `dst` from rows of `src`, whose row 0 is the source's row `first_row`. `sums`
 * holds one row. */
static void pass_vertical(const struct pk_taps *t, const struct pk_image *src,
                          uint32_t first_row, int32_t *restrict sums,
                          struct pk_image *dst)
{
    size_t stride = (size_t)src->width * src->channels;

    for (uint32_t y = 0; y < t->length; y++) {
        const struct pk_tap *tap = &t->taps[y];
        const uint8_t *from = src->pixels + (tap->first - first_row) * stride;
        uint8_t *to = dst->pixels + y * stride;

        memset(sums, 0, stride * sizeof(*sums));
        for (uint32_t k = 0; k < tap->n; k++, from += stride)
            for (size_t x = 0; x < stride; x++)
                sums[x] += from[x] * tap->weights[k];
        for (size_t x = 0; x < stride; x++)
            to[x] = to_byte(sums[x]);
    }
}

static enum al_status picture_like(const struct pk_image *like, uint32_t width,
                                   uint32_t height, struct pk_image *ret,
                                   struct al_error *err)
{
    const struct pk_image_limits none = { UINT32_MAX, UINT64_MAX };

    return pk_picture_new("resized", width, height, like->channels, &none, ret, err);
}

/* Both passes; the rows the second one reads are all that the first one makes. */
static enum al_status resample(const struct pk_image *src, const struct pk_taps *columns,
                               const struct pk_taps *rows, struct pk_image *ret,
                               struct al_error *err)
{
    const struct pk_tap *last = &rows->taps[rows->length - 1];
    uint32_t first_row = rows->taps[0].first;
    struct pk_image middle = { 0 };
    int32_t *sums = calloc(columns->length, src->channels * sizeof(*sums));
    enum al_status s;

    if (!sums)
        return al_fail(err, AL_NO_MEMORY, "resize to %u columns", columns->length);
    s = picture_like(src, columns->length, last->first + last->n - first_row, &middle,
                     err);
    if (s == AL_OK)
        s = picture_like(src, columns->length, rows->length, ret, err);
    if (s == AL_OK) {
        pass_horizontal(columns, src, first_row, &middle);
        pass_vertical(rows, &middle, first_row, sums, ret);
    }
    free(sums);
    pk_image_done(&middle);
    return s;
}

static bool is_whole(uint32_t n, struct pk_span s)
{
    return s.full == n && s.start == 0 && s.length == n;
}

static enum al_status copy(const struct pk_image *src, struct pk_image *ret,
                           struct al_error *err)
{
    enum al_status s = picture_like(src, src->width, src->height, ret, err);

    if (s == AL_OK)
        memcpy(ret->pixels, src->pixels, pk_picture_bytes(src));
    return s;
}

enum al_status pk_resize_window(const struct pk_image *src, struct pk_span columns,
                                struct pk_span rows, enum pk_filter filter,
                                struct pk_image *ret, struct al_error *err)
{
    struct pk_taps across = { 0 }, down = { 0 };
    enum al_status s;

    if (is_whole(src->width, columns) && is_whole(src->height, rows))
        return copy(src, ret, err);
    s = pk_taps_init(&across, src->width, columns, filter, err);
    if (s == AL_OK)
        s = pk_taps_init(&down, src->height, rows, filter, err);
    if (s == AL_OK)
        s = resample(src, &across, &down, ret, err);
    pk_taps_done(&across);
    pk_taps_done(&down);
    return s;
}

enum al_status pk_image_resize(const struct pk_image *src, uint32_t width,
                               uint32_t height, enum pk_filter filter,
                               struct pk_image *ret, struct al_error *err)
{
    if (width == 0 || height == 0)
        return al_fail(err, AL_INVALID, "resize to %ux%u pixels", width, height);
    return pk_resize_window(src, (struct pk_span){ width, 0, width },
                            (struct pk_span){ height, 0, height }, filter, ret, err);
}
