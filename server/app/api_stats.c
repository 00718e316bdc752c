/* api_stats.c — what can be seen of the server: /stats, /metrics, Triton's statistics,
 * and the page that shows the first of these. */
#include "server/app/app.h"
#include "server/app/metrics.h"
#include "server/app/snapshot.h"
#include "server/app/stats.h"

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define PAGE_TYPE       "text/html; charset=utf-8"
/* The page may ask us for figures and otherwise nobody for anything. */
#define PAGE_POLICY                                                        \
    "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; " \
    "style-src 'unsafe-inline'; frame-ancestors 'none'"

typedef void (*render_fn)(struct sv_text *t, const struct sv_snapshot *s);

/* Answers with a snapshot of `only`, or of every model when it is NULL. */
static void answer(struct sv_exchange *x, const struct sv_model *only, render_fn render)
{
    struct sv_text t = { 0 };
    struct sv_snapshot s;
    struct al_error err;

    if (sv_snapshot_take(sv_app_of(x), only, &s, &err) != AL_OK) {
        sv_reply_failure(&x->reply, &err);
        return;
    }
    render(&t, &s);
    sv_snapshot_done(&s);
    sv_api_json(x, 200, &t);
}

void sv_api_stats(struct sv_exchange *x)
{
    answer(x, NULL, sv_stats_json);
}

void sv_api_page(struct sv_exchange *x)
{
    sv_reply_static(&x->reply, 200, sv_page, PAGE_TYPE);
    sv_reply_header(&x->reply, "Content-Security-Policy", PAGE_POLICY);
}

void sv_api_metrics(struct sv_exchange *x)
{
    answer(x, NULL,
           sv_app_of(x)->config.triton_metrics ? sv_metrics_triton_text
                                               : sv_metrics_text);
    if (x->reply.status == 200)
        x->reply.content_type = PROMETHEUS_TYPE;
}

void sv_api_all_statistics(struct sv_exchange *x)
{
    answer(x, NULL, sv_stats_oip);
}

void sv_api_statistics(struct sv_exchange *x)
{
    struct sv_model *m;
    struct al_error err;

    if (sv_api_model(x, &m, &err) == AL_OK)
        answer(x, m, sv_stats_oip);
    else
        sv_reply_failure(&x->reply, &err);
}
