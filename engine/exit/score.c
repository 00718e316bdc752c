#include "engine/exit/score.h"

#include <math.h>
#include <string.h>

static const char *const score_names[] = {
#define X(id, name) [AL_SCORE_##id] = (name),
    AL_SCORE_LIST(X)
#undef X
};

const char *al_score_name(enum al_score s)
{
    return s < AL_N_SCORES ? score_names[s] : "unknown";
}

enum al_score al_score_find(const char *name)
{
    unsigned s = 0;

    while (s < AL_N_SCORES && strcmp(score_names[s], name) != 0)
        s++;
    return (enum al_score)s;
}

void al_softmax(const float *logits, size_t n, float *probs)
{
    float top = -INFINITY;
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        top = fmaxf(top, logits[i]); /* ignores NaN; the sum will not */
    for (size_t i = 0; i < n; i++) {
        probs[i] = expf(logits[i] - top);
        sum += (double)probs[i];
    }
    if (!isfinite(sum)) { /* a NaN, +inf, or nothing but -inf: no answer at all */
        memset(probs, 0, n * sizeof(*probs));
        return;
    }
    for (size_t i = 0; i < n; i++)
        probs[i] = (float)((double)probs[i] / sum);
}

/* The largest and second largest of n >= 1 probabilities; any NaN shows in `sum`. */
struct top_two {
    uint32_t index;
    float first, second, sum;
};

static struct top_two find_top_two(const float *probs, size_t n)
{
    struct top_two t = { .index = 0, .first = probs[0], .second = 0, .sum = probs[0] };

    for (size_t i = 1; i < n; i++) {
        t.sum += probs[i];
        if (probs[i] > t.first) {
            t.second = t.first;
            t.first = probs[i];
            t.index = (uint32_t)i;
        } else if (probs[i] > t.second) {
            t.second = probs[i];
        }
    }
    return t;
}

static float certainty_by_entropy(const float *probs, size_t n)
{
    double entropy = 0;

    if (n == 1)
        return 1;
    for (size_t i = 0; i < n; i++) {
        if (probs[i] > 0)
            entropy -= (double)probs[i] * log((double)probs[i]);
    }
    return fminf(fmaxf((float)(1 - entropy / log((double)n)), 0), 1);
}

float al_score_of(enum al_score s, const float *probs, size_t n, uint32_t *ret_top)
{
    const struct top_two top = find_top_two(probs, n);

    if (ret_top)
        *ret_top = top.index;
    if (!isfinite(top.sum) || !(top.first > 0))
        return 0; /* not a distribution: never sure */
    switch (s) {
    case AL_SCORE_MARGIN:
        return fminf(top.first - top.second, 1);
    case AL_SCORE_MAX_PROB:
        return fminf(top.first, 1);
    case AL_SCORE_ENTROPY:
        return certainty_by_entropy(probs, n);
    case AL_N_SCORES:
        break;
    }
    return 0;
}
