/* stages.h — a network cut at its exits: pass/stages.h cuts, exec/ runs the parts. */
#ifndef AL_GRAPH_STAGES_H
#define AL_GRAPH_STAGES_H

#include <stddef.h>
#include <stdint.h>

#define AL_MAX_STAGES 32

/* The parts of one stage in the order they run. */
enum al_part {
    AL_PART_TRUNK,
    AL_PART_GATE,
    AL_PART_BRANCH,
    AL_N_PARTS
};

struct al_stages {
    size_t n_stages;
    size_t n_nodes;
    const uint32_t *nodes; /* needed nodes in the order they run */
    const uint32_t *slots; /* of nodes[i]: stage * AL_N_PARTS + part; ascending */
};

#endif
