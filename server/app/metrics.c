#include "server/app/metrics.h"

#include "server/app/metrics_list.h"

struct metric {
    const char *name, *type;
    enum sv_metric_per per;
    const char *labels;
    void (*put)(struct sv_family *f, const struct sv_metric_at *at);
    const char *help;
};

#define X(name, type, per, labels, put, help) \
    { name, type, SV_PER_##per, labels, sv_metric_##put, help },
static const struct metric metrics[] = { SV_METRIC_LIST(X) };
static const struct metric triton_metrics[] = { SV_TRITON_METRIC_LIST(X) };
#undef X

#define N_METRICS        (sizeof(metrics) / sizeof(metrics[0]))
#define N_TRITON_METRICS (sizeof(triton_metrics) / sizeof(triton_metrics[0]))

/* ---- samples ---- */

static void put_exits(const struct metric *m, struct sv_family *f,
                      struct sv_metric_at *at)
{
    for (at->k = 0; at->k < at->m->counters->n_stages; at->k++) {
        at->labels = (struct sv_labels){ at->m, "exit", at->m->exit_names[at->k] };
        m->put(f, at);
    }
}

static void put_stages(const struct metric *m, struct sv_family *f,
                       struct sv_metric_at *at)
{
    char number[24];

    for (at->k = 0; at->k < at->m->counters->n_stages; at->k++) {
        (void)snprintf(number, sizeof(number), "%zu", at->k);
        at->labels = (struct sv_labels){ at->m, "stage", number };
        m->put(f, at);
    }
}

static void put_models(const struct metric *m, struct sv_family *f,
                       const struct sv_snapshot *s)
{
    for (size_t i = 0; i < s->n_models; i++) {
        struct sv_metric_at at = { .s = s, .m = &s->models[i] };

        at.labels.m = at.m;
        if (m->per == SV_PER_EXIT)
            put_exits(m, f, &at);
        else if (m->per == SV_PER_STAGE)
            put_stages(m, f, &at);
        else
            m->put(f, &at);
    }
}

static void put_all(struct sv_text *t, const struct sv_snapshot *s,
                    const struct metric *m, size_t n)
{
    const struct sv_metric_at server = { .s = s };

    for (size_t i = 0; i < n; i++) {
        struct sv_family f = { .t = t, .name = m[i].name };

        sv_text_printf(t, "# HELP %s %s\n# TYPE %s %s\n", f.name, m[i].help, f.name,
                       m[i].type);
        if (m[i].per == SV_PER_SERVER)
            m[i].put(&f, &server);
        else
            put_models(&m[i], &f, s);
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

/* ---- the page ---- */

static void print_rows(FILE *to, const struct metric *m, size_t n)
{
    static const char *const per_labels[] = {
#define X(id, labels) [SV_PER_##id] = labels,
        SV_METRIC_PER_LIST(X)
#undef X
    };

    for (size_t i = 0; i < n; i++) {
        const char *both = per_labels[m[i].per][0] && m[i].labels[0] ? ", " : "";

        (void)fprintf(to, "| `%s` | %s | %s%s%s | %s |\n", m[i].name, m[i].type,
                      per_labels[m[i].per], both, m[i].labels, m[i].help);
    }
}

void sv_metrics_print_page(FILE *to)
{
    (void)fputs(
        "# Metrics\n\n<!-- Made by `alightd --print-metrics`; do not edit. -->\n\n"
        "`GET /metrics` answers in Prometheus' text format. Counters begin at zero "
        "when a version of a model is first\nloaded; loading it again keeps them, unloading it forgets them. At any "
        "instant, for every model: images accepted = sum of\n`alight_rows_total` + "
        "`alight_rows_failed_total` + those in flight. The boundaries of durations are "
        "met to\nwithin 1/16. With `--triton-metrics`, Triton's names are there, too.\n\n"
        "| metric | type | labels | meaning |\n|---|---|---|---|\n",
        to);
    print_rows(to, metrics, N_METRICS);
    print_rows(to, triton_metrics, N_TRITON_METRICS);
}
