/* metrics_triton.c — the same counters under Triton's names. */
#include "server/app/metrics_list.h"

#define NS_PER_US 1000U

static const struct sv_model_counters *model(const struct sv_metric_at *at)
{
    return at->m->counters;
}

void sv_metric_nv_success(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, model(at)->total.count);
}

void sv_metric_nv_failure(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, model(at)->failed.count);
}

void sv_metric_nv_count(struct sv_family *f, const struct sv_metric_at *at)
{
    const struct sv_model_counters *c = model(at);
    uint64_t n = 0;

    for (size_t k = 0; k < c->n_stages; k++)
        n += c->stage[k].n_rows;
    sv_sample_count(f, at->labels, n);
}

void sv_metric_nv_exec(struct sv_family *f, const struct sv_metric_at *at)
{
    const struct sv_model_counters *c = model(at);
    uint64_t n = 0;

    for (size_t k = 0; k < c->n_stages; k++)
        n += c->stage[k].run_ns.count;
    sv_sample_count(f, at->labels, n);
}

void sv_metric_nv_request(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, model(at)->total.ns / NS_PER_US);
}

void sv_metric_nv_queue(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, model(at)->queue.ns / NS_PER_US);
}

void sv_metric_nv_input(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, model(at)->decode.ns / NS_PER_US);
}

void sv_metric_nv_infer(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, model(at)->compute.ns / NS_PER_US);
}

void sv_metric_nv_output(struct sv_family *f, const struct sv_metric_at *at)
{
    sv_sample_count(f, at->labels, 0);
}
