/* stages.h — cuts a network at its exits. A stage is the trunk that leads to its exit, a
 * gate that predicts whether the exit is worth computing, and the branch that classifies:
 *
 *   branch k   nodes that only exit k needs,
 *   gate k     nodes that only gate k needs,
 *   trunk j    every other needed node, j being the first stage that needs it.
 *
 * The last exit has no branch: what only it needs is the last trunk. Nodes that nothing
 * needs are left out. A node reads only from its own part and from trunks up to its own
 * stage, so a row may skip any gate or branch. Pure; everything lies in the graph's
 * arena. */
#ifndef AL_PASS_STAGES_H
#define AL_PASS_STAGES_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/graph/stages.h"

struct al_graph;

/* `exits[k]` and `gates[k]` are values; gates may be NULL, each gate AL_NO_VALUE. With no
 * exits the whole graph is the trunk of one stage that computes the graph's outputs.
 * AL_INVALID when an exit is a constant, is listed twice, or is needed by an earlier
 * exit. */
AL_MUST_CHECK enum al_status al_pass_stages(struct al_graph *g, size_t n_exits,
                                            const uint32_t *exits, const uint32_t *gates,
                                            struct al_stages *ret, struct al_error *err);

#endif
