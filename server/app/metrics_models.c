/* metrics_models.c — what is counted for models, their exits and stages. */
#include <stdio.h>

#include "engine/base/status.h"
#include "server/app/metrics_list.h"

#define CODE_CLIENT_LEFT "499" /* nginx's */

static const struct sv_model_counters *model(const struct sv_metric_at *at)
{
    return at->m->counters;
}

static const struct sv_stage_counters *stage(const struct sv_metric_at *at)
{
    return &at->m->counters->stage[at->k];
}

/* ---- models ---- */

/* Several statuses share an HTTP code: each code is written once, with their sum. */
void sv_metric_requests(struct sv_family *f, const struct sv_metric_at *at)
{
    const struct sv_model_counters *c = model(at);

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
            sv_sample_count(f, (struct sv_labels){ at->m, "code", text }, n);
    }
    sv_sample_count(f, (struct sv_labels){ at->m, "code", CODE_CLIENT_LEFT },
                    c->n_cancelled);
}

void sv_metric_rows_failed(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, model(at)->n_rows_failed);
}

void sv_metric_rejected(struct sv_family *f, const struct sv_metric_at *at)
{
    for (size_t i = 0; i < SV_N_REJECTS; i++) {
        const char *reason = sv_reject_label((enum sv_reject)i);

        sv_sample_count(f, (struct sv_labels){ at->m, "reason", reason },
                        model(at)->n_rejected[i]);
    }
}

void sv_metric_request_s(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_durations(f, at->labels, &model(at)->total_ns);
}

void sv_metric_queue_s(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_durations(f, at->labels, &model(at)->queue_ns);
}

void sv_metric_decode_s(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_durations(f, at->labels, &model(at)->decode_ns);
}

void sv_metric_queue_requests(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->m->n_decode_queued);
}

/* ---- exits ---- */

void sv_metric_rows(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, stage(at)->n_rows);
}

void sv_metric_forced(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, stage(at)->n_forced);
}

void sv_metric_exit_s(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_durations(f, at->labels, &stage(at)->total_ns);
}

void sv_metric_score(struct sv_family *f, const struct sv_metric_at *at)
{
    const struct sv_stage_counters *c = stage(at);
    uint64_t n = 0;
    char le[24];

    for (size_t i = 0; i < SV_SCORE_BINS; i++) {
        n += c->score_bin[i];
        (void)snprintf(le, sizeof(le), "%g", (double)(i + 1) / SV_SCORE_BINS);
        sv_sample_bucket(f, at->labels, le, n);
    }
    sv_sample_end(f, at->labels, n, c->score_sum);
}

/* ---- stages ---- */

void sv_metric_stage_s(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_durations(f, at->labels, &stage(at)->run_ns);
}

void sv_metric_helped_runs(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, stage(at)->n_helped);
}

void sv_metric_queue_rows(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->m->n_rows_queued[at->k]);
}

void sv_metric_batch_rows(struct sv_family *f, const struct sv_metric_at *at)
{
    const struct sv_stage_counters *c = stage(at);
    uint64_t n = 0, sum = 0;
    char le[24];

    for (size_t b = 1; b <= SV_MAX_BATCH; b++) {
        n += c->by_batch[b].count;
        sum += c->by_batch[b].count * b;
        if (b & (b - 1)) /* boundaries are the powers of two */
            continue;
        (void)snprintf(le, sizeof(le), "%zu", b);
        sv_sample_bucket(f, at->labels, le, n);
    }
    sv_sample_end(f, at->labels, n, (double)sum);
}
