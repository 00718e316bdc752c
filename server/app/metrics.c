#include "server/app/metrics.h"

#include <float.h>
#include <string.h>

#include "engine/base/status.h"

#define NS_PER_S         1e9
#define NS_PER_US        1000U
#define CODE_CLIENT_LEFT "499" /* nginx's */

/* Where the samples of one metric go. */
struct family {
    struct sv_text *t;
    const char *name;
};

/* Labels of a sample: of a model or none, and one more or none. */
struct labels {
    const struct sv_model_view *m;
    const char *key, *value;
};

static const struct labels no_labels = { 0 };

/* Bucket boundaries of latencies in nanoseconds and as text in seconds. */
static const struct {
    uint64_t ns;
    const char *le;
} bounds[] = {
    { 10000, "1e-05" },    { 25000, "2.5e-05" },  { 50000, "5e-05" },
    { 100000, "0.0001" },  { 250000, "0.00025" }, { 500000, "0.0005" },
    { 1000000, "0.001" },  { 2500000, "0.0025" }, { 5000000, "0.005" },
    { 10000000, "0.01" },  { 25000000, "0.025" }, { 50000000, "0.05" },
    { 100000000, "0.1" },  { 250000000, "0.25" }, { 500000000, "0.5" },
    { 1000000000, "1" },   { 2500000000, "2.5" }, { 5000000000, "5" },
    { 10000000000, "10" },
};

/* ---- samples ---- */

static void put_label(struct sv_text *t, const char **comma, const char *key,
                      const char *value)
{
    sv_text_printf(t, "%s%s=\"", *comma, key);
    for (const char *c = value; *c; c++) {
        if (*c == '\n')
            sv_text_str(t, "\\n");
        else if (*c == '"' || *c == '\\')
            sv_text_printf(t, "\\%c", *c);
        else
            sv_text_bytes(t, c, 1);
    }
    sv_text_str(t, "\"");
    *comma = ",";
}

static void put_labels(struct sv_text *t, struct labels l, const char *le)
{
    const char *comma = "{";
    char version[12];

    if (l.m) {
        (void)snprintf(version, sizeof(version), "%u", l.m->version);
        put_label(t, &comma, "model", l.m->name);
        put_label(t, &comma, "version", version);
    }
    if (l.key)
        put_label(t, &comma, l.key, l.value);
    if (le)
        put_label(t, &comma, "le", le);
    if (*comma == ',')
        sv_text_str(t, "}");
}

static void sample(struct family *f, const char *suffix, struct labels l, const char *le,
                   double value)
{
    sv_text_str(f->t, f->name);
    sv_text_str(f->t, suffix);
    put_labels(f->t, l, le);
    sv_text_str(f->t, " ");
    sv_text_number(f->t, value, DBL_DIG);
    sv_text_str(f->t, "\n");
}

static void sample_count(struct family *f, const char *suffix, struct labels l,
                         const char *le, uint64_t n)
{
    sv_text_str(f->t, f->name);
    sv_text_str(f->t, suffix);
    put_labels(f->t, l, le);
    sv_text_str(f->t, " ");
    sv_text_u64(f->t, n);
    sv_text_str(f->t, "\n");
}

static void count(struct family *f, struct labels l, uint64_t n)
{
    sample_count(f, "", l, NULL, n);
}

static void finish_histogram(struct family *f, struct labels l, uint64_t n, double sum)
{
    sample_count(f, "_bucket", l, "+Inf", n);
    sample(f, "_sum", l, NULL, sum);
    sample_count(f, "_count", l, NULL, n);
}

static void durations(struct family *f, struct labels l, const struct sv_histogram *h)
{
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
        sample_count(f, "_bucket", l, bounds[i].le,
                     sv_histogram_count_upto(h, bounds[i].ns));
    finish_histogram(f, l, h->count, (double)h->sum / NS_PER_S);
}

/* ---- metrics of models ---- */

typedef void (*model_fn)(struct family *f, struct labels l,
                         const struct sv_model_counters *c);
typedef void (*stage_fn)(struct family *f, struct labels l,
                         const struct sv_stage_counters *c);

static void each_model(struct family *f, const struct sv_snapshot *s, model_fn put)
{
    for (size_t i = 0; i < s->n_models; i++)
        put(f, (struct labels){ .m = &s->models[i] }, s->models[i].counters);
}

