/* metrics_server.c — what is counted for the server and its process. */
#include <stdio.h>

#include "server/app/metrics_list.h"

void sv_metric_inflight_rows(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->n_rows);
}

void sv_metric_inflight_bytes(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->n_bytes);
}

void sv_metric_drain(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_number(f, at->labels, (double)at->s->drain_ns * 1e-9);
}

void sv_metric_inflight_rows_limit(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->max_rows);
}

void sv_metric_inflight_bytes_limit(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->max_bytes);
}

void sv_metric_body_bytes(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->net.bodies_bytes);
}

void sv_metric_ready(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->is_ready);
}

void sv_metric_models(struct sv_family *f, const struct sv_metric_at *at)
{
    for (size_t i = 0; i < SV_N_MODEL_STATES; i++) {
        const char *state = sv_model_state_name((enum sv_model_state)i);

        sv_sample_count(f, (struct sv_labels){ NULL, "state", state },
                        at->s->n_by_state[i]);
    }
}

void sv_metric_loads(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, (struct sv_labels){ NULL, "result", "ok" }, at->s->loads.n_loaded);
    sv_sample_count(f, (struct sv_labels){ NULL, "result", "failed" },
                    at->s->loads.n_failed);
}

void sv_metric_workers(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->n_workers);
}

void sv_metric_connections(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->net.connections_open);
}

void sv_metric_connections_limit(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->max_connections);
}

void sv_metric_connections_total(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->net.connections_total);
}

void sv_metric_cut(struct sv_family *f, const struct sv_metric_at *at)
{
    const struct sv_net_counts *net = &at->s->net;
    const struct {
        const char *reason;
        uint64_t n;
    } cuts[] = { { "header", net->cut_header },
                 { "body", net->cut_body },
                 { "idle", net->cut_idle },
                 { "write", net->cut_write },
                 { "stalled", net->cut_stalled } };

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
        sv_sample_count(f, (struct sv_labels){ NULL, "reason", cuts[i].reason },
                        cuts[i].n);
}

void sv_metric_answers(struct sv_family *f, const struct sv_metric_at *at)
{
    char code[12];

    for (size_t i = 0; i < SV_HTTP_STATUSES; i++) {
        if (at->s->net.answers[i] == 0)
            continue;
        (void)snprintf(code, sizeof(code), "%zu", i);
        sv_sample_count(f, (struct sv_labels){ NULL, "code", code },
                        at->s->net.answers[i]);
    }
}

void sv_metric_build(struct sv_family *f, const struct sv_metric_at *at)
{
    (void)at;
    sv_sample_count(f, (struct sv_labels){ NULL, "version", ALIGHT_VERSION }, 1);
}

void sv_metric_cpu(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_number(f, at->labels, at->s->process.cpu_s);
}

void sv_metric_resident(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->process.resident_bytes);
}

void sv_metric_virtual(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->process.virtual_bytes);
}

void sv_metric_open_files(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->process.open_files);
}

void sv_metric_max_files(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, at->s->process.max_files);
}

void sv_metric_start(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_number(f, at->labels, at->s->process.start_s);
}
