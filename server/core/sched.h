/* sched.h — the stage scheduler: which rows of which requests run which stage next. Pure:
 * it reads no clock, starts no thread, does no I/O, takes no lock and, after
 * construction, allocates nothing. The application calls every function under one mutex
 * and gives the time of one monotonic clock.
 *
 * A worker's round, with `job` zeroed once and then kept:
 *
 *   lock
 *   sv_sched_finish(s, &job, elapsed, now, &out)      unless this is the first round
 *   while (!sv_sched_take(s, now, &job, &out, &retry)) wait until work comes or `retry`
 *   unlock
 *   encode and hand on out.answer; free out.free
 *   DECODE: decode job.requests[i], say how it went in job.status[i]
 *   STAGE:  al_stage_run(model, ws, job.stage, job.n, job.run, team), the team being
 *           this worker and up to job.n_helpers that find no work; say in job.helped
 *           whether any came. A helper that is to take work of its own just does.
 *
 * Order (ARCHITECTURE, "Scheduling"): every row has a due time, the share priority/8 of
 * the time it may take; queues are served by due time, which lets low priorities age into
 * their turn. Models share the workers by the time they used. Within a model the deepest
 * step that is ripe runs; a job that would make the head of another queue miss its
 * deadline lets that one go first. */
#ifndef SV_CORE_SCHED_H
#define SV_CORE_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "server/core/counters.h"
#include "server/core/model.h"
#include "server/core/request.h"

struct sv_sched;

struct sv_sched_params {
    size_t n_workers;
    size_t max_rows;         /* on their way at once; more is AL_OVERLOADED */
    size_t max_bytes;        /* likewise, of size_bytes */
    size_t max_decode_batch; /* bodies of one decode job, 1 to SV_MAX_BATCH; 0: 8 */
    bool whole_batches;      /* for comparison only: a batch stays together to its end */
};

enum sv_job_kind {
    SV_JOB_NONE,
    SV_JOB_DECODE,
    SV_JOB_STAGE
};

/* One worker's present work. Everything but `helped`, status[] and the results in run[]
 * is the scheduler's. */
struct sv_job {
    enum sv_job_kind kind;
    struct sv_model *model;
    uint32_t stage;
    size_t n;
    uint64_t charged_ns; /* estimate the model was charged with */
    size_t n_helpers; /* STAGE: workers with nothing else to do that may join the run */
    bool helped;      /* STAGE: said by the worker: one did */
    /* DECODE: requests, and how each went. STAGE: rows, ready for al_stage_run. */
    struct sv_request *requests[SV_MAX_BATCH];
    enum al_status status[SV_MAX_BATCH];
    struct sv_row *rows[SV_MAX_BATCH];
    struct al_stage_row run[SV_MAX_BATCH];
};

/* What a call hands back, linked by `next`; zero it before, then append as often as you
 * like. `answer`: these became DONE: yours to answer and then to sv_sched_release.
 * `free`: these were released before and no worker touches them any more:
 * sv_request_done. */
struct sv_outbox {
    struct sv_request *answer;
    struct sv_request *free;
};

struct sv_sched *sv_sched_new(const struct sv_sched_params *p);
/* No request may be on its way. */
void sv_sched_free(struct sv_sched *s);

/* Accepts `r` (its decode job waits for a worker) or refuses it: AL_OVERLOADED, when the
 * queue is full or by estimate its turn would come too late, with the whole seconds after
 * which the queue will have drained, at least 1; AL_TOO_LARGE when
 * it would not fit into an empty queue. A refused request stays NEW and its owner's. */
AL_MUST_CHECK enum al_status sv_sched_submit(struct sv_sched *s, struct sv_request *r,
                                             uint64_t now_ns,
                                             uint32_t *ret_retry_after_s);
/* For the decoder, before it takes memory: the body turns out to hold `n_rows` rows (at
 * least 1) and to need `extra_bytes` more. When they do not fit or the request has been
 * given up meanwhile, put what it returns in job.status[]. */
AL_MUST_CHECK enum al_status sv_sched_reserve(struct sv_sched *s, struct sv_request *r,
                                              uint32_t n_rows, size_t extra_bytes);
/* For the decoder: the body asks for another priority and deadline than the headers. */
void sv_sched_set_limits(struct sv_sched *s, struct sv_request *r, unsigned priority,
                         uint64_t deadline_ns);

/* Next work for a worker; false: none now, look again at `*ret_retry_ns` (UINT64_MAX:
 * when something was submitted or finished). Rows found past help on the way are answered
 * through `out`. */
bool sv_sched_take(struct sv_sched *s, uint64_t now_ns, struct sv_job *job,
                   struct sv_outbox *out, uint64_t *ret_retry_ns);
/* Takes back what sv_sched_take gave out. `elapsed_ns`: what the job took. */
void sv_sched_finish(struct sv_sched *s, struct sv_job *job, uint64_t elapsed_ns,
                     uint64_t now_ns, struct sv_outbox *out);

/* The client is gone: true: `r` is DONE, the caller's to release, and in no outbox.
 * False: it was DONE before and is in somebody's outbox. */
bool sv_sched_cancel(struct sv_sched *s, struct sv_request *r, uint64_t now_ns);
/* When sv_sched_expire must be called; UINT64_MAX: not for now. */
uint64_t sv_sched_next_deadline(const struct sv_sched *s);
/* Requests past their deadline become DONE: AL_OK when every row has an answer (forced
 * where it had not left by itself), else AL_TIMEOUT. */
void sv_sched_expire(struct sv_sched *s, uint64_t now_ns, struct sv_outbox *out);

/* The owner has no more use for a DONE request. True: no worker has either: call
 * sv_request_done now. False: it comes back in some outbox's `free`. */
bool sv_sched_release(struct sv_sched *s, struct sv_request *r);

/* Whether another worker should be woken: something waits in a queue. */
bool sv_sched_has_work(const struct sv_sched *s);
size_t sv_sched_n_active(const struct sv_sched *s); /* requests on their way */
size_t sv_sched_n_rows(const struct sv_sched *s);   /* admitted rows on their way */
size_t sv_sched_n_bytes(const struct sv_sched *s);
/* Estimated time to work off everything accepted so far, and the same for a client that
 * is to come again: whole seconds, 1 to 3600. */
uint64_t sv_sched_drain_ns(const struct sv_sched *s);
uint32_t sv_sched_retry_after_s(const struct sv_sched *s);

#endif
