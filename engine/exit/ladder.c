/* One threshold, lowered from above every score to the lowest. It only matters where it
 * meets a score: there the rows with that score move to the exit that gave it, unless
 * they had already left earlier. So the sequence of all real thresholds is walked as a
 * sorted list of crossings, ties together, and a level is tested again only where
 * more is lost than is known to be accepted. The order of the sequence does not depend on
 * the data, which is what makes testing on all rows valid. */
#include "engine/exit/ladder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/exit/binomial.h"
#include "engine/exit/net_loss.h"

/* Of the significance, what the limit on a nuisance may cost. */
#define MISS_SHARE     0.2
/* Of the rows, how many losses ahead a test may look: one in so many. */
#define LONGEST_STRIDE 64
/* With every such loss, so many pairs of a loss and a win: the net loss of a walk strays
 * little while the rows that differ grow by every step. */
#define STRIDE_PAIRS   4

/* At thresholds of at most `score` the row would leave at `exit`. */
struct crossing {
    float score;
    uint32_t row;
    uint32_t exit;
};

/* Where the rows leave at the current threshold. */
struct walk {
    const struct al_ladder_data *d;
    float threshold;
    uint32_t *exit; /* [n_rows] */
    size_t left[AL_MAX_EXITS];
    size_t n_losses, n_wins;
};

static bool is_correct(const struct al_ladder_data *d, size_t row, uint32_t exit)
{
    return d->correct[row * d->n_exits + exit] != 0;
}

static bool is_loss(const struct al_ladder_data *d, size_t row, uint32_t exit)
{
    return !is_correct(d, row, exit) && is_correct(d, row, d->n_exits - 1);
}

static bool is_win(const struct al_ladder_data *d, size_t row, uint32_t exit)
{
    return is_correct(d, row, exit) && !is_correct(d, row, d->n_exits - 1);
}

static int by_score_descending(const void *a, const void *b)
{
    const struct crossing *x = a, *y = b;

    return (x->score < y->score) - (x->score > y->score);
}

/* All crossings in the order the falling threshold meets them. A score that is not a
 * number is never met. */
static size_t list_crossings(const struct al_ladder_data *d, struct crossing *ret)
{
    size_t n = 0;

    for (uint32_t i = 0; i < d->n_rows; i++) {
        for (uint32_t k = 0; k + 1 < d->n_exits; k++) {
            const float score = d->score[(size_t)i * d->n_exits + k];

            if (isfinite(score))
                ret[n++] = (struct crossing){ score, i, k };
        }
    }
    qsort(ret, n, sizeof(*ret), by_score_descending);
    return n;
}

static void walk_start(struct walk *w)
{
    const uint32_t last = w->d->n_exits - 1;

    w->threshold = INFINITY;
    w->left[last] = w->d->n_rows;
    for (size_t i = 0; i < w->d->n_rows; i++)
        w->exit[i] = last;
}

static void walk_cross(struct walk *w, const struct crossing *c)
{
    const uint32_t from = w->exit[c->row];

    if (from <= c->exit)
        return;
    w->left[from]--;
    w->left[c->exit]++;
    w->n_losses += is_loss(w->d, c->row, c->exit);
    w->n_losses -= is_loss(w->d, c->row, from);
    w->n_wins += is_win(w->d, c->row, c->exit);
    w->n_wins -= is_win(w->d, c->row, from);
    w->exit[c->row] = c->exit;
}

static double walk_cost(const struct walk *w)
{
    double sum = 0;

    if (isinf(w->threshold))
        return w->d->full_cost;
    for (uint32_t k = 0; k < w->d->n_exits; k++)
        sum += (double)w->left[k] * w->d->cost[k];
    return sum / (double)w->d->n_rows;
}

/* Makes where the walk stands the rule of `level`. */
static void keep(const struct walk *w, struct al_level *level)
{
    const uint32_t n_exits = w->d->n_exits;

    for (uint32_t k = 0; k < n_exits; k++) {
        level->threshold[k] = k + 1 < n_exits ? w->threshold : INFINITY;
        level->share[k] = (double)w->left[k] / (double)w->d->n_rows;
    }
    level->cost = walk_cost(w);
    level->n_losses = (uint32_t)w->n_losses;
    level->n_wins = (uint32_t)w->n_wins;
}

static double significance(const struct al_ladder_params *p)
{
    return (1 - p->confidence) / (double)p->n_levels;
}

