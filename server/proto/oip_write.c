#include <string.h>

#include "server/proto/oip_state.h"

/* ---- values ---- */

static void put_u32(struct sv_text *t, uint32_t v)
{
    const uint8_t bytes[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
                               (uint8_t)(v >> 24) };

    sv_text_bytes(t, bytes, sizeof(bytes));
}

/* "0.143:9:truck" */
static void put_class(struct sv_text *t, const struct sv_served *m, const float *probs,
                      uint32_t k)
{
    const char *label = sv_served_label(m, k);

    sv_text_printf(t, "%f:%u", (double)probs[k], k);
    if (label)
        sv_text_printf(t, ":%s", label);
}

/* The best of one row, as JSON strings or as binary BYTES elements. */
static void put_classes(struct sv_text *t, const struct sv_call *c, size_t row,
                        uint32_t n_classes, bool binary, const char **comma)
{
    const float *probs = sv_call_probs(c, row);
    uint32_t best[SV_TOP_MAX];

    n_classes = n_classes < SV_TOP_MAX ? n_classes : SV_TOP_MAX;
    sv_top_classes(probs, c->served->n_classes, n_classes, best);
    for (uint32_t i = 0; i < n_classes; i++) {
        struct sv_text one = { 0 };

        put_class(&one, c->served, probs, best[i]);
        if (binary) {
            put_u32(t, (uint32_t)one.size);
            sv_text_bytes(t, one.data, one.size);
        } else {
            sv_text_str(t, *comma);
            sv_text_json(t, one.data, one.size);
            *comma = ",";
        }
        t->failed |= one.failed;
        sv_text_done(&one);
    }
}

static void put_floats(struct sv_text *t, const float *v, size_t n, bool binary,
                       const char **comma)
{
    if (binary) {
        sv_text_bytes(t, v, n * sizeof(*v));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        sv_text_str(t, *comma);
        sv_text_number(t, (double)v[i], 9);
        *comma = ",";
    }
}

static void put_index(struct sv_text *t, uint32_t v, bool binary, const char **comma)
{
    if (binary) {
        put_u32(t, v);
        return;
    }
    sv_text_printf(t, "%s%u", *comma, v);
    *comma = ",";
}

static void put_values(struct sv_text *t, const struct sv_call *c,
                       const struct sv_oip_output *out)
{
    const struct sv_oip *o = c->state;
    const char *comma = "";

    if (o->echo) {
        put_floats(t, o->echo, o->n_echo, out->binary, &comma);
        return;
    }
    for (uint32_t i = 0; i < c->request.n_rows; i++) {
        const struct sv_row *row = &c->request.rows[i];

        if (out->kind == SV_OIP_EXIT_INDEX)
            put_index(t, row->exit, out->binary, &comma);
        else if (out->kind == SV_OIP_EXIT_SCORE)
            put_floats(t, &row->score, 1, out->binary, &comma);
        else if (out->n_classes)
            put_classes(t, c, i, out->n_classes, out->binary, &comma);
        else
            put_floats(t, sv_call_probs(c, i), c->served->n_classes, out->binary, &comma);
    }
}

/* ---- descriptions ---- */

static const char *name_of(const struct sv_call *c, const struct sv_oip_output *out)
{
    if (out->kind == SV_OIP_EXIT_INDEX)
        return "exit_index";
    return out->kind == SV_OIP_EXIT_SCORE ? "exit_score" : c->served->output_name;
}

static const char *datatype_of(const struct sv_oip_output *out)
{
    if (out->kind == SV_OIP_EXIT_INDEX)
        return "UINT32";
    return out->kind == SV_OIP_MAIN && out->n_classes ? "BYTES" : "FP32";
}

static void put_shape(struct sv_text *t, const struct sv_call *c,
                      const struct sv_oip_output *out)
{
    const struct sv_oip *o = c->state;
    char text[128];

    if (o->echo)
        sv_text_str(t, al_shape_text(&o->echo_shape, text, sizeof(text)));
    else if (out->kind != SV_OIP_MAIN)
        sv_text_printf(t, "[%u]", c->request.n_rows);
    else
        sv_text_printf(t, "[%u,%zu]", c->request.n_rows,
                       out->n_classes ? (size_t)out->n_classes : c->served->n_classes);
}

/* Facts of the exit, for a single row: parameters are scalars. */
static void put_parameters(struct sv_text *t, const struct sv_call *c)
{
    const struct sv_row *row = &c->request.rows[0];

    if (!sv_served_has_exits(c->served) || c->request.n_rows != 1)
        return;
    sv_text_printf(t, ",\"parameters\":{\"exit\":%u,\"exit_name\":", row->exit);
    sv_text_quote(t, sv_served_exit_name(c->served, row->exit));
    sv_text_str(t, ",\"score\":");
    sv_text_number(t, (double)row->score, 9);
    sv_text_printf(t, ",\"forced\":%s", row->forced ? "true" : "false");
    if (c->level != SV_NO_LEVEL && !row->forced)
        sv_text_printf(t, ",\"max_loss\":%.9g",
                       c->served->package->policy.levels[c->level].max_loss);
    sv_text_str(t, "}");
}

static void put_output(struct sv_text *t, struct sv_text *tail, const struct sv_call *c,
                       const struct sv_oip_output *out)
{
    size_t before = tail->size;

    sv_text_str(t, "{\"name\":\"");
    sv_text_str(t, name_of(c, out));
    sv_text_str(t, "\",\"datatype\":\"");
    sv_text_str(t, datatype_of(out));
    sv_text_str(t, "\",\"shape\":");
    put_shape(t, c, out);
    if (out->binary) {
        put_values(tail, c, out);
        sv_text_printf(t, ",\"parameters\":{\"binary_data_size\":%zu}}",
                       tail->size - before);
        return;
    }
    sv_text_str(t, ",\"data\":[");
    put_values(t, c, out);
    sv_text_str(t, "]}");
}

void sv_oip_write(struct sv_call *c)
{
    const struct sv_oip *o = c->state;
    struct sv_text *t = &c->answer, tail = { 0 };

    sv_text_str(t, "{");
    if (o->id) {
        sv_text_str(t, "\"id\":");
        sv_text_quote(t, o->id);
        sv_text_str(t, ",");
    }
    sv_text_str(t, "\"model_name\":");
    sv_text_quote(t, c->served->name);
    sv_text_printf(t, ",\"model_version\":\"%u\"", c->served->version);
    put_parameters(t, c);
    sv_text_str(t, ",\"outputs\":[");
    for (size_t i = 0; i < o->n_outputs; i++) {
        sv_text_str(t, i ? "," : "");
        put_output(t, &tail, c, &o->outputs[i]);
    }
    sv_text_str(t, "]}");
    if (tail.size) {
        c->answer_json_size = t->size;
        c->answer_type = "application/octet-stream";
    }
    sv_text_bytes(t, tail.data, tail.size);
    t->failed |= tail.failed;
    sv_text_done(&tail);
}
