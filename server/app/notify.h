/* notify.h — what the service manager is told and what it gives: sd_notify(3) and
 * sd_listen_fds(3), spoken directly. Start-up and loop thread only. */
#ifndef SV_APP_NOTIFY_H
#define SV_APP_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

/* Sends e.g. "READY=1\nSTATUS=serving 3 models". Nothing happens outside a service. */
void sv_notify(const char *state);
/* How often WATCHDOG=1 is expected, 0: never. */
uint64_t sv_watchdog_ns(void);
/* Number of inherited listening sockets, which start at SV_INHERITED_FD. */
#define SV_INHERITED_FD 3
size_t sv_inherited_sockets(void);

#endif
