#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/model.h"
#include "server/proto/call.h"
#include "server/proto/oip.h"
#include "server/proto/tfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum al_status reserve(void *arg, struct sv_call *c, uint32_t n_rows,
                              size_t extra_bytes, struct al_error *err)
{
    (void)arg;
    (void)extra_bytes;
    (void)err;
    c->request.n_rows = n_rows;
    return AL_OK;
}

static void reschedule(void *arg, struct sv_call *c, uint64_t deadline_ns,
                       unsigned priority)
{
    (void)arg;
    (void)c;
    (void)deadline_ns;
    (void)priority;
}

static struct sv_model *make_model(enum sv_builtin builtin)
{
    struct sv_served *served;
    struct sv_model *m;
    struct al_error err;

    if (sv_served_new_builtin(builtin, "m", &served, &err) != AL_OK ||
        sv_served_to_model(served, &m, &err) != AL_OK)
        abort();
    return m;
}

/* A body, whole or with a binary tail, of either protocol: it is refused with a text, or
 * it is answered. The first two bytes choose. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sv_decoder d = { .limits = { .max_rows = 16,
                                              .json = { .max_depth = 20,
                                                        .max_values = 1000 },
                                              .max_body_bytes = 1 << 16,
                                              .max_deadline_ns = 1000000000 },
                                  .reserve = reserve,
                                  .reschedule = reschedule };
    struct sv_model *m;
    struct sv_call *c;
    enum al_status s;

    if (size < 2)
        return 0;
    m = make_model(data[0] & 1 ? SV_BUILTIN_IDENTITY : SV_BUILTIN_SLEEP);
    c = sv_call_new(m, data[0] & 2 ? &sv_codec_tfs : &sv_codec_oip);
    sv_model_unref(m);
    assert(c);
    c->json_size = data[1] == 255 ? SIZE_MAX : (size_t)data[1] * 4;
    c->body_size = size - 2;
    c->body = malloc(size - 2 ? size - 2 : 1); /* exact: reads past it are seen */
    assert(c->body);
    memcpy(c->body, data + 2, size - 2);
    sv_call_decode(c, &d, &s);
    assert(s == AL_OK || c->failure);
    c->request.status = s;
    for (uint32_t i = 0; s == AL_OK && i < c->request.n_rows; i++)
        c->request.rows[i].exit = 0;
    if (!(data[0] & 2 && data[0] & 1)) /* the echo is OIP's own */
        sv_call_encode(c);
    sv_call_free(c);
    return 0;
}
