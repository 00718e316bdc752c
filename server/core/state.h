/* state.h — inside of the scheduler, shared by its files only:
 *   sched.c   take and finish: a worker's round
 *   pick.c    which step runs next, and how many entries of it
 *   queue.c   the queues, and who is in them
 *   helpers.c how many idle workers help with a run
 *   admit.c   who gets in
 *   ahead.c   how much work is before a request
 *   close.c   how a request ends, and what is counted then */
#ifndef SV_CORE_STATE_H
#define SV_CORE_STATE_H

#include "server/core/sched.h"

struct sv_sched {
    struct sv_sched_params p;
    struct sv_model *active;  /* models with requests on their way, oldest first */
    uint64_t virtual_ns;      /* virtual time of the model served last */
    struct sv_heap deadlines; /* of requests on their way */
    size_t n_active, n_rows, n_bytes;
    size_t n_queued;  /* entries in all queues */
    size_t n_working; /* jobs workers hold */
    size_t n_helping; /* workers asked to help with them */
};

/* A choice of work: up to `n` entries of step `step`. */
struct sv_choice {
    struct sv_model *model;
    uint32_t step;
    size_t n;
};

static inline struct sv_request *sv_request_of_node(struct sv_heap_node *n)
{
    return (void *)((char *)n - offsetof(struct sv_request, node));
}

static inline struct sv_request *sv_request_of_deadline(struct sv_heap_node *n)
{
    return (void *)((char *)n - offsetof(struct sv_request, deadline_node));
}

static inline struct sv_row *sv_row_of_node(const struct sv_heap_node *n)
{
    return (void *)((uintptr_t)n - offsetof(struct sv_row, node));
}

/* queue.c */
void sv_queue_request(struct sv_sched *s, struct sv_request *r, uint64_t now_ns);
void sv_queue_row(struct sv_sched *s, struct sv_row *row, uint64_t now_ns);
struct sv_request *sv_queue_pop_request(struct sv_sched *s, struct sv_model *m,
                                        uint64_t now_ns);
struct sv_row *sv_queue_pop_row(struct sv_sched *s, struct sv_model *m, uint32_t step,
                                uint64_t now_ns);
/* Takes out whatever of `r` is queued. */
void sv_queue_drop(struct sv_sched *s, struct sv_request *r);
/* The request whose entry heads the queue of a step; NULL when it is empty. */
struct sv_request *sv_queue_head(const struct sv_step *st, uint32_t step);

/* pick.c */
bool sv_pick(struct sv_sched *s, uint64_t now_ns, struct sv_choice *ret,
             uint64_t *ret_retry_ns);
/* Latest time at which work on a request's entry at `step` can start and still be
 * answered in time. */
uint64_t sv_latest_start_ns(const struct sv_request *r, uint32_t step);

/* ahead.c */
/* The class of the span from arrival to due time. */
size_t sv_span_class(const struct sv_request *r);
/* Time all workers together need for what would run before `r`, whose due time is set, if
 * it were queued now. */
uint64_t sv_ahead_ns(const struct sv_sched *s, const struct sv_request *r);

/* helpers.c */
/* How many idle workers are to help with a run of `n` entries that is about to start. */
size_t sv_helpers(const struct sv_sched *s, struct sv_model *m, uint32_t step, size_t n);
/* A run of `n` rows was helped with and took `elapsed_ns`. */
void sv_helped(struct sv_step *st, size_t n, uint64_t elapsed_ns);

/* close.c */
/* Every row of `r` has its answer, or `status` says why not. */
void sv_close(struct sv_sched *s, struct sv_request *r, enum al_status status,
              uint64_t now_ns);
/* Time is up: closes `r` with the best answers so far, or AL_TIMEOUT. */
void sv_close_late(struct sv_sched *s, struct sv_request *r, uint64_t now_ns,
                   struct sv_outbox *out);
/* A worker gave back one hold on `r`. */
void sv_unhold(struct sv_sched *s, struct sv_request *r, struct sv_outbox *out);
void sv_outbox_answer(struct sv_outbox *out, struct sv_request *r);

#endif
