/* pass_truth.h — what a graph computes before a pass and after it: the same. Graphs have
 * one or two outputs. */
#ifndef TEST_PASS_TRUTH_H
#define TEST_PASS_TRUTH_H

#include "engine/graph/graph.h"

#define TRUTH_MAX_OUT 4096

/* What outputs 0 and 1 are before the passes; they have to be so afterwards. */
struct truth {
    size_t n[2];
    float y[2][TRUTH_MAX_OUT];
};

/* Infers the shapes of `g` by folding it, and evaluates it. */
void truth_infer(struct al_graph *g, struct truth *t);
/* Evaluates again: all elements within 1e-5 relative. */
void truth_assert_same(struct al_graph *g, const struct truth *t);
/* The node that makes output i. */
const struct al_node *truth_output_node(const struct al_graph *g, size_t i);

#endif
