#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/exec/eval.h"
#include "engine/graph/graph.h"
#include "engine/onnx/import.h"
#include "engine/pass/pass.h"

#define LIMIT ((size_t)32 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the passes accept is sorted, inferred and complete. */
static void check(struct al_graph *g)
{
    const uint32_t *order;
    size_t n;

    if (al_graph_sort(g, &order, &n, NULL) == AL_NO_MEMORY)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct al_node *node = al_graph_node(g, order[i]);
        for (size_t k = 0; k < node->n_inputs; k++)
            assert(node->inputs[k] == AL_NO_VALUE ||
                   al_graph_value(g, node->inputs[k])->has_shape);
        for (size_t k = 0; k < node->n_outputs; k++)
            assert(node->outputs[k] == AL_NO_VALUE ||
                   al_graph_value(g, node->outputs[k])->has_shape);
    }
}

/* Any bytes become a graph or an error that says something. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct al_onnx_params p = { .bytes = data, .n_bytes = size, .limit_bytes = LIMIT };
    struct al_error err = { 0 };
    struct al_graph *g = NULL;

    if (al_onnx_import(&p, &g, &err) != AL_OK) {
        assert(err.text[0]);
        return 0;
    }
    if (al_pass_all(g, al_eval_node, &err) == AL_OK)
        check(g);
    else
        assert(err.text[0]);
    al_graph_free(g);
    return 0;
}
