#include "engine/exec/choose.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/exec/choice_file.h"
#include "engine/exec/trial.h"
#include "engine/kern/cpu.h"

struct made {
    uint64_t key;
    struct al_chosen chosen;
    bool is_new; /* measured by this load */
};

struct al_choice {
    struct al_choice_params p;
    struct made *made;
    size_t n, room;
};

/* ---- keys ---- */

/* FNV-1a. */
static void mix(uint64_t *hash, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        *hash = (*hash ^ p[i]) * 0x100000001b3U;
}

static void mix_int(uint64_t *hash, int64_t value)
{
    mix(hash, &value, sizeof(value));
}

static void mix_halo(uint64_t *hash, const struct al_halo *h)
{
    mix_int(hash, h->top);
    mix_int(hash, h->left);
    mix_int(hash, h->bottom);
    mix_int(hash, h->right);
}

/* Sanitizers and missing optimisation change what is fast. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    !defined(__OPTIMIZE__)
#define BUILD "slow"
#else
#define BUILD "fast"
#endif

/* All that a choice depends on: layer, machine, precision, and this build's algorithms.
 */
static uint64_t key_of(const struct al_choice *c, const struct al_conv_shape *s,
                       int32_t block)
{
    const int32_t numbers[] = { block,       s->in_c,         s->in_h,
                                s->in_w,     s->out_c,        s->out_h,
                                s->out_w,    s->kernel_h,     s->kernel_w,
                                s->stride_h, s->stride_w,     s->dilation_h,
                                s->pad_top,  s->dilation_w,   s->pad_left,
                                s->groups,   s->planar_input, s->max_pool };
    uint64_t hash = 0xcbf29ce484222325U;
    size_t n;
    const struct al_conv_algo *const *algos = al_conv_algos(&n);

    mix(&hash, ALIGHT_VERSION BUILD, sizeof(ALIGHT_VERSION BUILD));
    for (size_t i = 0; i < n; i++)
        mix(&hash, algos[i]->name, strlen(algos[i]->name));
    mix_int(&hash, c->p.cpu_flags);
    mix_int(&hash, c->p.precision);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        mix_int(&hash, numbers[i]);
    mix_halo(&hash, &s->in_halo);
    mix_halo(&hash, &s->out_halo);
    mix_halo(&hash, &s->add_halo);
    return hash;
}

/* ---- what was chosen before ---- */

static struct made *recall(const struct al_choice *c, uint64_t key)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->made[i].key == key)
            return &c->made[i];
    return NULL;
}

static bool remember(struct al_choice *c, const struct made *made)
{
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 32;
        struct made *more = reallocarray(c->made, room, sizeof(*more));

        if (!more)
            return false;
        c->made = more;
        c->room = room;
    }
    c->made[c->n++] = *made;
    return true;
}

static const struct al_conv_algo *algo_called(const char *name)
{
    size_t n;
    const struct al_conv_algo *const *algos = al_conv_algos(&n);

    for (size_t i = 0; i < n; i++)
        if (!strcmp(algos[i]->name, name))
            return algos[i];
    return NULL;
}

static void add_candidate(struct al_chosen *chosen, const struct al_conv_algo *algo,
                          uint64_t ns)
{
    if (!chosen->algo || ns < chosen->ns) {
        chosen->algo = algo;
        chosen->ns = ns;
    }
    if (chosen->n_candidates < AL_MAX_CANDIDATES)
        chosen->candidates[chosen->n_candidates++] =
            (struct al_candidate){ algo->name, ns };
}

static void take_line(void *arg, const struct al_choice_line *line)
{
    struct al_choice *c = arg;
    const struct al_conv_algo *algo = algo_called(line->name);
    struct made *made = recall(c, line->key);

    if (!algo)
        return;
    if (!made) {
        if (!remember(c, &(struct made){ .key = line->key }))
            return;
        made = &c->made[c->n - 1];
    }
    add_candidate(&made->chosen, algo, line->ns);
}

struct al_choice *al_choice_new(const struct al_choice_params *p)
{
    struct al_choice *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->p = *p;
    if (!p->now_ns)
        c->p.file = NULL;
    if (c->p.file)
        al_choice_file_read(c->p.file, take_line, c);
    return c;
}

