#include <string.h>

#include "engine/graph/graph.h"

const struct al_attr *al_node_attr(const struct al_node *n, const char *name)
{
    for (size_t i = 0; i < n->n_attrs; i++)
        if (!strcmp(n->attrs[i].name, name))
            return &n->attrs[i];
    return NULL;
}

static const struct al_attr *attr_of_type(const struct al_node *n, const char *name,
                                          enum al_attr_type type)
{
    const struct al_attr *a = al_node_attr(n, name);

    return a && a->type == type ? a : NULL;
}

int64_t al_node_int(const struct al_node *n, const char *name, int64_t otherwise)
{
    const struct al_attr *a = attr_of_type(n, name, AL_ATTR_INT);

    return a ? a->i : otherwise;
}

float al_node_float(const struct al_node *n, const char *name, float otherwise)
{
    const struct al_attr *a = attr_of_type(n, name, AL_ATTR_FLOAT);

    return a ? a->f : otherwise;
}

const char *al_node_string(const struct al_node *n, const char *name,
                           const char *otherwise)
{
    const struct al_attr *a = attr_of_type(n, name, AL_ATTR_STRING);

    return a ? a->s : otherwise;
}

bool al_node_ints(const struct al_node *n, const char *name, const int64_t **ret,
                  size_t *ret_n)
{
    const struct al_attr *a = attr_of_type(n, name, AL_ATTR_INTS);

    if (!a)
        return false;
    *ret = a->ints;
    *ret_n = a->n;
    return true;
}
