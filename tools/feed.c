#include "tools/feed.h"

static const struct pk_image_limits limits = { .max_side = 16384,
                                               .max_pixels = (uint64_t)1 << 26 };

enum al_status tl_feed_open(const struct pk_package *p, const char *spec, size_t limit,
                            struct tl_data **ret, struct al_error *err)
{
    const struct tl_data_params params = { .spec = spec,
                                           .labels = p->n_labels ? p->labels : NULL,
                                           .n_classes = p->n_classes,
                                           .limit = limit };

    return tl_data_open(&params, ret, err);
}

enum al_status tl_feed_row(const struct pk_package *p, const struct tl_data *d, size_t i,
                           struct tl_buffer *buf, float *dst, struct al_error *err)
{
    enum al_status s = tl_data_read(d, i, buf, err);

    if (s != AL_OK)
        return s;
    s = pk_image_to_tensor(buf->data, buf->size, &p->input, &limits, dst, err);
    if (s != AL_OK) {
        const struct tl_sample sample = tl_data_sample(d, i);

        return al_error_prefix(err, s, "sample %zu %s", sample.index, sample.name);
    }
    return AL_OK;
}

size_t tl_feed_pick(size_t n_samples, size_t n_rows, size_t i)
{
    return (size_t)((uint64_t)i * n_samples / n_rows); /* below 2^26 each */
}

enum al_status tl_feed_inputs(const struct pk_package *p, const struct tl_data *d,
                              size_t n_rows, struct tl_inputs *ret, struct al_error *err)
{
    const size_t count = tl_data_count(d);
    struct tl_buffer buf = { .data = NULL };

    if (n_rows > count)
        n_rows = count;
    enum al_status s = tl_inputs_init(ret, p->model, n_rows, err);

    for (size_t i = 0; s == AL_OK && i < n_rows; i++)
        s = tl_feed_row(p, d, tl_feed_pick(count, n_rows, i), &buf,
                        (float *)(void *)tl_inputs_row(ret, i), err);
    tl_buffer_done(&buf);
    if (s != AL_OK)
        tl_inputs_done(ret);
    return s;
}
