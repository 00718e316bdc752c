/* accesslog.h — one line a request, logfmt or JSON. Lines are collected and written once
 * a second or by the buffer, so that a request costs no system call. Loop thread only. */
#ifndef SV_APP_ACCESSLOG_H
#define SV_APP_ACCESSLOG_H

#include <stdbool.h>
#include <uv.h>

#include "engine/base/status.h"

struct sv_access_log;
struct sv_exchange;

/* `path`: a file to append to, or "-" for stderr. */
AL_MUST_CHECK enum al_status sv_access_log_new(uv_loop_t *loop, const char *path,
                                               bool json, struct sv_access_log **ret,
                                               struct al_error *err);
/* Writes what is left and closes the timer; the memory goes with sv_access_log_free, when
 * the loop has run out. Both accept NULL. */
void sv_access_log_close(struct sv_access_log *l);
void sv_access_log_free(struct sv_access_log *l);
/* The file was moved away: goes on with a new one, or with the old one when there can be
 * none. Accepts NULL. */
AL_MUST_CHECK enum al_status sv_access_log_reopen(struct sv_access_log *l,
                                                  struct al_error *err);
/* `sent`: the client got the whole answer; bytes_out is the size of its body, `us` the
 * time from the request line to its last byte. */
void sv_access_log_add(struct sv_access_log *l, const struct sv_exchange *x, bool sent);

#endif
