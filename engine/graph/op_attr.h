/* op_attr.h — the attributes operators have, with their types. */
#ifndef AL_GRAPH_OP_ATTR_H
#define AL_GRAPH_OP_ATTR_H

#include "engine/graph/graph.h"

/* Whether all of the node's attributes belong to its operator, are of the type they must
 * be and are given once. AL_UNSUPPORTED for one that is unknown: what it would ask for,
 * nobody would do. */
AL_MUST_CHECK enum al_status al_op_check_attrs(const struct al_node *n,
                                               struct al_error *err);

#endif
