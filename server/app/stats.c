/* stats.c — /stats: for people and scripts. Times in milliseconds, rates in images per
 * second over the last 1, 10 and 60 whole seconds. */
#include "server/app/stats.h"

#include <inttypes.h>
#include <string.h>

#define NS_PER_MS 1e6
#define DIGITS    6

static void string(struct sv_text *t, const char *s)
{
    sv_text_quote(t, s);
}

static void key_number(struct sv_text *t, const char *key, double v)
{
    sv_text_printf(t, ",\"%s\":", key);
    sv_text_number(t, v, DIGITS);
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void put_rate(struct sv_text *t, const struct sv_rate *r, uint64_t now_ns)
{
    static const unsigned windows[] = { 1, 10, 60 };

    sv_text_str(t, ",\"images_per_second\":{");
    for (size_t i = 0; i < 3; i++) {
        sv_text_printf(t, "%s\"%us\":", i ? "," : "", windows[i]);
        sv_text_number(t, sv_rate_per_second(r, now_ns, windows[i]), DIGITS);
    }
    sv_text_str(t, "}");
}

static void put_times(struct sv_text *t, const char *key, const struct sv_histogram *h)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {
        { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 }
    };

    sv_text_printf(t, "\"%s\":{\"count\":%" PRIu64, key, h->count);
    key_number(t, "mean", ratio((double)h->sum, (double)h->count) / NS_PER_MS);
    for (size_t i = 0; i < 4; i++)
        key_number(t, quantiles[i].name,
                   (double)sv_histogram_quantile(h, quantiles[i].q) / NS_PER_MS);
    key_number(t, "max", (double)h->max / NS_PER_MS);
    sv_text_str(t, "}");
}

static void put_score(struct sv_text *t, const struct sv_stage_counters *c)
{
    sv_text_str(t, ",\"score\":{\"mean\":");
    sv_text_number(t, ratio(c->score_sum, (double)c->n_rows), DIGITS);
    sv_text_str(t, ",\"histogram\":[");
    for (size_t i = 0; i < SV_SCORE_BINS; i++)
        sv_text_printf(t, "%s%" PRIu64, i ? "," : "", c->score_bin[i]);
    sv_text_str(t, "]}");
}

static uint64_t rows_answered(const struct sv_model_counters *c)
{
    uint64_t n = 0;

    for (size_t k = 0; k < c->n_stages; k++)
        n += c->stage[k].n_rows;
    return n;
}

static void put_exit(struct sv_text *t, const struct sv_model_view *v, size_t k,
                     uint64_t n_answered, uint64_t now_ns)
{
    const struct sv_stage_counters *c = &v->counters->stage[k];

    sv_text_printf(t, "%s{\"index\":%zu,\"name\":", k ? "," : "", k);
    string(t, v->exit_names[k]);
    sv_text_printf(t, ",\"images\":%" PRIu64, c->n_rows);
    key_number(t, "share", ratio((double)c->n_rows, (double)n_answered));
    sv_text_printf(t, ",\"forced\":%" PRIu64, c->n_forced);
    put_rate(t, &c->rate, now_ns);
    sv_text_str(t, ",\"latency_ms\":{");
    put_times(t, "queue", &c->queue_ns);
    sv_text_str(t, ",");
    put_times(t, "compute", &c->compute_ns);
    sv_text_str(t, ",");
    put_times(t, "total", &c->total_ns);
    sv_text_str(t, "}");
    put_score(t, c);
    sv_text_str(t, "}");
}

static void put_stage(struct sv_text *t, const struct sv_model_view *v, size_t k)
{
    const struct sv_stage_counters *c = &v->counters->stage[k];
    const char *comma = "";
    uint64_t n_images = 0;

    for (size_t b = 1; b <= SV_MAX_BATCH; b++)
        n_images += b * c->by_batch[b].count;
    sv_text_printf(
        t, "%s{\"index\":%zu,\"waiting\":%zu,\"runs\":%" PRIu64 ",\"images\":%" PRIu64,
        k ? "," : "", k, v->n_rows_queued[k], c->run_ns.count, n_images);
    key_number(t, "mean_batch", ratio((double)n_images, (double)c->run_ns.count));
    sv_text_str(t, ",\"batches\":{");
    for (size_t b = 1; b <= SV_MAX_BATCH; b++) {
        if (c->by_batch[b].count == 0)
            continue;
        sv_text_printf(t, "%s\"%zu\":%" PRIu64, comma, b, c->by_batch[b].count);
        comma = ",";
    }
    sv_text_printf(t, "},\"helped_runs\":%" PRIu64 ",", c->n_helped);
    put_times(t, "run_ms", &c->run_ns);
    sv_text_str(t, "}");
}

/* "deadline_exceeded" */
static void put_status(struct sv_text *t, enum al_status status)
{
    sv_text_str(t, "\"");
    for (const char *c = al_status_text(status); *c; c++)
        sv_text_bytes(t, *c == ' ' || *c == '/' ? "_" : c, 1);
    sv_text_str(t, "\"");
}

