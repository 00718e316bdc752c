#include "engine/exec/moved.h"

#include <string.h>

const struct al_moved *al_moved_find(const struct al_builder *b, uint32_t value)
{
    const struct al_moved *m = b->moved[value];

    while (m && !al_build_sees(b, m->slot))
        m = m->next;
    return m;
}

/* ---- loops ---- */

/* Leaves out loops of one and joins those that go on where the inner one ends. */
static void shorten(struct al_moved *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        const struct al_loop *l = &m->loops[i];
        struct al_loop *outer = n ? &m->loops[n - 1] : NULL;

        if (l->count == 1)
            continue;
        if (outer && outer->step == l->count * l->step)
            *outer = (struct al_loop){ outer->count * l->count, l->step };
        else
            m->loops[n++] = *l;
    }
    m->n = n;
}

bool al_moved_steps(const struct al_moved *m, const struct al_shape *shape,
                    size_t steps[AL_MAX_DIMS])
{
    size_t i = m->n, count = 1, step = 0;

    for (size_t k = shape->rank; k-- > 0;) {
        const size_t dim = (size_t)shape->dims[k];

        steps[k] = 0;
        if (dim == 1)
            continue;
        if (count == 1 && i > 0) {
            count = m->loops[--i].count;
            step = m->loops[i].step;
        }
        if (count % dim)
            return false;
        steps[k] = step;
        step *= dim;
        count /= dim;
    }
    return true;
}

enum al_status al_moved_add(struct al_builder *b, uint32_t value,
                            const struct al_moved *from, struct al_error *err)
{
    struct al_moved *m = al_build_temporary(b, 1, sizeof(*m));

    if (!m)
        return al_fail(err, AL_NO_MEMORY, "the places of a value's elements");
    *m = *from;
    m->slot = b->slot;
    m->next = b->moved[value];
    shorten(m);
    b->moved[value] = m;
    return AL_OK;
}

/* ---- copying ---- */

static void copy_line(const float *x, const struct al_loop *l, float *y)
{
    if (l->step == 1) {
        memcpy(y, x, l->count * sizeof(*y));
        return;
    }
    for (size_t i = 0; i < l->count; i++)
        y[i] = x[i * l->step];
}

static void copy_moved(const struct al_moved *m, const float *x, float *y)
{
    const struct al_loop *line = &m->loops[m->n - 1];
    size_t at[AL_MAX_DIMS] = { 0 }, k;

    x += m->first;
    do {
        copy_line(x, line, y);
        y += line->count;
        for (k = m->n - 1; k-- > 0;) {
            x += m->loops[k].step;
            if (++at[k] < m->loops[k].count)
                break;
            x -= at[k] * m->loops[k].step;
            at[k] = 0;
        }
    } while (k != SIZE_MAX);
}

static void run_copy(const struct al_step *s, struct al_run *r)
{
    const struct al_moved *from = s->args;

    for (size_t i = 0; i < r->n; i++)
        copy_moved(from, al_at(&s->in[0], &r->lanes[i]), al_at(&s->out[0], &r->lanes[i]));
}

static enum al_status finish_copy(struct al_builder *b, struct al_draft *d,
                                  struct al_error *err)
{
    struct al_moved *from = al_build_alloc(b, 1, sizeof(*from));

    if (!from)
        return al_fail(err, AL_NO_MEMORY, "a copy of moved elements");
    *from = *(const struct al_moved *)d->own;
    from->next = NULL; /* those are the builder's */
    d->step.run = run_copy;
    d->step.args = from;
    d->step.kernel = "copy";
    return AL_OK;
}

static bool is_together(const struct al_moved *m)
{
    return m->n == 0 || (m->n == 1 && m->loops[0].step == 1);
}

enum al_status al_moved_read(struct al_builder *b, uint32_t value,
                             const struct al_moved *m, uint32_t *ret,
                             struct al_error *err)
{
    struct al_draft *d;
    enum al_status s;

    if (is_together(m)) {
        s = al_build_alias(b, value, m->buffer, m->first, err);
        *ret = al_build_find(b, value, AL_FORM_PLAIN);
        return s;
    }
    s = al_build_write(b, value, AL_FORM_PLAIN, ret, err);
    if (s == AL_OK)
        s = al_build_step(b, al_value_of(b, value)->producer, &m->buffer, 1, ret, 1,
                          finish_copy, &d, err);
    if (s != AL_OK)
        return s;
    d->own = m;
    d->step.kind = "moved";
    return AL_OK;
}

enum al_status al_moved_where(struct al_builder *b, uint32_t value, struct al_moved *ret,
                              struct al_error *err)
{
    const struct al_moved *m = al_moved_find(b, value);
    uint32_t buffer;

    if (m && al_build_find(b, value, AL_FORM_PLAIN) == AL_NO_BUFFER) {
        *ret = *m;
        return AL_OK;
    }
    enum al_status s = al_build_read(b, value, AL_FORM_PLAIN, &buffer, err);
    if (s == AL_OK)
        *ret = (struct al_moved){ .buffer = buffer,
                                  .n = 1,
                                  .loops = {
                                      { al_value_count(al_value_of(b, value)), 1 } } };
    return s;
}
