/* Netpbm's P1..P6 (pbm(5), pgm(5), ppm(5)): a text header, then samples as text or
 * bytes. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "engine/base/reader.h"
#include "package/decode.h"

enum {
    MAX_SAMPLE = 65535
};

struct pnm {
    struct al_reader in;
    bool bitmap; /* P1, P4: a set bit is black */
    bool text;   /* P1, P2, P3 */
    uint32_t width, height, channels;
    uint32_t max_sample;
};

static bool is_space(uint8_t c)
{
    return c != '\0' && strchr(" \t\r\n\v\f", c);
}

/* Skips white space and comments. */
static void skip_space(struct al_reader *r)
{
    bool comment = false;

    for (; al_reader_left(r) > 0; r->pos++) {
        uint8_t c = r->data[r->pos];

        if (c == '#')
            comment = true;
        else if (c == '\n' || c == '\r')
            comment = false;
        else if (!comment && !is_space(c))
            return;
    }
}

/* A decimal number up to 2^31. */
static bool read_number(struct al_reader *r, uint32_t *ret)
{
    uint64_t value = 0;
    size_t start;

    skip_space(r);
    start = r->pos;
    for (; al_reader_left(r) > 0; r->pos++) {
        uint8_t c = r->data[r->pos];

        if (c < '0' || c > '9')
            break;
        value = 10 * value + (c - '0');
        if (value > INT32_MAX)
            return false;
    }
    *ret = (uint32_t)value;
    return r->pos > start;
}

static enum al_status read_header(struct pnm *p, struct al_error *err)
{
    char kind = (char)p->in.data[1];
    uint8_t space;

    p->in.pos = 2;
    p->text = kind <= '3';
    p->bitmap = kind == '1' || kind == '4';
    p->channels = kind == '3' || kind == '6' ? 3 : 1;
    p->max_sample = 1;
    if (!read_number(&p->in, &p->width) || !read_number(&p->in, &p->height) ||
        (!p->bitmap && !read_number(&p->in, &p->max_sample)))
        return al_fail(err, AL_INVALID, "PNM header: no number at byte %zu", p->in.pos);
    if (p->max_sample == 0 || p->max_sample > MAX_SAMPLE)
        return al_fail(err, AL_INVALID,
                       "PNM header: maximum of %" PRIu32 " is not in 1..65535",
                       p->max_sample);
    if (!al_reader_u8(&p->in, &space) || !is_space(space))
        return al_fail(err, AL_INVALID, "PNM header: no space at byte %zu", p->in.pos);
    return AL_OK;
}

/* Bytes the samples need, at least. */
static uint64_t needed_bytes(const struct pnm *p)
{
    uint64_t row = (uint64_t)p->width * p->channels;

    if (p->text)
        return row * p->height;
    if (p->bitmap)
        return (row + 7) / 8 * p->height;
    return row * p->height * (p->max_sample > 255 ? 2 : 1);
}

static bool read_text_bit(struct al_reader *r, uint32_t *ret)
{
    uint8_t c;

    skip_space(r);
    if (!al_reader_u8(r, &c) || (c != '0' && c != '1'))
        return false;
    *ret = c == '0';
    return true;
}

static bool read_sample(struct pnm *p, uint32_t *ret)
{
    uint8_t high = 0, low;

    if (p->text)
        return p->bitmap ? read_text_bit(&p->in, ret) : read_number(&p->in, ret);
    if (p->max_sample > 255 && !al_reader_u8(&p->in, &high))
        return false;
    if (!al_reader_u8(&p->in, &low))
        return false;
    *ret = (uint32_t)high << 8 | low;
    return true;
}

static enum al_status read_samples(struct pnm *p, struct pk_image *img,
                                   struct al_error *err)
{
    size_t n = pk_picture_bytes(img);
    uint32_t v;

    for (size_t i = 0; i < n; i++) {
        if (!read_sample(p, &v) || v > p->max_sample)
            return al_fail(err, AL_INVALID,
                           "PNM image: sample %zu of %zu is missing or over %" PRIu32, i,
                           n, p->max_sample);
        img->pixels[i] = (uint8_t)rint((double)v / p->max_sample * 255); /* as Pillow */
    }
    return AL_OK;
}

/* P4: eight pixels a byte, the highest bit leftmost, rows padded to bytes. */
static void unpack_bits(struct pnm *p, struct pk_image *img)
{
    const uint8_t *bits = p->in.data + p->in.pos;
    size_t stride = ((size_t)p->width + 7) / 8;

    for (size_t y = 0; y < p->height; y++) {
        for (size_t x = 0; x < p->width; x++) {
            bool black = bits[y * stride + x / 8] >> (7 - x % 8) & 1;
            img->pixels[y * p->width + x] = black ? 0 : 255;
        }
    }
}

static enum al_status read_pixels(struct pnm *p, struct pk_image *img,
                                  struct al_error *err)
{
    if (p->text || p->max_sample > 255 || !(p->bitmap || p->max_sample == 255))
        return read_samples(p, img, err);
    if (p->bitmap)
        unpack_bits(p, img);
    else
        memcpy(img->pixels, p->in.data + p->in.pos, pk_picture_bytes(img));
    return AL_OK;
}

/* What the header claims must be there before the pixels' memory is touched. */
static enum al_status check_claim(const struct pnm *p, struct al_error *err)
{
    if (needed_bytes(p) > al_reader_left(&p->in))
        return al_fail(err, AL_INVALID,
                       "PNM image of %" PRIu32 "x%" PRIu32 " pixels has only %zu bytes",
                       p->width, p->height, al_reader_left(&p->in));
    return AL_OK;
}

enum al_status pk_decode_pnm(const struct pk_source *src, struct pk_image *ret,
                             struct al_error *err)
{
    struct pnm p = { .in = al_reader_of(src->data, src->size) };
    struct pk_image img = { 0 };
    enum al_status s = read_header(&p, err);

    if (s == AL_OK)
        s = pk_picture_new("PNM", p.width, p.height, p.channels, src->limits, &img, err);
    if (s == AL_OK)
        s = check_claim(&p, err);
    if (s == AL_OK)
        s = read_pixels(&p, &img, err);
    if (s != AL_OK) {
        pk_image_done(&img);
        return s;
    }
    *ret = img;
    return AL_OK;
}
