/* policy.h — leave or go on. The decision rule of one row and the ladder of certified
 * levels it can come from. Pure: numbers in, decisions out. */
#ifndef AL_EXIT_POLICY_H
#define AL_EXIT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/exit/score.h"

#define AL_MAX_EXITS  32
#define AL_MAX_LEVELS 32

/* What a level's max_loss bounds, and its name in policy.json. net: the accuracy given
 * up, early answers that are right where the full model errs counting for it. one-sided:
 * the right answers of the full model that are lost, whatever is won; at least the net
 * loss. */
#define AL_LOSS_LIST(X) X(NET, "net") X(ONE_SIDED, "one-sided")

enum al_loss {
#define X(id, name) AL_LOSS_##id,
    AL_LOSS_LIST(X)
#undef X
    AL_N_LOSSES
};

const char *al_loss_name(enum al_loss l);
/* AL_N_LOSSES for an unknown name. */
enum al_loss al_loss_find(const char *name);

/* One row's rule. It leaves exit k when min_exit <= k and its score there is at least
 * threshold[k] (INFINITY: never), or when k is max_exit or the model's last exit. */
struct al_exit_rule {
    enum al_score score;
    float threshold[AL_MAX_EXITS];
    uint32_t min_exit;
    uint32_t max_exit; /* UINT32_MAX: the last */
};

/* The rule that never leaves early. */
struct al_exit_rule al_exit_rule_full(void);
/* Whether exit k's branch is worth computing for this row: it could leave there. */
bool al_exit_wants(const struct al_exit_rule *r, uint32_t k, uint32_t n_exits);
/* Whether a row that scored `score` at exit k leaves there. */
bool al_exit_leaves(const struct al_exit_rule *r, uint32_t k, uint32_t n_exits,
                    float score);

/* A level of the ladder: the cheapest rule certified to lose at most max_loss (METHOD:
 * see ladder.h). Level 0 has max_loss 0 and never leaves early. */
struct al_level {
    double max_loss;
    float threshold[AL_MAX_EXITS]; /* of the early exits; the last one's is unused */
    /* What calibration saw. */
    double share[AL_MAX_EXITS]; /* of rows leaving at each exit */
    double cost;                /* mean cost per row, in the unit of the data's costs */
    uint32_t n_losses;          /* calibration rows right at the end, but wrong early */
    uint32_t n_wins;            /* the other way round */
    double p_value;
};

struct al_policy {
    enum al_score score;
    enum al_loss loss;
    double confidence; /* all levels hold jointly with at least this probability */
    uint32_t n_exits;
    uint32_t n_calibration; /* rows the certificate rests on */
    uint32_t n_levels;      /* >= 1, ascending max_loss */
    struct al_level levels[AL_MAX_LEVELS];
    char calibration_id[65]; /* hex digest naming model and data */
};

/* Policy of an uncalibrated model: level 0 alone. */
void al_policy_init(struct al_policy *p, uint32_t n_exits);
/* Index of the cheapest level whose max_loss is at most `max_loss`; level 0 always
 * qualifies. A tiny tolerance (1e-9) forgives decimal notation. */
uint32_t al_policy_pick(const struct al_policy *p, double max_loss);
struct al_exit_rule al_policy_rule(const struct al_policy *p, uint32_t level);

#endif
