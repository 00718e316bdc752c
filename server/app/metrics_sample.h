/* metrics_sample.h — samples of one metric as lines of text. */
#ifndef SV_APP_METRICS_SAMPLE_H
#define SV_APP_METRICS_SAMPLE_H

#include "server/app/snapshot.h"
#include "server/proto/text.h"

/* Where the samples of one metric go. */
struct sv_family {
    struct sv_text *t;
    const char *name;
};

/* Labels of a sample: of a model or none, and one more or none. */
struct sv_labels {
    const struct sv_model_view *m;
    const char *key, *value;
};

/* What a metric is to tell of: the server, a model of it, or a stage or exit of that. */
struct sv_metric_at {
    const struct sv_snapshot *s;
    const struct sv_model_view *m; /* NULL: the server */
    size_t k;                      /* stage or exit */
    struct sv_labels labels;       /* of all that */
};

void sv_sample_number(struct sv_family *f, struct sv_labels l, double value);
void sv_sample_count(struct sv_family *f, struct sv_labels l, uint64_t n);

/* A histogram: its buckets ascending, each counting those below too, then its end. */
void sv_sample_bucket(struct sv_family *f, struct sv_labels l, const char *le,
                      uint64_t n);
void sv_sample_end(struct sv_family *f, struct sv_labels l, uint64_t n, double sum);
/* A whole one of times. */
void sv_sample_durations(struct sv_family *f, struct sv_labels l,
                         const struct sv_histogram *h);

#endif
