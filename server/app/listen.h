/* listen.h — addresses of the configuration to listening sockets. Start-up only. */
#ifndef SV_APP_LISTEN_H
#define SV_APP_LISTEN_H

#include <stddef.h>

#include "engine/base/status.h"

#define SV_MAX_LISTENERS 16

struct sv_bound {
    int fd;
    char address[128]; /* as it can be reached, port 0 resolved */
};

/* Binds every address of the comma-separated `list`. On failure nothing stays open. */
AL_MUST_CHECK enum al_status sv_listen_all(const char *list, struct sv_bound *ret,
                                           size_t *ret_n, struct al_error *err);
/* Inherited sockets, already bound. */
AL_MUST_CHECK enum al_status sv_listen_inherited(size_t n, struct sv_bound *ret,
                                                 struct al_error *err);

#endif