static void each_exit(struct family *f, const struct sv_snapshot *s, stage_fn put)
{
    for (size_t i = 0; i < s->n_models; i++) {
        const struct sv_model_view *v = &s->models[i];
        for (size_t k = 0; k < v->counters->n_stages; k++)
            put(f, (struct labels){ v, "exit", v->exit_names[k] },
                &v->counters->stage[k]);
    }
}

static void each_stage(struct family *f, const struct sv_snapshot *s, stage_fn put)
{
    char text[24];

    for (size_t i = 0; i < s->n_models; i++) {
        const struct sv_model_view *v = &s->models[i];
        for (size_t k = 0; k < v->counters->n_stages; k++) {
            (void)snprintf(text, sizeof(text), "%zu", k);
            put(f, (struct labels){ v, "stage", text }, &v->counters->stage[k]);
        }
    }
}

/* Several statuses share an HTTP code: each code is written once, with their sum. */
static void requests(struct family *f, struct labels l, const struct sv_model_counters *c)
{
    for (size_t i = 0; i < SV_N_STATUSES; i++) {
        int code = al_status_http((enum al_status)i);
        uint64_t n = 0;
        bool first = true;
        char text[12];
        for (size_t k = 0; k < SV_N_STATUSES; k++) {
            if (al_status_http((enum al_status)k) != code)
                continue;
            first = first && k >= i;
            n += c->n_answered[k] + c->n_refused[k];
        }
        (void)snprintf(text, sizeof(text), "%d", code);
        if (first)
            count(f, (struct labels){ l.m, "code", text }, n);
    }
    count(f, (struct labels){ l.m, "code", CODE_CLIENT_LEFT }, c->n_cancelled);
}

static void put_requests(struct family *f, const struct sv_snapshot *s)
{
    each_model(f, s, requests);
}

static void rows(struct family *f, struct labels l, const struct sv_stage_counters *c)
{
    count(f, l, c->n_rows);
}

static void put_rows(struct family *f, const struct sv_snapshot *s)
{
    each_exit(f, s, rows);
}

static void forced(struct family *f, struct labels l, const struct sv_stage_counters *c)
{
    count(f, l, c->n_forced);
}

static void put_forced(struct family *f, const struct sv_snapshot *s)
{
    each_exit(f, s, forced);
}

static void rows_failed(struct family *f, struct labels l,
                        const struct sv_model_counters *c)
{
    count(f, l, c->n_rows_failed);
}

static void put_rows_failed(struct family *f, const struct sv_snapshot *s)
{
    each_model(f, s, rows_failed);
}

static void rejected(struct family *f, struct labels l, const struct sv_model_counters *c)
{
    for (size_t i = 0; i < SV_N_REJECTS; i++)
        count(f, (struct labels){ l.m, "reason", sv_reject_label((enum sv_reject)i) },
              c->n_rejected[i]);
}

static void put_rejected(struct family *f, const struct sv_snapshot *s)
{
    each_model(f, s, rejected);
}

static void request_s(struct family *f, struct labels l,
                      const struct sv_model_counters *c)
{
    durations(f, l, &c->total_ns);
}

static void put_request_s(struct family *f, const struct sv_snapshot *s)
{
    each_model(f, s, request_s);
}

static void queue_s(struct family *f, struct labels l, const struct sv_model_counters *c)
{
    durations(f, l, &c->queue_ns);
}

static void put_queue_s(struct family *f, const struct sv_snapshot *s)
{
    each_model(f, s, queue_s);
}

static void decode_s(struct family *f, struct labels l, const struct sv_model_counters *c)
{
    durations(f, l, &c->decode_ns);
}

static void put_decode_s(struct family *f, const struct sv_snapshot *s)
{
    each_model(f, s, decode_s);
}

static void exit_s(struct family *f, struct labels l, const struct sv_stage_counters *c)
{
    durations(f, l, &c->total_ns);
}

static void put_exit_s(struct family *f, const struct sv_snapshot *s)
{
    each_exit(f, s, exit_s);
}

static void stage_s(struct family *f, struct labels l, const struct sv_stage_counters *c)
{
    durations(f, l, &c->run_ns);
}

static void put_stage_s(struct family *f, const struct sv_snapshot *s)
{
    each_stage(f, s, stage_s);
}

