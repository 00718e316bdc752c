/* api_infer.c — requests that go through the scheduler: exchange to call and back. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/app/app.h"
#include "server/core/model.h"
#include "server/proto/classify.h"
#include "server/proto/oip.h"
#include "server/proto/tfs.h"
#include "server/proto/zip.h"

#define NS_PER_MS 1e6

/* ---- back ---- */

/* "name;dur=1.234", in ms; at most 30 bytes and the name. */
static char *put_duration(char *at, const char *name, uint64_t ns)
{
    uint64_t us = ns / 1000;

    at = sv_put_digits(stpcpy(stpcpy(at, name), ";dur="), us / 1000);
    *at++ = '.';
    *at++ = (char)('0' + us / 100 % 10);
    *at++ = (char)('0' + us / 10 % 10);
    *at++ = (char)('0' + us % 10);
    return at;
}

/* Without printf, which took 3 % of a small request's time. */
static void add_timing(struct sv_exchange *x, const struct sv_call *c)
{
    struct sv_call_timing t = sv_call_timing(c);
    char text[128], *at = text;

    at = put_duration(at, "decode", t.decode_ns);
    at = put_duration(at, ", queue", t.queue_ns);
    at = put_duration(at, ", compute", t.compute_ns);
    *at = '\0';
    sv_reply_header(&x->reply, SV_TIMING_HEADER, text);
}

/* A call that was given up has no answer of its own. */
static void answer_cancelled(struct sv_exchange *x)
{
    if (sv_app_of(x)->life.abandoned)
        sv_reply_error(&x->reply, 503,
                       "the server is stopping, its drain limit has passed");
    else
        sv_reply_static(&x->reply, SV_STATUS_GONE, "", NULL);
}

static void answer(struct sv_call *c)
{
    struct sv_exchange *x = c->owner;
    char number[24];

    if (c->http_status == 0)
        answer_cancelled(x);
    else if (c->answer.failed)
        sv_reply_static(&x->reply, 503, "{\"error\":\"out of memory\"}", NULL);
    else
        sv_reply_json(&x->reply, c->http_status, c->answer.data, c->answer.size);
    memset(&c->answer, 0, sizeof(c->answer));
    if (x->reply.status == 500)
        sv_log(&sv_app_of(x)->log, SV_ERROR, "request failed",
               SV_TEXT("request_id", x->request_id), SV_TEXT("model", c->served->name));
    x->reply.content_type = c->answer_type;
    if (c->retry_after_s) {
        (void)snprintf(number, sizeof(number), "%" PRIu32, c->retry_after_s);
        sv_reply_header(&x->reply, SV_RETRY_HEADER, number);
    }
    if (c->answer_json_size) {
        (void)snprintf(number, sizeof(number), "%zu", c->answer_json_size);
        sv_reply_header(&x->reply, "Inference-Header-Content-Length", number);
    }
    if (c->answer_zipped) {
        sv_reply_header(&x->reply, "Content-Encoding", "gzip");
        sv_reply_header(&x->reply, "Vary", "Accept-Encoding");
    }
    if (c->request.status == AL_OK)
        add_timing(x, c);
    x->user = NULL;
    sv_exchange_answer(x);
}

void sv_api_calls_finished(void *user, struct sv_call *calls)
{
    struct sv_app *app = user;

    for (struct sv_call *c = calls; c; c = c->next)
        answer(c);
    sv_pool_release(app->pool, calls);
    sv_net_drive(app->net);
}

static void client_gone(struct sv_exchange *x)
{
    if (x->user)
        (void)sv_pool_cancel(sv_app_of(x)->pool, x->user);
}

/* ---- there ---- */

static char *copy_header(const struct sv_exchange *x, const char *name)
{
    const char *value = sv_exchange_header(x, name);

    return value ? strdup(value) : NULL;
}

struct query {
    struct sv_options *options;
    struct al_error *err;
    enum al_status status;
};

static bool take_option(void *arg, const char *key, const char *value)
{
    struct query *q = arg;

    q->status = sv_options_set_text(q->options, key, value, q->err);
    return q->status == AL_OK;
}

static enum al_status read_query(const struct sv_exchange *x, struct sv_options *options,
                                 struct al_error *err)
{
    struct query q = { options, err, AL_OK };

    sv_exchange_each_query(x, take_option, &q);
    return q.status;
}

static enum al_status read_json_size(const struct sv_exchange *x, struct sv_call *c,
                                     struct al_error *err)
{
    const char *text = sv_exchange_header(x, "Inference-Header-Content-Length");
    char *end;

    if (!text)
        return AL_OK;
    c->json_size = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || c->json_size == SIZE_MAX)
        return al_fail(err, AL_INVALID,
                       "Inference-Header-Content-Length: '%.40s' is not a number", text);
    return AL_OK;
}

static void set_urgency(struct sv_call *c, uint64_t arrived_ns, uint64_t max_deadline_ns)
{
    uint64_t allowed_ns = max_deadline_ns;
    size_t json_size = c->json_size < c->body_size ? c->json_size : c->body_size;

    if (isnan(c->options.deadline_ms) && c->codec->peek_deadline_ms)
        c->options.deadline_ms = c->codec->peek_deadline_ms(c->body, json_size);
    if (c->options.deadline_ms * NS_PER_MS < (double)max_deadline_ns)
        allowed_ns = (uint64_t)(c->options.deadline_ms * NS_PER_MS);
    c->request.deadline_ns = arrived_ns + allowed_ns;
    if (c->options.priority >= 1)
        c->request.priority = (unsigned)c->options.priority;
}

static void take_body(struct sv_exchange *x, struct sv_call *c)
{
    c->body = x->body;
    c->body_size = x->body_size;
    c->request.size_bytes = x->body_size;
    c->content_type = copy_header(x, "Content-Type");
    c->content_encoding = copy_header(x, "Content-Encoding");
    c->accepts_gzip = sv_accepts_gzip(sv_exchange_header(x, "Accept-Encoding"));
    sv_exchange_body_taken(x);
}

static void submit(struct sv_exchange *x, const struct sv_codec *codec)
{
    struct sv_app *app = sv_app_of(x);
    struct sv_model *m;
    struct sv_call *c = NULL;
    struct al_error err;
    enum al_status s = sv_api_model(x, &m, &err);

    if (s == AL_OK && !(c = sv_call_new(m, codec)))
        s = al_fail(&err, AL_NO_MEMORY, "request");
    if (s == AL_OK)
        s = read_query(x, &c->options, &err);
    if (s == AL_OK)
        s = read_json_size(x, c, &err);
    if (s != AL_OK) {
        sv_call_free(c);
        sv_reply_failure(&x->reply, &err);
        return;
    }
    take_body(x, c);
    set_urgency(c, x->body_ns, app->config.deadline_ms * UINT64_C(1000000));
    c->owner = x;
    x->user = c;
    x->user_gone = client_gone;
    sv_exchange_park(x);
    sv_pool_submit(app->pool, c);
}

void sv_api_classify(struct sv_exchange *x)
{
    submit(x, &sv_codec_classify);
}

void sv_api_torchserve(struct sv_exchange *x)
{
    submit(x, &sv_codec_torchserve);
}

void sv_api_predict(struct sv_exchange *x)
{
    submit(x, &sv_codec_tfs);
}

void sv_api_infer(struct sv_exchange *x)
{
    submit(x, &sv_codec_oip);
}
