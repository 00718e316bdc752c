#include "server/core/table.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/model.h"

struct sv_table {
    size_t n, capacity;
    struct sv_entry *entries; /* sorted */
};

const char *sv_model_state_name(enum sv_model_state s)
{
    static const char *const names[] = {
#define X(id, name) [SV_MODEL_##id] = name,
        SV_MODEL_STATE_LIST(X)
#undef X
    };
    return names[s];
}

struct sv_table *sv_table_new(void)
{
    return calloc(1, sizeof(struct sv_table));
}

static void entry_done(struct sv_entry *e)
{
    free(e->name);
    free(e->reason);
    sv_model_unref(e->model);
}

void sv_table_free(struct sv_table *t)
{
    for (size_t i = 0; t && i < t->n; i++)
        entry_done(&t->entries[i]);
    free(t ? t->entries : NULL);
    free(t);
}

/* First entry that is not before (name, version). */
static size_t lower_bound(const struct sv_table *t, const char *name, uint32_t version)
{
    size_t i = 0;

    while (i < t->n) {
        int order = strcmp(t->entries[i].name, name);
        if (order > 0 || (order == 0 && t->entries[i].version >= version))
            break;
        i++;
    }
    return i;
}

static bool is_at(const struct sv_table *t, size_t i, const char *name, uint32_t version)
{
    return i < t->n && t->entries[i].version == version &&
           strcmp(t->entries[i].name, name) == 0;
}

/* Room for one more entry at `i`, zeroed. */
static struct sv_entry *insert(struct sv_table *t, size_t i)
{
    if (t->n == t->capacity) {
        size_t capacity = t->capacity * 2 + 4;
        struct sv_entry *grown = reallocarray(t->entries, capacity, sizeof(*grown));
        if (!grown)
            return NULL;
        t->entries = grown;
        t->capacity = capacity;
    }
    memmove(&t->entries[i + 1], &t->entries[i], (t->n - i) * sizeof(*t->entries));
    t->n++;
    memset(&t->entries[i], 0, sizeof(t->entries[i]));
    return &t->entries[i];
}

enum al_status sv_table_set(struct sv_table *t, const char *name, uint32_t version,
                            enum sv_model_state state, const char *reason,
                            struct sv_model *model)
{
    size_t i = lower_bound(t, name, version);
    bool known = is_at(t, i, name, version);
    char *own_reason = strdup(reason ? reason : "");
    char *own_name = known ? NULL : strdup(name);
    struct sv_entry *e = NULL;

    if (own_reason && (known || own_name))
        e = known ? &t->entries[i] : insert(t, i);
    if (!e) {
        free(own_reason);
        free(own_name);
        return AL_NO_MEMORY;
    }
    if (!known)
        *e = (struct sv_entry){ .name = own_name, .version = version };
    free(e->reason);
    e->reason = own_reason;
    e->state = state;
    if (model || (state != SV_MODEL_READY && state != SV_MODEL_LOADING)) {
        sv_model_unref(e->model);
        e->model = model;
    }
    return AL_OK;
}

void sv_table_set_tried(struct sv_table *t, const char *name, uint32_t version,
                        uint64_t stamp)
{
    size_t i = lower_bound(t, name, version);

    if (is_at(t, i, name, version))
        t->entries[i].tried = stamp;
}

void sv_table_remove(struct sv_table *t, const char *name, uint32_t version)
{
    size_t i = lower_bound(t, name, version);

    if (!is_at(t, i, name, version))
        return;
    entry_done(&t->entries[i]);
    t->n--;
    memmove(&t->entries[i], &t->entries[i + 1], (t->n - i) * sizeof(*t->entries));
}

size_t sv_table_n(const struct sv_table *t)
{
    return t->n;
}

const struct sv_entry *sv_table_at(const struct sv_table *t, size_t i)
{
    return &t->entries[i];
}

const struct sv_entry *sv_table_entry(const struct sv_table *t, const char *name,
                                      uint32_t version)
{
    size_t i = lower_bound(t, name, version);

    return is_at(t, i, name, version) ? &t->entries[i] : NULL;
}

struct sv_model *sv_table_find(const struct sv_table *t, const char *name,
                               uint32_t version)
{
    const struct sv_entry *e = sv_table_entry(t, name, version);
    struct sv_model *found = e ? e->model : NULL;

    for (size_t i = lower_bound(t, name, 0); version == 0 && i < t->n; i++) {
        if (strcmp(t->entries[i].name, name) != 0)
            break;
        if (t->entries[i].model)
            found = t->entries[i].model;
    }
    return found;
}
