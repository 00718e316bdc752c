/* candidate.h — a kernel that was tried for a layer, for people. */
#ifndef AL_BASE_CANDIDATE_H
#define AL_BASE_CANDIDATE_H

#include <stdint.h>

struct al_candidate {
    const char *name; /* "direct-avx512"; static */
    uint64_t ns;      /* shortest run of one row; 0: not measured */
};

#endif
