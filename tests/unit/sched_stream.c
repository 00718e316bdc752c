#include "sched_stream.h"

#include <math.h>

uint64_t sim_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

double sim_uniform(uint64_t x)
{
    return (double)(sim_mix(x) >> 11) * 0x1p-53;
}

double sim_chance(struct sim_stream *s)
{
    return sim_uniform(s->random++);
}

static unsigned draw_model(struct sim_stream *s)
{
    double x = sim_chance(s);
    unsigned i = 0;

    while (i + 1 < s->p->n_models && x >= s->p->models[i].share)
        x -= s->p->models[i++].share;
    return i;
}

static void draw(struct sim_stream *s)
{
    const struct sim_params *p = s->p;
    struct sim_arrival *a = &s->next;

    a->at_ns += (uint64_t)(-log1p(-sim_chance(s)) * 1e9 / p->per_second);
    a->model = draw_model(s);
    a->n_rows = 1 + (uint32_t)(sim_chance(s) * p->max_request_rows);
    a->priority = p->min_priority +
                  (unsigned)(sim_chance(s) * (p->max_priority - p->min_priority + 1));
    a->deadline_ns = sim_chance(s) < p->p_deadline
                         ? (uint64_t)((double)p->deadline_ns * (0.5 + sim_chance(s)))
                         : 0;
    a->cancel_ns = sim_chance(s) < p->p_cancel
                       ? (uint64_t)((double)p->deadline_ns * sim_chance(s)) + 1
                       : 0;
    a->broken = sim_chance(s) < p->p_broken;
}

void sim_stream_next(struct sim_stream *s)
{
    if (s->n_drawn == s->p->n_arrivals)
        s->next.at_ns = UINT64_MAX;
    else if (s->p->recorded)
        s->next = s->p->recorded[s->n_drawn];
    else
        draw(s);
    s->n_drawn++;
}

struct sim_stream sim_stream_new(const struct sim_params *p)
{
    struct sim_stream s = { .p = p, .random = sim_mix(p->seed) };

    sim_stream_next(&s);
    return s;
}
