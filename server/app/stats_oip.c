/* stats_oip.c — statistics in Triton's shape (its statistics extension): counts and
 * nanoseconds since the model was loaded. A run is one stage for one batch. */
#include <inttypes.h>
#include <string.h>

#include "server/app/stats.h"

#define NS_PER_MS 1000000U

static void put_timed(struct sv_text *t, const char *key, struct sv_timed d)
{
    sv_text_printf(t, "\"%s\":{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 "}", key, d.count,
                   d.ns);
}

/* What the rows of one batch size took; decoding and answering are not done by batch. */
static void put_batch(struct sv_text *t, size_t batch_size, struct sv_timed d)
{
    struct sv_timed none = { .count = d.count };

    sv_text_printf(t, "{\"batch_size\":%zu,", batch_size);
    put_timed(t, "compute_input", none);
    sv_text_str(t, ",");
    put_timed(t, "compute_infer", d);
    sv_text_str(t, ",");
    put_timed(t, "compute_output", none);
    sv_text_str(t, "}");
}

static void put_batches(struct sv_text *t, const struct sv_model_counters *c)
{
    const char *comma = "";

    for (size_t b = 1; b <= SV_MAX_BATCH; b++) {
        struct sv_timed sum = { 0 };
        for (size_t k = 0; k < c->n_stages; k++) {
            sum.count += c->stage[k].by_batch[b].count;
            sum.ns += c->stage[k].by_batch[b].ns;
        }
        if (sum.count == 0)
            continue;
        sv_text_str(t, comma);
        put_batch(t, b, sum);
        comma = ",";
    }
}

static void put_inference(struct sv_text *t, const struct sv_model_counters *c)
{
    struct sv_timed none = { 0 }, output = { .count = c->total.count };

    put_timed(t, "success", c->total);
    sv_text_str(t, ",");
    put_timed(t, "fail", c->failed);
    sv_text_str(t, ",");
    put_timed(t, "queue", c->queue);
    sv_text_str(t, ",");
    put_timed(t, "compute_input", c->decode);
    sv_text_str(t, ",");
    put_timed(t, "compute_infer", c->compute);
    sv_text_str(t, ",");
    put_timed(t, "compute_output", output);
    sv_text_str(t, ",");
    put_timed(t, "cache_hit", none);
    sv_text_str(t, ",");
    put_timed(t, "cache_miss", none);
}

static void put_exit(struct sv_text *t, const struct sv_model_view *v, size_t k)
{
    const struct sv_stage_counters *c = &v->counters->stage[k];
    struct sv_timed queue = { c->queue_ns.count, c->queue_ns.sum };
    struct sv_timed compute = { c->compute_ns.count, c->compute_ns.sum };
    struct sv_timed total = { c->total_ns.count, c->total_ns.sum };

    sv_text_printf(t, "%s{\"index\":%zu,\"name\":", k ? "," : "", k);
    sv_text_quote(t, v->exit_names[k]);
    sv_text_printf(t,
                   ",\"inference_count\":%" PRIu64 ",\"forced_count\":%" PRIu64
                   ",\"execution_count\":%" PRIu64 ",",
                   c->n_rows, c->n_forced, c->run_ns.count);
    put_timed(t, "success", total);
    sv_text_str(t, ",");
    put_timed(t, "queue", queue);
    sv_text_str(t, ",");
    put_timed(t, "compute_infer", compute);
    sv_text_str(t, "}");
}

/* Milliseconds of the epoch, 0: never. */
static uint64_t last_inference_ms(const struct sv_snapshot *s,
                                  const struct sv_model_counters *c)
{
    if (c->last_answer_ns == 0)
        return 0;
    return s->epoch_ms - (s->now_ns - c->last_answer_ns) / NS_PER_MS;
}

static void put_model(struct sv_text *t, const struct sv_snapshot *s,
                      const struct sv_model_view *v)
{
    const struct sv_model_counters *c = v->counters;
    uint64_t n_rows = 0, n_runs = 0;

    for (size_t k = 0; k < c->n_stages; k++) {
        n_rows += c->stage[k].n_rows;
        n_runs += c->stage[k].run_ns.count;
    }
    sv_text_str(t, "{\"name\":");
    sv_text_quote(t, v->name);
    sv_text_printf(t,
                   ",\"version\":\"%u\",\"last_inference\":%" PRIu64
                   ",\"inference_count\":%" PRIu64 ",\"execution_count\":%" PRIu64
                   ",\"inference_stats\":{",
                   v->version, last_inference_ms(s, c), n_rows, n_runs);
    put_inference(t, c);
    sv_text_str(t, "},\"batch_stats\":[");
    put_batches(t, c);
    sv_text_str(t, "],\"exit_stats\":[");
    for (size_t k = 0; k < c->n_stages; k++)
        put_exit(t, v, k);
    sv_text_str(t, "]}");
}

void sv_stats_oip(struct sv_text *t, const struct sv_snapshot *s)
{
    sv_text_str(t, "{\"model_stats\":[");
    for (size_t i = 0; i < s->n_models; i++) {
        sv_text_str(t, i ? "," : "");
        put_model(t, s, &s->models[i]);
    }
    sv_text_str(t, "]}");
}
