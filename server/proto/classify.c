#include "server/proto/classify.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "server/proto/call.h"
#include "server/proto/multipart.h"

#define TOP_DEFAULT 5

/* ---- in ---- */

/* `only_one`: the answer has room for no more. */
static enum al_status decode_parts(struct sv_call *c, const struct sv_decoder *d,
                                   bool only_one, struct al_error *err)
{
    struct sv_multipart m;
    const char *part;
    size_t size, n = 0;
    enum al_status s = sv_multipart_init(&m, c->content_type, c->body, c->body_size, err);

    if (s == AL_OK)
        s = sv_multipart_count(m, d->limits.max_rows, &n, err);
    if (s == AL_OK && only_one && n > 1)
        s = al_fail(err, AL_INVALID, "%zu images in one body, one can be answered", n);
    if (s == AL_OK)
        s = sv_call_make_rows(c, d, n, err);
    for (size_t i = 0; i < n && s == AL_OK; i++) {
        if (!sv_multipart_next(&m, &part, &size))
            return al_fail(err, AL_INTERNAL, "multipart body changed");
        s = sv_call_image(c, d, i, part, size, err);
        if (s != AL_OK)
            return al_error_prefix(err, s, "image %zu", i);
    }
    return s;
}

static enum al_status decode_images(struct sv_call *c, const struct sv_decoder *d,
                                    bool only_one, struct al_error *err)
{
    enum al_status s;

    if (c->content_type && strncasecmp(c->content_type, "multipart/", 10) == 0)
        return decode_parts(c, d, only_one, err);
    if (c->body_size == 0)
        return al_fail(err, AL_INVALID, "the body is empty, an image was expected");
    s = sv_call_make_rows(c, d, 1, err);
    return s == AL_OK ? sv_call_image(c, d, 0, c->body, c->body_size, err) : s;
}

static enum al_status decode(struct sv_call *c, const struct sv_decoder *d,
                             struct al_error *err)
{
    return decode_images(c, d, false, err);
}

static enum al_status decode_torchserve(struct sv_call *c, const struct sv_decoder *d,
                                        struct al_error *err)
{
    return decode_images(c, d, true, err);
}

/* ---- out ---- */

static size_t top_of(const struct sv_call *c)
{
    size_t top = isnan(c->options.top) ? TOP_DEFAULT : (size_t)c->options.top;

    return top < c->served->n_classes ? top : c->served->n_classes;
}

static void put_label(struct sv_text *t, const struct sv_served *m, uint32_t class_index)
{
    const char *label = sv_served_label(m, class_index);

    if (label)
        sv_text_quote(t, label);
    else
        sv_text_printf(t, "\"%u\"", class_index);
}

static void put_classes(struct sv_text *t, const struct sv_call *c, const float *probs)
{
    uint32_t best[SV_TOP_MAX];
    size_t top = top_of(c);

    sv_top_classes(probs, c->served->n_classes, top, best);
    sv_text_str(t, "\"classes\":[");
    for (size_t i = 0; i < top; i++) {
        sv_text_printf(t, "%s{\"index\":%u,\"label\":", i ? "," : "", best[i]);
        put_label(t, c->served, best[i]);
        sv_text_str(t, ",\"probability\":");
        sv_text_number(t, (double)probs[best[i]], 9);
        sv_text_str(t, "}");
    }
    sv_text_str(t, "]");
}

static void put_exit(struct sv_text *t, const struct sv_call *c, const struct sv_row *row)
{
    const char *name = sv_served_exit_name(c->served, row->exit);

    sv_text_printf(t, ",\"exit\":{\"index\":%u,\"name\":", row->exit);
    sv_text_quote(t, name);
    sv_text_printf(t, ",\"of\":%zu,\"score\":", c->served->n_exits);
    sv_text_number(t, (double)row->score, 9);
    sv_text_printf(t, ",\"forced\":%s}", row->forced ? "true" : "false");
}

/* What the answer promises; null when nothing was certified for it. Level 0 is the whole
 * model: it gives nothing up by definition. */
static void put_certificate(struct sv_text *t, const struct sv_call *c,
                            const struct sv_row *row)
{
    const struct al_policy *p = &c->served->package->policy;

    sv_text_str(t, ",\"certificate\":");
    if (c->level == SV_NO_LEVEL || row->forced) {
        sv_text_str(t, "null");
    } else if (c->level == 0) {
        sv_text_str(t, "{\"max_loss\":0,\"confidence\":1,\"calibration\":null}");
    } else {
        sv_text_printf(t,
                       "{\"max_loss\":%.9g,\"confidence\":%.9g,\"calibration\":\"%s\"}",
                       p->levels[c->level].max_loss, p->confidence, p->calibration_id);
    }
}

static void put_timing(struct sv_text *t, const struct sv_call *c)
{
    struct sv_call_timing timing = sv_call_timing(c);

    sv_text_str(t, "\"timing_us\":{\"decode\":");
    sv_text_u64(t, timing.decode_ns / 1000);
    sv_text_str(t, ",\"queue\":");
    sv_text_u64(t, timing.queue_ns / 1000);
    sv_text_str(t, ",\"compute\":");
    sv_text_u64(t, timing.compute_ns / 1000);
    sv_text_str(t, ",\"total\":");
    sv_text_u64(t, timing.total_ns / 1000);
    sv_text_str(t, "}");
}

static void encode(struct sv_call *c)
{
    struct sv_text *t = &c->answer;

    sv_text_str(t, "{\"model\":");
    sv_text_quote(t, c->served->name);
    sv_text_printf(t, ",\"version\":\"%u\",\"predictions\":[", c->served->version);
    for (uint32_t i = 0; i < c->request.n_rows; i++) {
        sv_text_str(t, i ? ",{" : "{");
        put_classes(t, c, sv_call_probs(c, i));
        put_exit(t, c, &c->request.rows[i]);
        put_certificate(t, c, &c->request.rows[i]);
        sv_text_str(t, "}");
    }
    sv_text_str(t, "],");
    put_timing(t, c);
    sv_text_str(t, "}\n");
}

const struct sv_codec sv_codec_classify = { .decode = decode, .encode = encode };

static void encode_torchserve(struct sv_call *c)
{
    struct sv_text *t = &c->answer;
    const float *probs = sv_call_probs(c, 0);
    uint32_t best[SV_TOP_MAX];
    size_t top = top_of(c);

    sv_top_classes(probs, c->served->n_classes, top, best);
    sv_text_str(t, "{");
    for (size_t i = 0; i < top; i++) {
        sv_text_str(t, i ? "," : "");
        put_label(t, c->served, best[i]);
        sv_text_str(t, ":");
        sv_text_number(t, (double)probs[best[i]], 9);
    }
    sv_text_str(t, "}\n");
}

const struct sv_codec sv_codec_torchserve = { .decode = decode_torchserve,
                                              .encode = encode_torchserve };
