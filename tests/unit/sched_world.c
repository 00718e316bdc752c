#include "sched_world.h"

struct world world_new(size_t n_workers)
{
    struct sv_sched_params p = { .n_workers = n_workers,
                                 .max_rows = 100,
                                 .max_bytes = 100000,
                                 .max_decode_batch = 32 };
    struct world w = { .sched = sv_sched_new(&p), .now = 1000 * MS };

    assert_non_null(w.sched);
    return w;
}

struct sv_model *model_new(const char *name, size_t n_stages, size_t max_batch)
{
    struct sv_model_params p = {
        .name = name, .version = 1, .n_stages = n_stages, .max_batch = max_batch
    };
    struct sv_model *m = sv_model_new(&p);

    assert_non_null(m);
    return m;
}

void submit(struct world *w, struct sv_request *r)
{
    uint32_t retry_after_s;
    assert_int_equal(sv_sched_submit(w->sched, r, w->now, &retry_after_s), AL_OK);
}

void submit_new(struct world *w, struct sv_request *r, struct sv_model *m)
{
    sv_request_init(r, m);
    submit(w, r);
}

bool take(struct world *w, struct sv_job *job)
{
    return sv_sched_take(w->sched, w->now, job, &w->out, &w->retry);
}

void finish(struct world *w, struct sv_job *job, uint64_t elapsed)
{
    w->now += elapsed;
    sv_sched_finish(w->sched, job, elapsed, w->now, &w->out);
}

void decode(struct world *w, struct sv_job *job, uint64_t elapsed)
{
    assert_int_equal(job->kind, SV_JOB_DECODE);
    for (size_t i = 0; i < job->n; i++)
        job->status[i] = sv_request_alloc_rows(job->requests[i], 64, NULL);
    finish(w, job, elapsed);
}

void run(struct world *w, struct sv_job *job, uint64_t elapsed, unsigned leaves)
{
    assert_int_equal(job->kind, SV_JOB_STAGE);
    for (size_t i = 0; i < job->n; i++) {
        job->run[i].evaluated = true;
        job->run[i].score = 0.5F;
        job->run[i].top = job->stage;
        job->run[i].leave = leaves >> i & 1;
    }
    finish(w, job, elapsed);
}

void expect(struct world *w, struct sv_job *job, enum sv_job_kind kind, uint32_t stage,
            size_t n)
{
    assert_true(take(w, job));
    assert_int_equal(job->kind, kind);
    assert_int_equal(job->stage, stage);
    assert_int_equal(job->n, n);
}

struct sv_request *answered(struct world *w)
{
    struct sv_request *r = w->out.answer;

    assert_non_null(r);
    w->out.answer = r->next;
    return r;
}

void put_away(struct world *w, struct sv_request *r)
{
    assert_true(sv_sched_release(w->sched, r));
    sv_request_done(r);
}

void world_done(struct world *w, struct sv_model *m)
{
    assert_null(w->out.answer);
    assert_null(w->out.free);
    assert_int_equal(sv_sched_n_active(w->sched), 0);
    assert_int_equal(sv_sched_n_rows(w->sched), 0);
    assert_int_equal(sv_sched_n_bytes(w->sched), 0);
    assert_false(sv_sched_has_work(w->sched));
    sv_sched_free(w->sched);
    sv_model_unref(m);
}

void teach(struct sv_model *m, size_t step, uint64_t fixed, uint64_t row)
{
    for (size_t i = 0; i < 100; i++)
        sv_cost_observe(&m->steps[step].cost, i % 4 + 1, fixed + row * (i % 4 + 1));
}