static void put_requests(struct sv_text *t, const struct sv_model_counters *c)
{
    uint64_t n_open = c->n_requests - c->n_cancelled;

    for (size_t i = 0; i < SV_N_STATUSES; i++)
        n_open -= c->n_answered[i];
    sv_text_printf(t,
                   "\"requests\":{\"accepted\":%" PRIu64 ",\"answered\":%" PRIu64
                   ",\"in_flight\":%" PRIu64 ",\"failed\":{",
                   c->n_requests, c->n_answered[AL_OK], n_open);
    for (size_t i = 1; i < SV_N_STATUSES; i++) {
        sv_text_str(t, i > 1 ? "," : "");
        put_status(t, (enum al_status)i);
        sv_text_printf(t, ":%" PRIu64, c->n_answered[i]);
    }
    sv_text_str(t, "},\"rejected\":{");
    for (size_t i = 0; i < SV_N_REJECTS; i++)
        sv_text_printf(t, "%s\"%s\":%" PRIu64, i ? "," : "",
                       sv_reject_label((enum sv_reject)i), c->n_rejected[i]);
    sv_text_str(t, "}}");
}

static void put_model(struct sv_text *t, const struct sv_model_view *v, uint64_t now_ns)
{
    const struct sv_model_counters *c = v->counters;
    uint64_t n_answered = rows_answered(c);

    sv_text_str(t, "{\"name\":");
    string(t, v->name);
    sv_text_printf(t, ",\"version\":\"%u\",\"state\":\"%s\",", v->version, v->state);
    put_requests(t, c);
    sv_text_printf(t,
                   ",\"images\":{\"accepted\":%" PRIu64 ",\"answered\":%" PRIu64
                   ",\"failed\":%" PRIu64 ",\"in_flight\":%" PRIu64 "}",
                   c->n_rows, n_answered, c->n_rows_failed,
                   c->n_rows - n_answered - c->n_rows_failed);
    put_rate(t, &c->rate, now_ns);
    sv_text_str(t, ",\"latency_ms\":{");
    put_times(t, "queue", &c->queue_ns);
    sv_text_str(t, ",");
    put_times(t, "decode", &c->decode_ns);
    sv_text_str(t, ",");
    put_times(t, "total", &c->total_ns);
    sv_text_printf(t, "},\"decode\":{\"waiting\":%zu},\"exits\":[", v->n_decode_queued);
    for (size_t k = 0; k < c->n_stages; k++)
        put_exit(t, v, k, n_answered, now_ns);
    sv_text_str(t, "],\"stages\":[");
    for (size_t k = 0; k < c->n_stages; k++)
        put_stage(t, v, k);
    sv_text_str(t, "]}");
}

/* How many versions are in which state, which /v2/repository/index has one by one. */
static void put_repository(struct sv_text *t, const struct sv_snapshot *s)
{
    sv_text_str(t, ",\"repository\":{");
    for (size_t i = 0; i < SV_N_MODEL_STATES; i++)
        sv_text_printf(t, "%s\"%s\":%zu", i ? "," : "",
                       sv_model_state_name((enum sv_model_state)i), s->n_by_state[i]);
    sv_text_printf(t, "},\"loads\":{\"ok\":%" PRIu64 ",\"failed\":%" PRIu64 "}",
                   s->loads.n_loaded, s->loads.n_failed);
}

void sv_stats_json(struct sv_text *t, const struct sv_snapshot *s)
{
    sv_text_printf(t, "{\"version\":\"%s\",\"state\":\"%s\",\"up_s\":", ALIGHT_VERSION,
                   s->state);
    sv_text_number(t, (double)s->up_ns * 1e-9, DIGITS);
    sv_text_printf(t,
                   ",\"workers\":%zu,\"in_flight\":{\"requests\":%zu,\"images\":%zu,"
                   "\"bytes\":%zu,\"drain_ms\":",
                   s->n_workers, s->n_requests, s->n_rows, s->n_bytes);
    sv_text_number(t, (double)s->drain_ns / NS_PER_MS, DIGITS);
    sv_text_printf(t,
                   ",\"max_images\":%zu,\"max_bytes\":%zu},\"connections\":{"
                   "\"open\":%" PRIu64 ",\"max\":%zu,\"total\":%" PRIu64 "}",
                   s->max_rows, s->max_bytes, s->net.connections_open, s->max_connections,
                   s->net.connections_total);
    put_repository(t, s);
    sv_text_printf(t, ",\"process\":{\"resident_bytes\":%" PRIu64 ",\"cpu_s\":",
                   s->process.resident_bytes);
    sv_text_number(t, s->process.cpu_s, DIGITS);
    sv_text_str(t, "},\"models\":[");
    for (size_t i = 0; i < s->n_models; i++) {
        sv_text_str(t, i ? "," : "");
        put_model(t, &s->models[i], s->now_ns);
    }
    sv_text_str(t, "]}\n");
}
