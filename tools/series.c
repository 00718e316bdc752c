#include "tools/series.h"

#include <stdlib.h>
#include <string.h>

void tl_series_add(struct tl_series *s, double v)
{
    if (s->n < TL_SERIES_MAX)
        s->v[s->n++] = v;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Quantile of sorted values, linear between neighbours. */
static double quantile(const double *v, size_t n, double q)
{
    const double at = q * (double)(n - 1);
    const size_t i = (size_t)at;

    return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[n - 1];
}

struct tl_spread tl_series_spread(const struct tl_series *s)
{
    double sorted[TL_SERIES_MAX];

    memcpy(sorted, s->v, s->n * sizeof(sorted[0]));
    qsort(sorted, s->n, sizeof(sorted[0]), ascending);
    return (struct tl_spread){ quantile(sorted, s->n, 0.25), quantile(sorted, s->n, 0.5),
                               quantile(sorted, s->n, 0.75) };
}
