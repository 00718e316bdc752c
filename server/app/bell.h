/* bell.h — wakes the loop from any thread.
 *
 * So does uv_async_send, but it is not over when the loop wakes: a thread that the loop
 * preempts in the middle of it, which is the rule where workers are nicer than the loop
 * and fill the processors, has the loop spin for it. Ringing is one write. */
#ifndef SV_APP_BELL_H
#define SV_APP_BELL_H

#include <uv.h>

#include "engine/base/status.h"

/* Must stay where it is until the loop has run out. */
struct sv_bell {
    uv_poll_t poll;
    int fd; /* an eventfd */
    void (*rung)(void *arg);
    void *arg;
};

/* `rung` is called on the loop after a ring, once for those that came meanwhile. */
AL_MUST_CHECK enum al_status sv_bell_init(struct sv_bell *bell, uv_loop_t *loop,
                                          void (*rung)(void *arg), void *arg,
                                          struct al_error *err);
/* Any thread. */
void sv_bell_ring(struct sv_bell *bell);
/* Loop thread; nobody may ring any more. */
void sv_bell_close(struct sv_bell *bell);

#endif
