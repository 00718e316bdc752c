#include "server/app/metrics_sample.h"

#include <float.h>
#include <string.h>

#define NS_PER_S 1e9

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

static void put_label(struct sv_text *t, const char **comma, const char *key,
                      const char *value)
{
    sv_text_str(t, *comma);
    sv_text_str(t, key);
    sv_text_str(t, "=\"");
    while (*value) {
        size_t plain = strcspn(value, "\n\"\\");

        sv_text_bytes(t, value, plain);
        value += plain;
        if (*value == '\0')
            break;
        sv_text_str(t, "\\");
        sv_text_bytes(t, *value == '\n' ? "n" : value, 1);
        value++;
    }
    sv_text_str(t, "\"");
    *comma = ",";
}

static void put_labels(struct sv_text *t, struct sv_labels l, const char *le)
{
    const char *comma = "{";

    if (l.m) {
        put_label(t, &comma, "model", l.m->name);
        sv_text_str(t, ",version=\"");
        sv_text_u64(t, l.m->version);
        sv_text_str(t, "\"");
    }
    if (l.key)
        put_label(t, &comma, l.key, l.value);
    if (le)
        put_label(t, &comma, "le", le);
    if (*comma == ',')
        sv_text_str(t, "}");
}

static void begin(struct sv_family *f, const char *suffix, struct sv_labels l,
                  const char *le)
{
    sv_text_str(f->t, f->name);
    sv_text_str(f->t, suffix);
    put_labels(f->t, l, le);
    sv_text_str(f->t, " ");
}

static void put_number(struct sv_family *f, const char *suffix, struct sv_labels l,
                       double value)
{
    begin(f, suffix, l, NULL);
    sv_text_number(f->t, value, DBL_DIG);
    sv_text_str(f->t, "\n");
}

static void put_count(struct sv_family *f, const char *suffix, struct sv_labels l,
                      const char *le, uint64_t n)
{
    begin(f, suffix, l, le);
    sv_text_u64(f->t, n);
    sv_text_str(f->t, "\n");
}

void sv_sample_number(struct sv_family *f, struct sv_labels l, double value)
{
    put_number(f, "", l, value);
}

void sv_sample_count(struct sv_family *f, struct sv_labels l, uint64_t n)
{
    put_count(f, "", l, NULL, n);
}

void sv_sample_bucket(struct sv_family *f, struct sv_labels l, const char *le, uint64_t n)
{
    put_count(f, "_bucket", l, le, n);
}

void sv_sample_end(struct sv_family *f, struct sv_labels l, uint64_t n, double sum)
{
    put_count(f, "_bucket", l, "+Inf", n);
    put_number(f, "_sum", l, sum);
    put_count(f, "_count", l, NULL, n);
}

void sv_sample_durations(struct sv_family *f, struct sv_labels l,
                         const struct sv_histogram *h)
{
    struct sv_histogram_walk walk = { 0 };

    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
        sv_sample_bucket(f, l, bounds[i].le, sv_histogram_upto(h, &walk, bounds[i].ns));
    sv_sample_end(f, l, h->count, (double)h->sum / NS_PER_S);
}
