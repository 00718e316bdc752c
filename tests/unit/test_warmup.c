#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <uv.h>

#include "server/app/warmup.h"
#include "server/proto/served.h"

static uint64_t lost_ns; /* whenever somebody looks at the clock */

/* NOLINTBEGIN(bugprone-reserved-identifier): names the linker prescribes */
uint64_t __real_uv_hrtime(void);
uint64_t __wrap_uv_hrtime(void);

uint64_t __wrap_uv_hrtime(void)
{
    static uint64_t lost_so_far_ns;

    lost_so_far_ns += lost_ns;
    return __real_uv_hrtime() + lost_so_far_ns;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static struct sv_model *load(const char *folder)
{
    const struct pk_load_params p = { .precision = AL_N_PRECISIONS,
                                      .cpu_mask = UINT_MAX };
    struct pk_package *package = NULL;
    struct sv_served *served = NULL;
    struct sv_model *m = NULL;
    struct al_error err;

    if (pk_package_load(folder, 0, &p, &package, &err) != AL_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sv_served_new(package, &served, &err), AL_OK);
    assert_int_equal(sv_served_to_model(served, &m, &err), AL_OK);
    return m;
}

static void the_scheduler_knows_what_a_new_models_stages_cost(void **state)
{
    struct sv_model *m = load(MODELS "/fashion-blenet");
    uint64_t start_ns = uv_hrtime();
    uint64_t sum_ns = 0;

    (void)state;
    assert_int_equal(sv_cost_ns(&m->steps[1].cost, 1), 0);
    assert_int_equal(sv_warm_up(m, NULL), AL_OK);
    for (size_t k = 1; k <= m->n_stages; k++) {
        assert_true(sv_cost_ns(&m->steps[k].cost, 1) > 0);
        assert_true(sv_cost_ns(&m->steps[k].cost, 8) >= sv_cost_ns(&m->steps[k].cost, 1));
        sum_ns += sv_cost_ns(&m->steps[k].cost, 1);
    }
    assert_true(sum_ns < uv_hrtime() - start_ns);
    assert_int_equal(sv_cost_ns(&m->steps[0].cost, 1), 0); /* decoding shows later */
    sv_model_unref(m);
}

static void time_without_a_processor_is_no_cost(void **state)
{
    struct sv_model *m = load(MODELS "/fashion-blenet");

    (void)state;
    lost_ns = UINT64_C(1000000000000);
    assert_int_equal(sv_warm_up(m, NULL), AL_OK);
    lost_ns = 0;
    for (size_t k = 1; k <= m->n_stages; k++)
        assert_in_range(sv_cost_ns(&m->steps[k].cost, 1), 1, UINT64_C(999999999999));
    sv_model_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scheduler_knows_what_a_new_models_stages_cost),
        cmocka_unit_test(time_without_a_processor_is_no_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