static void batch_rows(struct family *f, struct labels l,
                       const struct sv_stage_counters *c)
{
    uint64_t n = 0, sum = 0;
    char le[24];

    for (size_t b = 1; b <= SV_MAX_BATCH; b++) {
        n += c->by_batch[b].count;
        sum += c->by_batch[b].count * b;
        if (b & (b - 1)) /* boundaries are the powers of two */
            continue;
        (void)snprintf(le, sizeof(le), "%zu", b);
        sample_count(f, "_bucket", l, le, n);
    }
    finish_histogram(f, l, n, (double)sum);
}

static void put_batch_rows(struct family *f, const struct sv_snapshot *s)
{
    each_stage(f, s, batch_rows);
}

static void score(struct family *f, struct labels l, const struct sv_stage_counters *c)
{
    uint64_t n = 0;
    char le[24];

    for (size_t i = 0; i < SV_SCORE_BINS; i++) {
        n += c->score_bin[i];
        (void)snprintf(le, sizeof(le), "%g", (double)(i + 1) / SV_SCORE_BINS);
        sample_count(f, "_bucket", l, le, n);
    }
    finish_histogram(f, l, n, c->score_sum);
}

static void put_score(struct family *f, const struct sv_snapshot *s)
{
    each_exit(f, s, score);
}

static void put_queue_rows(struct family *f, const struct sv_snapshot *s)
{
    char text[24];

    for (size_t i = 0; i < s->n_models; i++) {
        const struct sv_model_view *v = &s->models[i];
        for (size_t k = 0; k < v->counters->n_stages; k++) {
            (void)snprintf(text, sizeof(text), "%zu", k);
            count(f, (struct labels){ v, "stage", text }, v->n_rows_queued[k]);
        }
    }
}

static void queue_requests(struct family *f, struct labels l,
                           const struct sv_model_counters *c)
{
    (void)c;
    count(f, l, l.m->n_decode_queued);
}

static void put_queue_requests(struct family *f, const struct sv_snapshot *s)
{
    each_model(f, s, queue_requests);
}

/* ---- metrics of the server ---- */

static void put_inflight_rows(struct family *f, const struct sv_snapshot *s)
{
    count(f, no_labels, s->n_rows);
}

static void put_inflight_bytes(struct family *f, const struct sv_snapshot *s)
{
    count(f, no_labels, s->n_bytes);
}

static void put_drain(struct family *f, const struct sv_snapshot *s)
{
    sample(f, "", no_labels, NULL, (double)s->drain_ns / NS_PER_S);
}

static void put_workers(struct family *f, const struct sv_snapshot *s)
{
    count(f, no_labels, s->n_workers);
}

static void put_connections(struct family *f, const struct sv_snapshot *s)
{
    count(f, no_labels, s->net.connections_open);
}

static void put_connections_total(struct family *f, const struct sv_snapshot *s)
{
    count(f, no_labels, s->net.connections_total);
}

static void put_cut(struct family *f, const struct sv_snapshot *s)
{
    const struct {
        const char *reason;
        uint64_t n;
    } cuts[] = { { "header", s->net.cut_header },
                 { "body", s->net.cut_body },
                 { "idle", s->net.cut_idle },
                 { "write", s->net.cut_write },
                 { "stalled", s->net.cut_stalled } };

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
        count(f, (struct labels){ .key = "reason", .value = cuts[i].reason }, cuts[i].n);
}

static void put_answers(struct family *f, const struct sv_snapshot *s)
{
    char code[12];
    const struct labels l = { .key = "code", .value = code };

    for (size_t i = 0; i < SV_HTTP_STATUSES; i++) {
        if (s->net.answers[i] == 0)
            continue;
        (void)snprintf(code, sizeof(code), "%zu", i);
        count(f, l, s->net.answers[i]);
    }
}

static void put_build(struct family *f, const struct sv_snapshot *s)
{
    (void)s;
    count(f, (struct labels){ .key = "version", .value = ALIGHT_VERSION }, 1);
}

static void put_cpu(struct family *f, const struct sv_snapshot *s)
{
    sample(f, "", no_labels, NULL, s->process.cpu_s);
}

static void put_resident(struct family *f, const struct sv_snapshot *s)
{
    count(f, no_labels, s->process.resident_bytes);
}

