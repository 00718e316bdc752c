#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/exec/choose.h"
#include "engine/kern/cpu.h"

static uint64_t ticks;

static uint64_t fake_now_ns(void)
{
    return ticks += 1000;
}

static const struct al_conv_shape shape = {
    .in_c = 16,
    .in_h = 8,
    .in_w = 8,
    .out_c = 16,
    .out_h = 8,
    .out_w = 8,
    .kernel_h = 3,
    .kernel_w = 3,
    .stride_h = 1,
    .stride_w = 1,
    .dilation_h = 1,
    .dilation_w = 1,
    .pad_top = 1,
    .pad_left = 1,
    .groups = 1,
    .in_halo = { 1, 1, 1, 1 },
};

struct place {
    char path[64];
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    (void)snprintf(p->path, sizeof(p->path), "/tmp/alight-choices-XXXXXX");
    int fd = mkstemp(p->path);
    assert_true(fd >= 0);
    close(fd);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;

    unlink(p->path);
    free(p);
    return 0;
}

static struct al_chosen choose(const char *file, uint64_t (*now_ns)(void), unsigned flags)
{
    struct al_choice *c = al_choice_new(&(struct al_choice_params){
        .cpu_flags = flags, .precision = AL_CONV_EXACT, .now_ns = now_ns, .file = file });
    struct al_chosen chosen = { 0 };

    assert_non_null(c);
    assert_int_equal(al_choose_conv(c, &shape, 8, &chosen, NULL), AL_OK);
    al_choice_save(c);
    al_choice_free(c);
    return chosen;
}

static void a_kept_choice_is_not_measured_again(void **state)
{
    struct place *p = *state;
    struct al_chosen first = choose(p->path, fake_now_ns, al_cpu_detect());
    uint64_t before = ticks;
    struct al_chosen second = choose(p->path, fake_now_ns, al_cpu_detect());

    assert_ptr_equal(first.algo, second.algo);
    assert_int_equal(ticks, before);
    assert_int_equal(second.ns, 1000);
    assert_int_equal(second.n_candidates, first.n_candidates);
}

static void another_machine_does_not_use_it(void **state)
{
    struct place *p = *state;

    (void)choose(p->path, fake_now_ns, al_cpu_detect());
    uint64_t before = ticks;
    (void)choose(p->path, fake_now_ns, al_cpu_detect() ? 0 : AL_CPU_AVX2);
    assert_true(ticks > before);
}

static void what_is_no_choice_is_skipped(void **state)
{
    struct place *p = *state;
    FILE *f = fopen(p->path, "w");

    assert_non_null(f);
    (void)fputs("\n0 0\nzz 1 direct-c8\n1 1 nothing-known\n99 1 direct-c8", f);
    for (int i = 0; i < 5000; i++)
        (void)fputc('x', f);
    (void)fclose(f);
    assert_non_null(choose(p->path, fake_now_ns, 0).algo);
}

static void without_clock_or_file_there_is_a_choice(void **state)
{
    struct place *p = *state;
    char text[8];

    assert_non_null(choose(p->path, NULL, 0).algo);
    assert_non_null(choose(NULL, fake_now_ns, 0).algo);
    assert_non_null(choose("/nowhere/at/all", fake_now_ns, 0).algo);
    FILE *f = fopen(p->path, "r");
    assert_non_null(f);
    assert_null(fgets(text, sizeof(text), f)); /* nothing measured, nothing kept */
    (void)fclose(f);
}

/* Whether one of the candidates computes in bfloat16. */
static bool tries_bf16(enum al_conv_precision precision, unsigned flags)
{
    struct al_choice *c = al_choice_new(&(struct al_choice_params){
        .cpu_flags = flags, .precision = precision, .now_ns = fake_now_ns });
    struct al_chosen chosen = { 0 };
    bool found = false;

    assert_non_null(c);
    assert_int_equal(al_choose_conv(c, &shape, 16, &chosen, NULL), AL_OK);
    for (size_t i = 0; i < chosen.n_candidates; i++)
        found = found || strstr(chosen.candidates[i].name, "bf16");
    al_choice_free(c);
    return found;
}

static void bfloat16_is_tried_only_in_its_mode_and_where_the_cpu_has_it(void **state)
{
    unsigned cpu = al_cpu_detect();

    (void)state;
    assert_false(tries_bf16(AL_CONV_EXACT, cpu));
    assert_false(tries_bf16(AL_CONV_FAST, cpu));
    assert_false(tries_bf16(AL_CONV_BF16, cpu & (AL_CPU_AVX2 | AL_CPU_AVX512)));
    assert_int_equal(tries_bf16(AL_CONV_BF16, cpu), (cpu & AL_CPU_AVX512_BF16) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_kept_choice_is_not_measured_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_machine_does_not_use_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_choice_is_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(without_clock_or_file_there_is_a_choice, setup,
                                        teardown),
        cmocka_unit_test(bfloat16_is_tried_only_in_its_mode_and_where_the_cpu_has_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
