/* clock.h — the toolbox's one clock: monotonic, any thread. */
#ifndef TL_CLOCK_H
#define TL_CLOCK_H

#include <stdint.h>

uint64_t tl_now_ns(void);

#endif
