/* Pillow's antialiasing scheme (src/libImaging/Resample.c): when an axis shrinks, the
 * filter's support grows by the reduction factor; weights are normalised in double and
 * then rounded to fixed point, one by one. The operations and their order are kept where
 * a different rounding could show. */
#include "package/taps.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/check.h"

typedef double (*filter_fn)(double x);

static double triangle(double x)
{
    return fmax(0.0, 1.0 - fabs(x));
}

/* Keys' cubic convolution, a = -1/2. */
static double cubic(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

static double sinc(double x)
{
    x *= M_PI;
    return fabs(x) < 1e-9 ? 1.0 : sin(x) / x;
}

static double lanczos3(double x)
{
    return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
}

static const struct {
    filter_fn fn;
    double support;
} filters[PK_N_FILTERS] = {
    [PK_FILTER_BILINEAR] = { triangle, 1.0 },
    [PK_FILTER_BICUBIC] = { cubic, 2.0 },
    [PK_FILTER_LANCZOS] = { lanczos3, 3.0 },
};

static int32_t to_fixed(double weight)
{
    double scaled = weight * (1 << PK_TAP_BITS);

    return (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

/* One axis while its taps are computed. */
struct axis {
    filter_fn filter;
    double step;    /* source pixels per output pixel */
    double stretch; /* of the filter: step when shrinking, else 1 */
    double support; /* radius in source pixels */
    uint32_t n_source;
    uint32_t max_taps;
    double *scratch; /* [max_taps] */
};

/* Weights of output pixel `i` of the full axis. */
static void fill_tap(const struct axis *a, uint32_t i, int32_t *weights,
                     struct pk_tap *tap)
{
    double center = (i + 0.5) * a->step;
    double low = fmax(0.0, center - a->support + 0.5);
    double high = fmin(a->n_source, center + a->support + 0.5);
    double sum = 0.0;

    tap->first = (uint32_t)low;
    tap->n = (uint32_t)high - tap->first;
    tap->weights = weights;
    for (uint32_t k = 0; k < tap->n; k++) {
        a->scratch[k] = a->filter((tap->first + k - center + 0.5) * (1.0 / a->stretch));
        sum += a->scratch[k];
    }
    for (uint32_t k = 0; k < tap->n; k++)
        weights[k] = to_fixed(a->scratch[k] / sum);
}

static enum al_status fill_filtered(struct pk_taps *t, struct axis *a,
                                    struct pk_span span, struct al_error *err)
{
    size_t n_weights;

    a->max_taps = (uint32_t)ceil(a->support) * 2 + 1;
    a->scratch = calloc(a->max_taps, sizeof(*a->scratch));
    if (a->scratch && al_mul(span.length, a->max_taps, &n_weights))
        t->weights = calloc(n_weights, sizeof(*t->weights));
    if (!a->scratch || !t->weights) {
        free(a->scratch);
        return al_fail(err, AL_NO_MEMORY, "resize to %u pixels", span.full);
    }
    for (uint32_t i = 0; i < span.length; i++)
        fill_tap(a, span.start + i, t->weights + (size_t)i * a->max_taps, &t->taps[i]);
    free(a->scratch);
    return AL_OK;
}

/* Pillow steps through the source by repeated addition, and rounds as that does. */
static enum al_status fill_nearest(struct pk_taps *t, uint32_t n_source,
                                   struct pk_span span, struct al_error *err)
{
    double step = (double)n_source / span.full;
    double x = step * 0.5;

    t->weights = malloc(sizeof(*t->weights));
    if (!t->weights)
        return al_fail(err, AL_NO_MEMORY, "resize to %u pixels", span.full);
    t->weights[0] = 1 << PK_TAP_BITS;
    for (uint32_t i = 0; i < span.start + span.length; i++) {
        uint32_t at = x < n_source ? (uint32_t)x : n_source - 1;

        if (i >= span.start)
            t->taps[i - span.start] =
                (struct pk_tap){ .first = at, .n = 1, .weights = t->weights };
        x += step;
    }
    return AL_OK;
}

enum al_status pk_taps_init(struct pk_taps *t, uint32_t n_source, struct pk_span span,
                            enum pk_filter filter, struct al_error *err)
{
    double step = (double)n_source / span.full;
    double stretch = fmax(1.0, step);
    struct axis axis = {
        .filter = filters[filter].fn,
        .step = step,
        .stretch = stretch,
        .support = filters[filter].support * stretch,
        .n_source = n_source,
    };

    *t = (struct pk_taps){ .length = span.length };
    t->taps = calloc(span.length, sizeof(*t->taps));
    if (!t->taps)
        return al_fail(err, AL_NO_MEMORY, "resize to %u pixels", span.full);
    if (!axis.filter)
        return fill_nearest(t, n_source, span, err);
    return fill_filtered(t, &axis, span, err);
}

void pk_taps_done(struct pk_taps *t)
{
    free(t->taps);
    free(t->weights);
    *t = (struct pk_taps){ 0 };
}
