/* An IDX pair "images,labels" (the format of MNIST): unsigned bytes, gz or not. Pictures
 * are [n][height][width] gray or [n][height][width][3] colour and are read as PNM. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "engine/base/check.h"
#include "engine/base/reader.h"
#include "tools/data_source.h"

enum {
    UNSIGNED_BYTE = 0x08,
    MAX_RANK = 4
};

struct idx {
    size_t rank;
    uint32_t dims[MAX_RANK];
    size_t n_bytes;
    uint8_t *data;
};

struct tl_source {
    struct idx images;
    char pnm_header[64];
};

/* Reads exactly `size` bytes. */
static enum al_status gz_read(gzFile f, void *data, size_t size, struct al_error *err)
{
    for (size_t at = 0; at < size;) {
        const size_t want = size - at < (1U << 30) ? size - at : 1U << 30;
        const int n = gzread(f, (uint8_t *)data + at, (unsigned)want);

        if (n <= 0)
            return al_fail(err, AL_INVALID, "ends after %zu of %zu bytes", at, size);
        at += (size_t)n;
    }
    return AL_OK;
}

static enum al_status read_idx_header(gzFile f, size_t rank_low, size_t rank_high,
                                      struct idx *ret, struct al_error *err)
{
    uint8_t head[4], dims[4 * MAX_RANK];
    enum al_status s = gz_read(f, head, sizeof(head), err);

    if (s != AL_OK)
        return s;
    if (head[0] || head[1] || head[2] != UNSIGNED_BYTE)
        return al_fail(err, AL_INVALID,
                       "not an IDX file of bytes (magic %02x%02x%02x%02x)", head[0],
                       head[1], head[2], head[3]);
    ret->rank = head[3];
    if (ret->rank < rank_low || ret->rank > rank_high)
        return al_fail(err, AL_INVALID, "%zu dimensions; %zu to %zu are wanted",
                       ret->rank, rank_low, rank_high);
    s = gz_read(f, dims, 4 * ret->rank, err);
    if (s != AL_OK)
        return s;
    struct al_reader r = al_reader_of(dims, 4 * ret->rank);

    ret->n_bytes = 1;
    for (size_t i = 0; i < ret->rank; i++) {
        if (!al_reader_u32be(&r, &ret->dims[i]) ||
            !al_mul(ret->n_bytes, ret->dims[i], &ret->n_bytes))
            return al_fail(err, AL_TOO_LARGE, "dimension %zu is %u", i, ret->dims[i]);
    }
    return AL_OK;
}

/* Grows with what the file really holds, not with what its header claims. */
static enum al_status read_idx_data(gzFile f, struct idx *idx, struct al_error *err)
{
    size_t have = 0;

    while (have < idx->n_bytes) {
        const size_t step = have > (1U << 20) ? have : 1U << 20;
        const size_t next = idx->n_bytes - have < step ? idx->n_bytes : have + step;
        uint8_t *data = realloc(idx->data, next);

        if (!data)
            return al_fail(err, AL_NO_MEMORY, "%zu bytes", next);
        idx->data = data;
        const enum al_status s = gz_read(f, data + have, next - have, err);

        if (s != AL_OK)
            return s;
        have = next;
    }
    if (gzgetc(f) >= 0)
        return al_fail(err, AL_INVALID, "goes on after the %zu bytes it declares", have);
    return AL_OK;
}

static enum al_status read_idx(const char *path, size_t rank_low, size_t rank_high,
                               struct idx *ret, struct al_error *err)
{
    gzFile f = gzopen(path, "rbe");

    if (!f)
        return al_fail(err, AL_IO, "%s: %s", path, strerrordesc_np(errno));
    enum al_status s = read_idx_header(f, rank_low, rank_high, ret, err);

    if (s == AL_OK)
        s = read_idx_data(f, ret, err);
    (void)gzclose(f);
    return s == AL_OK ? AL_OK : al_error_prefix(err, s, "%s", path);
}

static enum al_status describe_picture(struct tl_source *source, struct al_error *err)
{
    const uint32_t *d = source->images.dims;
    const uint32_t channels = source->images.rank == 4 ? d[3] : 1;

    if (channels != 1 && channels != 3)
        return al_fail(err, AL_UNSUPPORTED, "pictures of %u channels", channels);
    if (d[1] == 0 || d[2] == 0)
        return al_fail(err, AL_INVALID, "pictures of %u x %u pixels", d[2], d[1]);
    (void)snprintf(source->pnm_header, sizeof(source->pnm_header), "P%c\n%u %u\n255\n",
                   channels == 1 ? '5' : '6', d[2], d[1]);
    return AL_OK;
}

static enum al_status list_samples(const struct idx *images, const struct idx *labels,
                                   struct tl_list *list, struct al_error *err)
{
    const size_t n = images->dims[0];
    enum al_status s = AL_OK;

    if (n != labels->dims[0])
        return al_fail(err, AL_INVALID, "%zu pictures but %u labels", n, labels->dims[0]);
    for (size_t i = 0; s == AL_OK && i < n; i++) {
        const size_t size = images->n_bytes / n;
        const struct tl_item item = { .label = labels->data[i],
                                      .offset = i * size,
                                      .size = size };

        s = tl_list_add(list, &item, err);
    }
    return s;
}

static enum al_status idx_open(const char *spec, struct tl_list *list,
                               struct tl_source **ret, struct al_error *err)
{
    const char *comma = strchr(spec, ',');
    char *images_path = strndup(spec, (size_t)(comma - spec));
    struct tl_source *source = calloc(1, sizeof(*source));
    struct idx labels = { .rank = 0 };
    enum al_status s = AL_OK;

    *ret = source;
    if (!images_path || !source)
        s = al_fail(err, AL_NO_MEMORY, "IDX pair");
    if (s == AL_OK)
        s = read_idx(images_path, 3, 4, &source->images, err);
    if (s == AL_OK)
        s = describe_picture(source, err);
    if (s == AL_OK)
        s = read_idx(comma + 1, 1, 1, &labels, err);
    if (s == AL_OK)
        s = list_samples(&source->images, &labels, list, err);
    free(labels.data);
    free(images_path);
    return s;
}

static enum al_status idx_read(const struct tl_source *s, const struct tl_item *item,
                               struct tl_buffer *buf, struct al_error *err)
{
    const size_t n = strlen(s->pnm_header);
    const enum al_status status = tl_buffer_reserve(buf, n + item->size, err);

    if (status != AL_OK)
        return status;
    memcpy(buf->data, s->pnm_header, n);
    memcpy(buf->data + n, s->images.data + item->offset, item->size);
    return AL_OK;
}

static void idx_close(struct tl_source *s)
{
    free(s->images.data);
    free(s);
}

const struct tl_source_kind tl_source_idx = { idx_open, idx_read, idx_close };
