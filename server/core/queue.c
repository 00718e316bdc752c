#include "server/core/state.h"

static void push(struct sv_sched *s, struct sv_model *m, uint32_t step,
                 struct sv_heap_node *node, uint64_t due_ns, uint64_t now_ns)
{
    struct sv_step *st = &m->steps[step];

    if (st->queue.n == 0)
        st->waiting_ns = now_ns;
    sv_heap_push(&st->queue, node, due_ns);
    s->n_queued++;
}

static void remove_node(struct sv_sched *s, struct sv_model *m, uint32_t step,
                        struct sv_heap_node *node)
{
    if (!node->queued)
        return;
    sv_heap_remove(&m->steps[step].queue, node);
    s->n_queued--;
}

static struct sv_heap_node *pop(struct sv_sched *s, struct sv_model *m, uint32_t step,
                                uint64_t now_ns)
{
    struct sv_heap_node *node = sv_heap_pop(&m->steps[step].queue);

    if (node)
        s->n_queued--;
    m->steps[step].waiting_ns = now_ns;
    return node;
}

void sv_queue_request(struct sv_sched *s, struct sv_request *r, uint64_t now_ns)
{
    r->state = SV_REQUEST_WAITING;
    push(s, r->model, 0, &r->node, r->due_ns, now_ns);
}

void sv_queue_row(struct sv_sched *s, struct sv_row *row, uint64_t now_ns)
{
    row->since_ns = now_ns;
    push(s, row->request->model, row->stage + 1, &row->node, row->request->due_ns,
         now_ns);
}

struct sv_request *sv_queue_pop_request(struct sv_sched *s, struct sv_model *m,
                                        uint64_t now_ns)
{
    struct sv_heap_node *node = pop(s, m, 0, now_ns);
    struct sv_request *r;

    if (!node)
        return NULL;
    r = sv_request_of_node(node);
    r->queue_ns = now_ns - r->arrived_ns;
    return r;
}

struct sv_row *sv_queue_pop_row(struct sv_sched *s, struct sv_model *m, uint32_t step,
                                uint64_t now_ns)
{
    struct sv_heap_node *node = pop(s, m, step, now_ns);
    struct sv_row *row;

    if (!node)
        return NULL;
    row = sv_row_of_node(node);
    row->queue_ns += now_ns - row->since_ns;
    return row;
}

void sv_queue_drop(struct sv_sched *s, struct sv_request *r)
{
    remove_node(s, r->model, 0, &r->node);
    if (r->state != SV_REQUEST_RUNNING)
        return;
    for (uint32_t i = 0; i < r->n_rows; i++)
        remove_node(s, r->model, r->rows[i].stage + 1, &r->rows[i].node);
}

struct sv_request *sv_queue_head(const struct sv_step *st, uint32_t step)
{
    if (!st->queue.root)
        return NULL;
    return step == 0 ? sv_request_of_node(st->queue.root)
                     : sv_row_of_node(st->queue.root)->request;
}
