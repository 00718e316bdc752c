#include "engine/exec/choose.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/exec/trial.h"

struct choice {
    struct al_conv_shape shape;
    int32_t block;
    const struct al_conv_algo *algo;
};

struct al_choice {
    unsigned cpu_flags;
    enum al_conv_precision precision;
    uint64_t (*now_ns)(void);
    struct choice *made;
    size_t n, room;
};

struct al_choice *al_choice_new(unsigned cpu_flags, enum al_conv_precision precision,
                                uint64_t (*now_ns)(void))
{
    struct al_choice *c = calloc(1, sizeof(*c));

    if (c) {
        c->cpu_flags = cpu_flags;
        c->precision = precision;
        c->now_ns = now_ns;
    }
    return c;
}

void al_choice_free(struct al_choice *c)
{
    if (c)
        free(c->made);
    free(c);
}

static bool same_halo(const struct al_halo *x, const struct al_halo *y)
{
    return x->top == y->top && x->left == y->left && x->bottom == y->bottom &&
           x->right == y->right;
}

static bool same_shape(const struct al_conv_shape *x, const struct al_conv_shape *y)
{
    return x->in_c == y->in_c && x->in_h == y->in_h && x->in_w == y->in_w &&
           x->out_c == y->out_c && x->out_h == y->out_h && x->out_w == y->out_w &&
           x->kernel_h == y->kernel_h && x->kernel_w == y->kernel_w &&
           x->stride_h == y->stride_h && x->stride_w == y->stride_w &&
           x->dilation_h == y->dilation_h && x->dilation_w == y->dilation_w &&
           x->pad_top == y->pad_top && x->pad_left == y->pad_left &&
           x->groups == y->groups && x->planar_input == y->planar_input &&
           same_halo(&x->in_halo, &y->in_halo) && same_halo(&x->out_halo, &y->out_halo) &&
           same_halo(&x->add_halo, &y->add_halo);
}

static const struct al_conv_algo *recall(const struct al_choice *c,
                                         const struct al_conv_shape *s, int32_t block)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->made[i].block == block && same_shape(&c->made[i].shape, s))
            return c->made[i].algo;
    return NULL;
}

static bool remember(struct al_choice *c, const struct choice *made)
{
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 32;
        struct choice *more = reallocarray(c->made, room, sizeof(*more));

        if (!more)
            return false;
        c->made = more;
        c->room = room;
    }
    c->made[c->n++] = *made;
    return true;
}

static bool is_candidate(const struct al_choice *c, const struct al_conv_algo *a,
                         const struct al_conv_shape *s, int32_t block)
{
    return !(a->cpu_flags & ~c->cpu_flags) && a->block == block &&
           a->precision <= c->precision && a->fits(s);
}

static enum al_status pick(struct al_choice *c, const struct al_conv_shape *s,
                           int32_t block, const struct al_conv_algo **ret,
                           struct al_error *err)
{
    size_t n;
    const struct al_conv_algo *const *algos = al_conv_algos(&n);
    struct al_trial trial = { .shape = s, .block = block, .now_ns = c->now_ns };
    uint64_t best_ns = UINT64_MAX;
    enum al_status status = AL_OK;

    *ret = NULL;
    if (c->now_ns)
        status = al_trial_init(&trial, err);
    for (size_t i = 0; status == AL_OK && i < n; i++) {
        uint64_t ns = 0;

        if (!is_candidate(c, algos[i], s, block))
            continue;
        if (c->now_ns)
            status = al_trial_time(&trial, algos[i], best_ns, &ns, err);
        if (status == AL_OK && ns <= best_ns) {
            best_ns = ns;
            *ret = algos[i];
        }
    }
    al_trial_done(&trial);
    if (status == AL_OK && !*ret)
        return al_fail(err, AL_INTERNAL, "no convolution algorithm fits");
    return status;
}

enum al_status al_choose_conv(struct al_choice *c, const struct al_conv_shape *s,
                              int32_t block, const struct al_conv_algo **ret,
                              struct al_error *err)
{
    *ret = recall(c, s, block);
    if (*ret)
        return AL_OK;

    enum al_status status = pick(c, s, block, ret, err);
    if (status == AL_OK && !remember(c, &(struct choice){ *s, block, *ret }))
        return al_fail(err, AL_NO_MEMORY, "%zu kernel choices", c->n);
    return status;
}