static void put_virtual(struct family *f, const struct sv_snapshot *s)
{
    count(f, no_labels, s->process.virtual_bytes);
}

static void put_open_files(struct family *f, const struct sv_snapshot *s)
{
    count(f, no_labels, s->process.open_files);
}

static void put_max_files(struct family *f, const struct sv_snapshot *s)
{
    count(f, no_labels, s->process.max_files);
}

static void put_start(struct family *f, const struct sv_snapshot *s)
{
    sample(f, "", no_labels, NULL, s->process.start_s);
}

/* ---- Triton's ---- */

#define TRITON(name, expression)                                    \
    static void name##_of(struct family *f, struct labels l,        \
                          const struct sv_model_counters *c)        \
    {                                                               \
        (void)c;                                                    \
        count(f, l, (expression));                                  \
    }                                                               \
                                                                    \
    static void name(struct family *f, const struct sv_snapshot *s) \
    {                                                               \
        each_model(f, s, name##_of);                                \
    }

static uint64_t count_rows(const struct sv_model_counters *c)
{
    uint64_t n = 0;

    for (size_t k = 0; k < c->n_stages; k++)
        n += c->stage[k].n_rows;
    return n;
}

static uint64_t count_runs(const struct sv_model_counters *c)
{
    uint64_t n = 0;

    for (size_t k = 0; k < c->n_stages; k++)
        n += c->stage[k].run_ns.count;
    return n;
}

TRITON(put_nv_success, c->total.count)
TRITON(put_nv_failure, c->failed.count)
TRITON(put_nv_count, count_rows(c))
TRITON(put_nv_exec, count_runs(c))
TRITON(put_nv_request, c->total.ns / NS_PER_US)
TRITON(put_nv_queue, c->queue.ns / NS_PER_US)
TRITON(put_nv_input, c->decode.ns / NS_PER_US)
TRITON(put_nv_infer, c->compute.ns / NS_PER_US)
TRITON(put_nv_output, 0)

/* ---- the tables ---- */

struct metric {
    const char *name, *type, *labels;
    void (*put)(struct family *f, const struct sv_snapshot *s);
    const char *help;
};

#define X(name, type, labels, put, help) { name, type, labels, put, help },
static const struct metric metrics[] = { SV_METRIC_LIST(X) };
static const struct metric triton_metrics[] = { SV_TRITON_METRIC_LIST(X) };
#undef X

#define N_METRICS        (sizeof(metrics) / sizeof(metrics[0]))
#define N_TRITON_METRICS (sizeof(triton_metrics) / sizeof(triton_metrics[0]))

static void put_all(struct sv_text *t, const struct sv_snapshot *s,
                    const struct metric *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct family f = { .t = t, .name = m[i].name };
        sv_text_printf(t, "# HELP %s %s\n# TYPE %s %s\n", f.name, m[i].help, f.name,
                       m[i].type);
        m[i].put(&f, s);
    }
}

void sv_metrics_text(struct sv_text *t, const struct sv_snapshot *s)
{
    put_all(t, s, metrics, N_METRICS);
}

void sv_metrics_triton_text(struct sv_text *t, const struct sv_snapshot *s)
{
    put_all(t, s, metrics, N_METRICS);
    put_all(t, s, triton_metrics, N_TRITON_METRICS);
}

static void print_rows(FILE *to, const struct metric *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)fprintf(to, "| `%s` | %s | %s | %s |\n", m[i].name, m[i].type, m[i].labels,
                      m[i].help);
}

void sv_metrics_print_page(FILE *to)
{
    (void)fputs(
        "# Metrics\n\n<!-- Made by `alightd --print-metrics`; do not edit. -->\n\n"
        "`GET /metrics` answers in Prometheus' text format. Counters begin at zero "
        "when a version of a model is first\nloaded; loading it again keeps them. At any "
        "instant, for every model: images accepted = sum of\n`alight_rows_total` + "
        "`alight_rows_failed_total` + those in flight. The boundaries of durations are "
        "met to\nwithin 1/16. With `--triton-metrics`, Triton's names are there, too.\n\n"
        "| metric | type | labels | meaning |\n|---|---|---|---|\n",
        to);
    print_rows(to, metrics, N_METRICS);
    print_rows(to, triton_metrics, N_TRITON_METRICS);
}
