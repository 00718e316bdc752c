#include "tools/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

struct loop {
    tl_work_fn fn;
    void *arg;
    size_t n_items;
    atomic_size_t next;
};

struct worker {
    struct loop *loop;
    pthread_t thread;
    size_t number;
    enum al_status status;
    struct al_error err;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct loop *l = w->loop;
    size_t item;

    while (w->status == AL_OK && (item = atomic_fetch_add(&l->next, 1)) < l->n_items)
        w->status = l->fn(l->arg, w->number, item, &w->err);
    if (w->status != AL_OK)
        atomic_store(&l->next, l->n_items); /* the others stop too */
    return NULL;
}

/* The calling thread is worker 0. */
static enum al_status run(struct worker *workers, size_t n_threads, struct al_error *err)
{
    size_t n_started = 1;
    enum al_status s = AL_OK;

    while (n_started < n_threads && pthread_create(&workers[n_started].thread, NULL, work,
                                                   &workers[n_started]) == 0)
        n_started++;
    (void)work(&workers[0]);
    for (size_t i = 0; i < n_started; i++) {
        if (i > 0)
            (void)pthread_join(workers[i].thread, NULL);
        if (s == AL_OK && workers[i].status != AL_OK)
            s = al_fail(err, workers[i].status, "%s", workers[i].err.text);
    }
    return s;
}

enum al_status tl_parallel(size_t n_threads, size_t n_items, tl_work_fn fn, void *arg,
                           struct al_error *err)
{
    struct loop loop = { .fn = fn, .arg = arg, .n_items = n_items };
    struct worker *workers = calloc(n_threads, sizeof(*workers));

    if (!workers)
        return al_fail(err, AL_NO_MEMORY, "%zu threads", n_threads);
    atomic_init(&loop.next, 0);
    for (size_t i = 0; i < n_threads; i++) {
        workers[i].loop = &loop;
        workers[i].number = i;
    }
    const enum al_status s = run(workers, n_threads, err);

    free(workers);
    return s;
}

size_t tl_usable_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return (size_t)CPU_COUNT(&set);
}
