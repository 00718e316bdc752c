/* Every allocation of our own fails once: the call must report it, and leak nothing (seen
 * by a sanitizer). What protobuf-c was refused looks like a damaged file. Linked with
 * --wrap for the allocators. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "files.h"
#include "package/image.h"
#include "package/labels.h"
#include "package/package.h"

/* NOLINTBEGIN(bugprone-reserved-identifier): names the linker prescribes */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

static int until_failure = -1; /* allocations that still succeed; -1: all */

static bool fails(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* Fails the first allocation, then the second, … until the action succeeds. */
static void fail_each(enum al_status (*action)(struct al_error *err), int at_least)
{
    int n = 0;

    for (enum al_status s = AL_NO_MEMORY; s != AL_OK; n++) {
        struct al_error err = { 0 };

        assert_true(n < 100000);
        until_failure = n;
        s = action(&err);
        until_failure = -1;
        assert_true(s == AL_OK || err.text[0] != '\0');
    }
    assert_in_range(n, at_least, 100000);
}

static enum al_status feed_picture(struct al_error *err)
{
    static const char pnm[] = "P5 4 3 255\n0123456789ab";
    const struct pk_image_limits limits = pk_image_limits_default();
    const struct pk_input_spec spec = { .width = 3,
                                        .height = 5,
                                        .colour = PK_COLOUR_RGB,
                                        .fit = PK_FIT_CROP,
                                        .filter = PK_FILTER_BICUBIC,
                                        .scale = 1.0,
                                        .std = { 1.0, 1.0, 1.0 } };
    float dst[3 * 3 * 5];

    return pk_image_to_tensor(pnm, sizeof(pnm) - 1, &spec, &limits, dst, err);
}

static enum al_status read_labels(struct al_error *err)
{
    char **labels;
    size_t n;
    enum al_status s = pk_labels_parse("a\nb\n", 4, &labels, &n, err);

    if (s == AL_OK)
        free(labels);
    return s;
}

static enum al_status load_package(struct al_error *err)
{
    const struct pk_load_params params = { .precision = AL_N_PRECISIONS,
                                           .cpu_mask = UINT_MAX };
    struct pk_package *p;
    enum al_status s =
        pk_package_load(TEST_DATA "/../../models/fashion-blenet", 0, &params, &p, err);

    if (s == AL_OK)
        pk_package_free(p);
    return s;
}

static void a_picture_survives_every_failed_allocation(void **state)
{
    (void)state;
    fail_each(feed_picture, 10);
}

static void labels_survive_every_failed_allocation(void **state)
{
    (void)state;
    fail_each(read_labels, 1);
}

static void loading_survives_every_failed_allocation(void **state)
{
    (void)state;
    fail_each(load_package, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_survives_every_failed_allocation),
        cmocka_unit_test(labels_survive_every_failed_allocation),
        cmocka_unit_test(loading_survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
