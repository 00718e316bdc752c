/* clock.h — the toolbox's clocks; any thread. */
#ifndef TL_CLOCK_H
#define TL_CLOCK_H

#include <stdint.h>

uint64_t tl_now_ns(void); /* monotonic */
/* Processor time of the calling thread: what computing costs, whatever else runs. */
uint64_t tl_thread_ns(void);

#endif
