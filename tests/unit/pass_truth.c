#include "tests/unit/pass_truth.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/exec/eval.h"
#include "engine/pass/pass.h"
#include "tests/unit/net.h"

static size_t n_outputs(const struct al_graph *g)
{
    size_t n;

    (void)al_graph_outputs(g, &n);
    return n;
}

void truth_infer(struct al_graph *g, struct truth *t)
{
    struct al_error err = { 0 };

    if (al_pass_fold(g, al_eval_node, &err) != AL_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n_outputs(g); i++)
        t->n[i] = net_run(g, i, t->y[i], TRUTH_MAX_OUT);
}

void truth_assert_same(struct al_graph *g, const struct truth *t)
{
    static float y[TRUTH_MAX_OUT];

    for (size_t i = 0; i < n_outputs(g); i++) {
        assert_int_equal(net_run(g, i, y, TRUTH_MAX_OUT), t->n[i]);
        for (size_t k = 0; k < t->n[i]; k++)
            if (!(fabsf(y[k] - t->y[i][k]) <= 1e-5F * (1 + fabsf(t->y[i][k]))))
                fail_msg("output %zu element %zu: %g, not %g", i, k, (double)y[k],
                         (double)t->y[i][k]);
    }
}

const struct al_node *truth_output_node(const struct al_graph *g, size_t i)
{
    size_t n;

    return al_graph_node(g, al_graph_value(g, al_graph_outputs(g, &n)[i])->producer);
}
