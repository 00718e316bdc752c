/* net.h — small graphs for tests: built in one line a node, run by the reference
 * evaluation on inputs and weights that look random and are always the same. */
#ifndef TEST_NET_H
#define TEST_NET_H

#include <stddef.h>
#include <stdint.h>

#include "engine/graph/graph.h"

#define SHAPE(...)                                                             \
    (&(struct al_shape){ sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), \
                         { __VA_ARGS__ } })
#define SCALAR      (&(struct al_shape){ 0 })
#define INPUTS(...) (uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4
#define NO_ATTRS    NULL, 0
#define ATTRS(...)                     \
    (struct al_attr[]){ __VA_ARGS__ }, \
        sizeof((struct al_attr[]){ __VA_ARGS__ }) / sizeof(struct al_attr)
#define INT(key, value)                                  \
    {                                                    \
        .name = (key), .type = AL_ATTR_INT, .i = (value) \
    }
#define FLOAT(key, value)                                  \
    {                                                      \
        .name = (key), .type = AL_ATTR_FLOAT, .f = (value) \
    }
#define STRING(key, value)                                  \
    {                                                       \
        .name = (key), .type = AL_ATTR_STRING, .s = (value) \
    }
#define INTS(key, ...)                                                                 \
    {                                                                                  \
        .name = (key), .type = AL_ATTR_INTS, .ints = (const int64_t[]){ __VA_ARGS__ }, \
        .n = sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)                \
    }

struct al_graph *net_new(void);
/* A float32 input. */
uint32_t net_input(struct al_graph *g, const char *name, const struct al_shape *shape);
/* A float32 constant: pseudo-random in -0.5 .. 0.5, or `data`. */
uint32_t net_weights(struct al_graph *g, const struct al_shape *shape);
uint32_t net_floats(struct al_graph *g, const struct al_shape *shape, const float *data);
uint32_t net_ints(struct al_graph *g, const struct al_shape *shape, const int64_t *data);
/* A node of operator set 13 with one output called `name`; its output's id. */
uint32_t net_node(struct al_graph *g, enum al_op op, const char *name,
                  const uint32_t *inputs, size_t n_inputs, const struct al_attr *attrs,
                  size_t n_attrs);
void net_output(struct al_graph *g, uint32_t value);
/* Runs the graph, epilogues included; writes the elements of output `i`, a float32, at
 * most `max` of them, and returns how many there are. The graph is as before. */
size_t net_run(struct al_graph *g, size_t i, float *ret, size_t max);
/* Nodes of operator `op`. */
size_t net_count(const struct al_graph *g, enum al_op op);
size_t net_n_nodes(const struct al_graph *g);

#endif