static double p_value(const struct al_ladder_params *p, size_t n_rows, double max_loss,
                      size_t n_losses, size_t n_wins)
{
    if (p->loss == AL_LOSS_ONE_SIDED)
        return al_binomial_cdf(n_losses, n_rows, max_loss);
    return al_net_loss_p_value(n_rows, n_losses, n_wins, max_loss,
                               MISS_SHARE * significance(p));
}

/* Outcomes known to be accepted: the p-value rises with the net loss and with the number
 * of rows that differ, so that one test some losses ahead clears the way up to there. */
struct cleared {
    int64_t net;
    size_t n_differing, stride;
};

static bool is_cleared(const struct walk *w, const struct cleared *c)
{
    return (int64_t)w->n_losses - (int64_t)w->n_wins <= c->net &&
           w->n_losses + w->n_wins <= c->n_differing;
}

/* Whether the test of a level would accept `n_more` further losses and their pairs. */
static bool accepts(const struct walk *w, const struct al_ladder_params *p, size_t level,
                    size_t n_more)
{
    const size_t n_rows = w->d->n_rows, n_pairs = STRIDE_PAIRS * n_more;
    const size_t n_losses = w->n_losses + n_more + n_pairs, n_wins = w->n_wins + n_pairs;

    return n_losses + n_wins <= n_rows &&
           p_value(p, n_rows, p->max_loss[level], n_losses, n_wins) <= significance(p);
}

/* The first level from `lowest` on whose test accepts where the walk stands; so do all
 * above it, which allow more. */
static size_t first_accepting(const struct walk *w, const struct al_ladder_params *p,
                              size_t lowest, struct cleared *c)
{
    if (is_cleared(w, c))
        return lowest;
    for (; lowest < p->n_levels && !accepts(w, p, lowest, 0); lowest++)
        c->stride = w->d->n_rows / LONGEST_STRIDE;
    while (lowest < p->n_levels && c->stride > 0 && !accepts(w, p, lowest, c->stride))
        c->stride /= 2;
    c->net = (int64_t)(w->n_losses + c->stride) - (int64_t)w->n_wins;
    c->n_differing = w->n_losses + w->n_wins + (1 + 2 * STRIDE_PAIRS) * c->stride;
    return lowest;
}

/* Walks the whole sequence. `levels` start as the full model and end as the cheapest
 * accepted. */
static void walk_down(struct walk *w, const struct crossing *c, size_t n_crossings,
                      const struct al_ladder_params *p, struct al_level *levels)
{
    struct cleared cleared = { .net = INT64_MIN,
                               .stride = w->d->n_rows / LONGEST_STRIDE };
    size_t lowest = 0; /* levels below it have met their first failure */
    const size_t n_levels = p->n_levels;

    for (size_t i = 0;;) {
        lowest = first_accepting(w, p, lowest, &cleared);
        const double cost = walk_cost(w);

        for (size_t l = lowest; l < n_levels; l++) {
            if (cost < levels[l].cost)
                keep(w, &levels[l]);
        }
        if (i == n_crossings || lowest == n_levels)
            return;
        w->threshold = c[i].score;
        for (; i < n_crossings && !(c[i].score < w->threshold); i++)
            walk_cross(w, &c[i]);
    }
}

static enum al_status check_data(const struct al_ladder_data *d, struct al_error *err)
{
    if (d->n_rows == 0 || d->n_rows > UINT32_MAX)
        return al_fail(err, AL_INVALID, "%zu calibration rows; need 1 to 4294967295",
                       d->n_rows);
    if (d->n_exits == 0 || d->n_exits > AL_MAX_EXITS)
        return al_fail(err, AL_INVALID, "%u exits; need 1 to %d", d->n_exits,
                       AL_MAX_EXITS);
    if (!isfinite(d->full_cost) || d->full_cost < 0)
        return al_fail(err, AL_INVALID, "cost of the full model is %g", d->full_cost);
    for (uint32_t k = 0; k < d->n_exits; k++) {
        if (!isfinite(d->cost[k]) || d->cost[k] < 0)
            return al_fail(err, AL_INVALID, "cost of exit %u is %g", k, d->cost[k]);
    }
    return AL_OK;
}

