#include "server/core/state.h"

static void push(struct sv_sched *s, struct sv_request *r, uint32_t step,
                 struct sv_heap_node *node, uint64_t now_ns)
{
    struct sv_step *st = &r->model->steps[step];

    if (st->queue.n == 0)
        st->waiting_ns = now_ns;
    sv_heap_push(&st->queue, node, r->due_ns);
    st->by_span[sv_span_class(r)]++;
    s->n_queued++;
}

static void remove_node(struct sv_sched *s, struct sv_request *r, uint32_t step,
                        struct sv_heap_node *node)
{
    struct sv_step *st = &r->model->steps[step];

    if (!node->queued)
        return;
    sv_heap_remove(&st->queue, node);
    st->by_span[sv_span_class(r)]--;
    s->n_queued--;
}

void sv_queue_request(struct sv_sched *s, struct sv_request *r, uint64_t now_ns)
{
    r->state = SV_REQUEST_WAITING;
    push(s, r, 0, &r->node, now_ns);
}

void sv_queue_row(struct sv_sched *s, struct sv_row *row, uint64_t now_ns)
{
    row->since_ns = now_ns;
    push(s, row->request, row->stage + 1, &row->node, now_ns);
}

struct sv_request *sv_queue_pop_request(struct sv_sched *s, struct sv_model *m,
                                        uint64_t now_ns)
{
    struct sv_request *r = sv_queue_head(&m->steps[0], 0);

    m->steps[0].waiting_ns = now_ns;
    if (!r)
        return NULL;
    remove_node(s, r, 0, &r->node);
    r->queue_ns = now_ns - r->arrived_ns;
    return r;
}

struct sv_row *sv_queue_pop_row(struct sv_sched *s, struct sv_model *m, uint32_t step,
                                uint64_t now_ns)
{
    struct sv_heap_node *node = m->steps[step].queue.root;
    struct sv_row *row;

    m->steps[step].waiting_ns = now_ns;
    if (!node)
        return NULL;
    row = sv_row_of_node(node);
    remove_node(s, row->request, step, node);
    row->queue_ns += now_ns - row->since_ns;
    return row;
}

void sv_queue_drop(struct sv_sched *s, struct sv_request *r)
{
    remove_node(s, r, 0, &r->node);
    if (r->state != SV_REQUEST_RUNNING)
        return;
    for (uint32_t i = 0; i < r->n_rows; i++)
        remove_node(s, r, r->rows[i].stage + 1, &r->rows[i].node);
}

struct sv_request *sv_queue_head(const struct sv_step *st, uint32_t step)
{
    if (!st->queue.root)
        return NULL;
    return step == 0 ? sv_request_of_node(st->queue.root)
                     : sv_row_of_node(st->queue.root)->request;
}