void al_choice_free(struct al_choice *c)
{
    if (c)
        free(c->made);
    free(c);
}

void al_choice_save(const struct al_choice *c)
{
    struct al_choice_line *lines = calloc(c->n * AL_MAX_CANDIDATES + 1, sizeof(*lines));
    size_t n = 0;

    for (size_t i = 0; lines && c->p.file && i < c->n; i++) {
        const struct made *m = &c->made[i];

        for (size_t k = 0; m->is_new && k < m->chosen.n_candidates; k++)
            lines[n++] = (struct al_choice_line){ m->key, m->chosen.candidates[k].ns,
                                                  m->chosen.candidates[k].name };
    }
    if (n)
        al_choice_file_append(c->p.file, lines, n);
    free(lines);
}

/* ---- choosing ---- */

static bool is_candidate(const struct al_choice *c, const struct al_conv_algo *a,
                         const struct al_conv_shape *s, int32_t block)
{
    return !(a->cpu_flags & ~c->p.cpu_flags) && a->block == block &&
           a->precision <= c->p.precision && a->fits(s);
}

/* The likely fastest of the exact ones that does without tiles. */
static const struct al_conv_algo *plain_of(const struct al_choice *c,
                                           const struct al_conv_shape *s, int32_t block)
{
    const struct al_conv_algo *plain = NULL;
    size_t n;
    const struct al_conv_algo *const *algos = al_conv_algos(&n);

    for (size_t i = 0; i < n; i++)
        if (is_candidate(c, algos[i], s, block) && algos[i]->precision == AL_CONV_EXACT &&
            !(algos[i]->cpu_flags & AL_CPU_AMX))
            plain = algos[i];
    return plain;
}

/* Times one candidate. Those that use tiles must agree with one that does not. */
static enum al_status try(struct al_trial *trial, const struct al_conv_algo *a,
                          const struct al_conv_algo *plain, struct al_chosen *ret,
                          struct al_error *err)
{
    uint64_t ns = 0;
    bool agrees = true;
    enum al_status s =
        al_trial_time(trial, a, ret->algo ? ret->ns : UINT64_MAX, &ns, err);

    if (s == AL_OK && plain && a->cpu_flags & AL_CPU_AMX)
        s = al_trial_agrees(trial, a, plain, &agrees, err);
    if (s == AL_OK && agrees)
        add_candidate(ret, a, ns);
    return s;
}

static enum al_status pick(struct al_choice *c, const struct al_conv_shape *s,
                           int32_t block, struct al_chosen *ret, struct al_error *err)
{
    size_t n;
    const struct al_conv_algo *const *algos = al_conv_algos(&n);
    struct al_trial trial = { .shape = s, .block = block, .now_ns = c->p.now_ns };
    enum al_status status = c->p.now_ns ? al_trial_init(&trial, err) : AL_OK;

    for (size_t i = n; status == AL_OK && i-- > 0;) { /* likely fast ones first */
        if (!is_candidate(c, algos[i], s, block))
            continue;
        if (c->p.now_ns)
            status = try(&trial, algos[i], plain_of(c, s, block), ret, err);
        else
            add_candidate(ret, algos[i], 0);
    }
    al_trial_done(&trial);
    if (status == AL_OK && !ret->algo)
        return al_fail(err, AL_INTERNAL, "no convolution algorithm fits");
    return status;
}

enum al_status al_choose_conv(struct al_choice *c, const struct al_conv_shape *s,
                              int32_t block, struct al_chosen *ret, struct al_error *err)
{
    struct made made = { .key = key_of(c, s, block), .is_new = true };
    const struct made *before = recall(c, made.key);

    if (before && is_candidate(c, before->chosen.algo, s, block)) {
        *ret = before->chosen;
        return AL_OK;
    }
    enum al_status status = pick(c, s, block, &made.chosen, err);
    if (status != AL_OK)
        return status;
    if (!remember(c, &made))
        return al_fail(err, AL_NO_MEMORY, "%zu kernel choices", c->n);
    *ret = made.chosen;
    return AL_OK;
}
