/* counters.h — what is counted for one model and for the whole server. Written by the
 * scheduler under its lock; a reader takes a copy under the same lock (some 20 KB an
 * exit, microseconds) and renders from that, so every snapshot adds up exactly:
 *
 *   rows accepted = sum of rows over exits + rows failed + rows still on their way
 *   requests accepted = requests answered by status + cancelled + still on their way */
#ifndef SV_CORE_COUNTERS_H
#define SV_CORE_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "server/core/histogram.h"
#include "server/core/rate.h"

#define SV_MAX_BATCH  128
#define SV_SCORE_BINS 20

#define X(name, http, text) +1
enum {
    SV_N_STATUSES = 0 AL_STATUS_LIST(X)
};
#undef X

/* Why a request was turned away or given up: one row a reason, with its metric label. */
#define SV_REJECT_LIST(X)                                            \
    X(QUEUE_ROWS, "queue_rows")   /* the queue holds max_rows */     \
    X(QUEUE_BYTES, "queue_bytes") /* the queue holds max_bytes */    \
    X(QUEUE_TIME, "queue_time")   /* its turn would come too late */ \
    X(DEADLINE, "deadline")       /* deadline passed, no answer */   \
    X(CANCELLED, "cancelled")     /* the client went away */         \
    X(TOO_LARGE, "too_large")     /* larger than the whole queue */  \
    X(DECODE, "decode")           /* the body could not be decoded */

enum sv_reject {
#define X(id, label) SV_REJECT_##id,
    SV_REJECT_LIST(X)
#undef X
    SV_N_REJECTS
};
const char *sv_reject_label(enum sv_reject r);

/* Count and total time, as OIP statistics want them. */
struct sv_timed {
    uint64_t count;
    uint64_t ns;
};

/* Stage k and the exit at its end. */
struct sv_stage_counters {
    /* exit: rows that were answered from here */
    uint64_t n_rows;
    uint64_t n_forced;                 /* of these, let out by their deadline */
    uint64_t score_bin[SV_SCORE_BINS]; /* scores in [0,1], equal widths */
    double score_sum;
    struct sv_rate rate;
    struct sv_histogram queue_ns;   /* waiting, decode queue included */
    struct sv_histogram compute_ns; /* in running stages */
    struct sv_histogram total_ns;   /* arrival to answer */
    /* stage: runs */
    struct sv_histogram run_ns;                 /* a whole batch */
    uint64_t n_helped;                          /* of these, shared by idle workers */
    struct sv_timed by_batch[SV_MAX_BATCH + 1]; /* runs of each batch size */
};

/* Shared by the models that served a version one after the other. */
struct sv_model_counters {
    atomic_size_t n_refs;
    /* What sv_model_counters_copy copies begins here. */
    uint64_t n_requests;                /* accepted */
    uint64_t n_rows;                    /* accepted; known once decoded, 1 until then */
    uint64_t n_rows_failed;             /* of requests that got no answer */
    uint64_t n_answered[SV_N_STATUSES]; /* requests by outcome; cancelled ones apart */
    uint64_t n_cancelled;               /* requests whose client left first */
    uint64_t n_refused[SV_N_STATUSES];  /* requests never accepted, by status */
    uint64_t n_rejected[SV_N_REJECTS];  /* requests, by reason */
    struct sv_timed queue, decode, compute, total; /* of requests answered AL_OK */
    struct sv_timed failed;                        /* requests that got no answer */
    uint64_t last_answer_ns;      /* time of the last AL_OK answer, 0: none yet */
    struct sv_histogram queue_ns; /* requests answered AL_OK */
    struct sv_histogram total_ns;
    struct sv_histogram decode_ns; /* one body */
    struct sv_rate rate;           /* rows answered */
    size_t n_stages;
    struct sv_stage_counters stage[]; /* [n_stages] */
};

struct sv_model_counters *sv_model_counters_new(size_t n_stages);
struct sv_model_counters *sv_model_counters_ref(struct sv_model_counters *c);
void sv_model_counters_unref(struct sv_model_counters *c);
/* `dst` was made for as many stages. */
void sv_model_counters_copy(struct sv_model_counters *dst,
                            const struct sv_model_counters *src);

#endif