enum al_status al_ladder_check_params(const struct al_ladder_params *p,
                                      struct al_error *err)
{
    if (!(p->confidence > 0 && p->confidence < 1))
        return al_fail(err, AL_INVALID, "confidence %g is not between 0 and 1",
                       p->confidence);
    if (p->n_levels == 0 || p->n_levels >= AL_MAX_LEVELS)
        return al_fail(err, AL_INVALID, "%zu levels; need 1 to %d", p->n_levels,
                       AL_MAX_LEVELS - 1);
    for (size_t l = 0; l < p->n_levels; l++) {
        const double below = l > 0 ? p->max_loss[l - 1] : 0;

        if (!(p->max_loss[l] > below && p->max_loss[l] < 1))
            return al_fail(err, AL_INVALID,
                           "level %zu: max_loss %g is not between %g and 1", l + 1,
                           p->max_loss[l], below);
    }
    return AL_OK;
}

static void certify(struct walk *w, struct crossing *crossings,
                    const struct al_ladder_params *p, struct al_policy *policy)
{
    const size_t n_crossings = list_crossings(w->d, crossings);
    struct al_level *levels = policy->levels;

    walk_start(w);
    keep(w, &levels[0]);
    for (size_t l = 0; l < p->n_levels; l++) {
        levels[l + 1] = levels[0];
        levels[l + 1].max_loss = p->max_loss[l];
    }
    walk_down(w, crossings, n_crossings, p, levels + 1);
    for (size_t l = 1; l <= p->n_levels; l++) {
        if (levels[l].threshold[0] < INFINITY)
            levels[l].p_value = p_value(p, w->d->n_rows, levels[l].max_loss,
                                        levels[l].n_losses, levels[l].n_wins);
    }
}

enum al_status al_ladder_certify(const struct al_ladder_data *d,
                                 const struct al_ladder_params *p, struct al_policy *ret,
                                 struct al_error *err)
{
    enum al_status s = check_data(d, err);
    struct walk w = { .d = d };
    size_t n_scores;

    if (s == AL_OK)
        s = al_ladder_check_params(p, err);
    if (s != AL_OK)
        return s;
    if (!al_mul(d->n_rows, d->n_exits, &n_scores))
        return al_fail(err, AL_TOO_LARGE, "%zu rows of %u exits", d->n_rows, d->n_exits);
    struct crossing *crossings = calloc(n_scores, sizeof(*crossings));

    w.exit = calloc(d->n_rows, sizeof(*w.exit));
    if (crossings && w.exit) {
        al_policy_init(ret, d->n_exits);
        ret->score = p->score;
        ret->loss = p->loss;
        ret->confidence = p->confidence;
        ret->n_calibration = (uint32_t)d->n_rows;
        ret->n_levels = (uint32_t)p->n_levels + 1;
        certify(&w, crossings, p, ret);
    } else {
        s = al_fail(err, AL_NO_MEMORY, "ladder of %zu rows", d->n_rows);
    }
    free(w.exit);
    free(crossings);
    return s;
}

/* Whether the rule looks at any branch. */
static bool looks_early(const struct al_ladder_data *d, const struct al_exit_rule *rule)
{
    for (uint32_t k = 0; k + 1 < d->n_exits; k++) {
        if (al_exit_wants(rule, k, d->n_exits))
            return true;
    }
    return false;
}

uint32_t al_ladder_exit(const struct al_ladder_data *d, size_t row,
                        const struct al_exit_rule *rule)
{
    uint32_t k = 0;

    while (!al_exit_leaves(rule, k, d->n_exits, d->score[row * d->n_exits + k]))
        k++;
    return k;
}

void al_ladder_outcome(const struct al_ladder_data *d, const struct al_exit_rule *rule,
                       struct al_outcome *ret)
{
    size_t left[AL_MAX_EXITS] = { 0 }, right[AL_MAX_EXITS] = { 0 };
    size_t n_right = 0, n_full = 0;
    const double n_rows = (double)d->n_rows;

    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < d->n_rows; i++) {
        const uint32_t k = al_ladder_exit(d, i, rule);

        left[k]++;
        right[k] += is_correct(d, i, k);
        n_full += is_correct(d, i, d->n_exits - 1);
        ret->n_losses += is_loss(d, i, k);
        ret->n_wins += is_win(d, i, k);
    }
    for (uint32_t k = 0; k < d->n_exits; k++) {
        n_right += right[k];
        ret->share[k] = (double)left[k] / n_rows;
        ret->exit_accuracy[k] =
            left[k] ? (double)right[k] / (double)left[k] : (double)NAN;
        ret->cost += ret->share[k] * d->cost[k];
    }
    if (!looks_early(d, rule))
        ret->cost = d->full_cost;
    ret->accuracy = (double)n_right / n_rows;
    ret->full_accuracy = (double)n_full / n_rows;
}
