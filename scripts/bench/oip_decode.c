/* oip_decode.c — processor time of decoding one request: a tensor of 28x28 numbers as
 * JSON, body to row, as a worker does it. Prints the median in us and the bytes of the
 * body. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/core/model.h"
#include "server/proto/call.h"
#include "server/proto/oip.h"

#define ELEMENTS 784
#define RUNS     2001

static enum al_status reserve(void *arg, struct sv_call *c, uint32_t n_rows,
                              size_t extra_bytes, struct al_error *err)
{
    (void)arg;
    (void)extra_bytes;
    (void)err;
    c->request.n_rows = n_rows;
    return AL_OK;
}

static struct sv_model *make_model(void)
{
    struct sv_served *served;
    struct sv_model *m;
    struct al_error err;

    if (sv_served_new_builtin(SV_BUILTIN_IDENTITY, "m", &served, &err) != AL_OK ||
        sv_served_to_model(served, &m, &err) != AL_OK)
        abort();
    return m;
}

/* Pixels as training normalises them, with nine digits. */
static void make_body(struct sv_text *t)
{
    sv_text_str(t,
                "{\"inputs\":[{\"name\":\"INPUT0\",\"datatype\":\"FP32\","
                "\"shape\":[1,1,28,28],\"data\":[");
    for (unsigned i = 0; i < ELEMENTS; i++) {
        sv_text_str(t, i ? ", " : "");
        sv_text_number(t, (i * 7919 % 256 / 255.0 - 0.286) / 0.353, 9);
    }
    sv_text_str(t, "]}]}");
}

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static double decode_once(struct sv_model *m, const struct sv_text *body)
{
    const struct sv_decoder d = { .limits = { .max_rows = 1,
                                              .json.max_depth = 100,
                                              .max_body_bytes = 1 << 20,
                                              .max_deadline_ns = 1000000000 },
                                  .reserve = reserve };
    struct sv_call *c = sv_call_new(m, &sv_codec_oip);
    enum al_status s;
    double us;

    if (!c || !(c->body = malloc(body->size)))
        abort();
    memcpy(c->body, body->data, body->size);
    c->body_size = body->size;
    us = now_us();
    sv_call_decode(c, &d, &s);
    us = now_us() - us;
    if (s != AL_OK)
        abort();
    sv_call_free(c);
    return us;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(void)
{
    static double us[RUNS];
    struct sv_text body = { 0 };
    struct sv_model *m = make_model();

    make_body(&body);
    for (size_t i = 0; i < RUNS; i++)
        us[i] = decode_once(m, &body);
    qsort(us, RUNS, sizeof(us[0]), ascending);
    (void)printf("{\"us\": %.2f, \"bytes\": %zu}\n", us[RUNS / 2], body.size);
    sv_text_done(&body);
    sv_model_unref(m);
    return 0;
}
