/* series.h — repeated measurements of one thing, told by median and quartiles. */
#ifndef TL_SERIES_H
#define TL_SERIES_H

#include <stddef.h>

#define TL_SERIES_MAX 1024

struct tl_series {
    size_t n;
    double v[TL_SERIES_MAX];
};

struct tl_spread {
    double low, median, high; /* 25 %, 50 %, 75 % */
};

/* Past TL_SERIES_MAX values further ones are dropped. */
void tl_series_add(struct tl_series *s, double v);
/* Of at least one value. */
struct tl_spread tl_series_spread(const struct tl_series *s);

#endif
