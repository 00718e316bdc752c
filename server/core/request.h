/* request.h — one request and its rows. The owner embeds `struct sv_request` in its own
 * object and gets it back from the scheduler as the embedded pointer.
 *
 *   NEW --submit--> WAITING --take--> DECODING --finish--> RUNNING --> DONE
 *                      \------ expire, cancel, failure at any time ------/
 *
 * Until it is DONE the fields belong to the scheduler's lock, but for what a worker that
 * holds a job may touch: the decoder's fields while it decodes, the engine memory of the
 * job's rows while it runs them.
 * A request that is DONE was handed to exactly one caller, by an outbox or by
 * sv_sched_cancel, who may read it without the lock; its memory must stay until
 * sv_sched_release says so, because a worker may still be computing one of its rows. */
#ifndef SV_CORE_REQUEST_H
#define SV_CORE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "server/core/heap.h"

#define SV_PRIORITY_HIGHEST 1
#define SV_PRIORITY_LOWEST  8
#define SV_PRIORITY_DEFAULT 4
#define SV_NO_DEADLINE      UINT64_MAX
#define SV_NO_EXIT          UINT32_MAX

struct sv_model;
struct sv_request;

enum sv_request_state {
    SV_REQUEST_NEW,
    SV_REQUEST_WAITING,
    SV_REQUEST_DECODING,
    SV_REQUEST_RUNNING,
    SV_REQUEST_DONE
};

/* One input on its way. */
struct sv_row {
    struct sv_request *request;
    uint32_t index;           /* place in its request */
    void *data;               /* al_model_row_bytes() of engine memory, aligned to 64 */
    struct al_exit_rule rule; /* its own: level, limits */

    /* The answer so far: the latest exit that was evaluated; the final answer once the
     * request is DONE. */
    uint32_t exit; /* SV_NO_EXIT: none yet */
    float score;
    uint32_t top; /* most probable class there */
    bool forced;  /* let out by the deadline, not by its rule */

    uint64_t queue_ns;   /* waited so far, for decoding and between stages */
    uint64_t compute_ns; /* spent in stage runs */

    /* The scheduler's. */
    uint32_t stage;    /* the next one, or the one running */
    bool left;         /* has its final answer */
    uint64_t since_ns; /* in the queue since */
    struct sv_heap_node node;
};

struct sv_request {
    /* Set before submit. */
    struct sv_model *model; /* a reference, let go by sv_request_done */
    uint32_t n_rows;        /* 1 or what is known from the headers; see reserve */
    unsigned priority;      /* 1 (highest) to 8 */
    uint64_t deadline_ns;   /* on the clock of now_ns, or SV_NO_DEADLINE */
    size_t size_bytes;      /* memory it takes, for admission */

    /* The decoder's, on a worker. */
    struct sv_row *rows;      /* [n_rows], from sv_request_alloc_rows */
    struct al_exit_rule rule; /* each row starts with a copy; may be set before submit */

    /* Outcome, once DONE. */
    enum al_status status; /* AL_OK: every row has an answer */
    uint64_t arrived_ns, decode_ns, done_ns;

    /* The scheduler's. */
    enum sv_request_state state;
    uint32_t n_left;    /* rows with their final answer */
    uint32_t n_running; /* jobs and rows workers hold */
    bool cancelled, released;
    bool rejected;                     /* by sv_sched_reserve, which counted why */
    uint64_t due_ns;                   /* order in the queues */
    uint64_t queue_ns;                 /* waited for decoding; refused: would wait */
    struct sv_heap_node node;          /* in the decode queue */
    struct sv_heap_node deadline_node; /* among all deadlines */
    struct sv_request *next;           /* in an outbox's list */
};

/* A NEW request of one row, default priority, no deadline, full rule; refers to `model`.
 */
void sv_request_init(struct sv_request *r, struct sv_model *model);
/* Frees the rows and lets go of the model. Call only when sv_sched_release or an outbox
 * says that nobody needs it, or when it was never submitted. */
void sv_request_done(struct sv_request *r);
/* The n_rows rows and their engine memory, `row_bytes` each, not cleared. Called by the
 * decoder, after sv_sched_reserve where the number was not known before. */
AL_MUST_CHECK enum al_status sv_request_alloc_rows(struct sv_request *r, size_t row_bytes,
                                                   struct al_error *err);

#endif
