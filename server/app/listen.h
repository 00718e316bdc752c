/* listen.h — addresses of the configuration to listening sockets. Start-up only. */
#ifndef SV_APP_LISTEN_H
#define SV_APP_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/status.h"

#define SV_MAX_LISTENERS 16

struct sv_bound {
    int fd;
    bool is_ours;      /* as opposed to inherited */
    char address[128]; /* as it can be reached, port 0 resolved */
};

/* Whether `list` reads as addresses; touches no socket and asks no name server. */
AL_MUST_CHECK enum al_status sv_listen_check(const char *list, struct al_error *err);
/* Binds every address of the comma-separated `list`. On failure nothing stays open. A
 * Unix socket that another server answers on is in use; one nobody answers on makes
 * way. */
AL_MUST_CHECK enum al_status sv_listen_all(const char *list, struct sv_bound *ret,
                                           size_t *ret_n, struct al_error *err);
/* Removes the paths of Unix sockets that sv_listen_all made. */
void sv_listen_forget(const struct sv_bound *bound, size_t n);
/* Inherited sockets, already bound. */
AL_MUST_CHECK enum al_status sv_listen_inherited(size_t n, struct sv_bound *ret,
                                                 struct al_error *err);

#endif
