/* ladder.h — certified ladder of levels by Learn-then-Test (Angelopoulos et al.,
 * arXiv:2110.01052): one threshold shared by all early exits, tested in the fixed
 * sequence from the highest (safest) to the lowest on all calibration rows; a threshold
 * is accepted for a level max_loss while the p-value of "it loses more" is at most
 * (1 - confidence) / levels, and the sequence stops at the first failure. The p-value is
 * exact: binomial for one-sided losses, of net_loss.h for the net loss. The family-wise
 * error over thresholds and levels is thereby at most 1 - confidence. Pure and
 * deterministic. */
#ifndef AL_EXIT_LADDER_H
#define AL_EXIT_LADDER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/exit/policy.h"

struct al_ladder_data {
    size_t n_rows;
    uint32_t n_exits;
    const float *score; /* [n_rows][n_exits], higher = surer; -INFINITY or NAN: the row
                           cannot leave there */
    const uint8_t *correct; /* [n_rows][n_exits], 0 or 1 */
    const double *cost;     /* [n_exits]: of a row that leaves there, branches included */
    double full_cost;       /* of a row whose rule never leaves early: no branch is run */
};

struct al_ladder_params {
    enum al_score score;
    enum al_loss loss;
    double confidence; /* e.g. 0.95 */
    size_t n_levels;
    const double *max_loss; /* ascending, > 0; level 0 is added by itself */
};

/* AL_INVALID names what is wrong with the parameters: a check before data are gathered.
 */
AL_MUST_CHECK enum al_status al_ladder_check_params(const struct al_ladder_params *p,
                                                    struct al_error *err);
/* Fills `*ret` with level 0 and every level asked for; one for which nothing could be
 * certified keeps the thresholds of the level below. Among a level's accepted thresholds
 * the cheapest is kept, so cost never rises along the ladder. A level that never leaves
 * early has p_value 0: it loses nothing by construction. calibration_id stays empty.
 * AL_INVALID names what is wrong with the data or the parameters. O(n k log(n k)) time,
 * and some hundred tests.
 */
AL_MUST_CHECK enum al_status al_ladder_certify(const struct al_ladder_data *d,
                                               const struct al_ladder_params *p,
                                               struct al_policy *ret,
                                               struct al_error *err);

/* Where a row of the data leaves by a rule. */
uint32_t al_ladder_exit(const struct al_ladder_data *d, size_t row,
                        const struct al_exit_rule *rule);

/* What a rule does to labelled rows: for reports on data the thresholds were not chosen
 * on. */
struct al_outcome {
    double accuracy, full_accuracy;
    uint64_t n_losses, n_wins;  /* rows right at the end only, rows right early only */
    double share[AL_MAX_EXITS]; /* of rows that left at each exit */
    double exit_accuracy[AL_MAX_EXITS]; /* among the rows that left there; NAN for none */
    double cost;
};
void al_ladder_outcome(const struct al_ladder_data *d, const struct al_exit_rule *rule,
                       struct al_outcome *ret);

#endif
