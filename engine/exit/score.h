/* score.h — how sure a classifier is. Pure functions of a probability vector. */
#ifndef AL_EXIT_SCORE_H
#define AL_EXIT_SCORE_H

#include <stddef.h>
#include <stdint.h>

/* One row a score: enum name, name in policy.json. Every score grows with certainty and
 * lies in [0, 1], whatever a network calls probabilities. margin: largest minus second largest probability. max_prob: largest
 * probability. entropy: 1 - H / ln n (BranchyNet's entropy, turned round and normalised).
 */
#define AL_SCORE_LIST(X)    \
    X(MARGIN, "margin")     \
    X(MAX_PROB, "max_prob") \
    X(ENTROPY, "entropy")

enum al_score {
#define X(id, name) AL_SCORE_##id,
    AL_SCORE_LIST(X)
#undef X
    AL_N_SCORES
};

const char *al_score_name(enum al_score s);
/* AL_N_SCORES for an unknown name. */
enum al_score al_score_find(const char *name);

/* Probabilities of n >= 1 logits, numerically safe; NaN logits give a NaN-free vector
 * whose score is 0. `probs` may be `logits`. */
void al_softmax(const float *logits, size_t n, float *probs);
/* Score of n >= 1 probabilities; `*ret_top` (may be NULL) is the index of the largest,
 * the lowest of equals. */
float al_score_of(enum al_score s, const float *probs, size_t n, uint32_t *ret_top);

#endif
