#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/net/route.h"

static const struct sv_route routes[] = {
    { SV_GET, "/v2", NULL, "" },
    { SV_GET, "/v2/models/stats", NULL, "" },
    { SV_GET, "/v2/models/{model}", NULL, "" },
    { SV_POST, "/v2/models/{model}/versions/{version}/infer", NULL, "" },
    { SV_POST, "/v1/models/{model}:classify", NULL, "" },
    { SV_PUT | SV_POST, "/v1/models/{model}", NULL, "" },
};

static const char *find(enum sv_method method, const char *path,
                        struct sv_route_args *args, unsigned *methods)
{
    const struct sv_route *r = sv_route_find(routes, sizeof(routes) / sizeof(routes[0]),
                                             method, path, args, methods);

    return r ? r->pattern : "";
}

static void paths_find_their_route_and_arguments(void **state)
{
    struct sv_route_args args;
    unsigned methods;

    (void)state;
    assert_string_equal(find(SV_GET, "/v2", &args, &methods), "/v2");
    assert_string_equal(find(SV_GET, "/v2/models/stats", &args, &methods),
                        "/v2/models/stats");
    assert_string_equal(find(SV_GET, "/v2/models/a.b-c/", &args, &methods),
                        "/v2/models/{model}");
    assert_string_equal(args.value[0], "a.b-c");
    assert_string_equal(find(SV_POST, "/v2/models/m/versions/12/infer", &args, &methods),
                        "/v2/models/{model}/versions/{version}/infer");
    assert_int_equal(args.n, 2);
    assert_string_equal(args.value[1], "12");
    assert_string_equal(find(SV_POST, "/v1/models/m:classify", &args, &methods),
                        "/v1/models/{model}:classify");
    assert_string_equal(args.value[0], "m");
}

static void what_is_no_route_is_not_found(void **state)
{
    static const char *const paths[] = { "",
                                         "/",
                                         "/v2/model",
                                         "/v2//",
                                         "/v2/models/",
                                         "/v2/models//",
                                         "/v2x",
                                         "/v2/models/m/versions//infer",
                                         "/v1/models/:classify" };
    struct sv_route_args args;
    unsigned methods;

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_string_equal(find(SV_GET, paths[i], &args, &methods), "");
        assert_int_equal(methods, 0);
    }
}

static void a_part_longer_than_its_place_is_not_found(void **state)
{
    char path[400] = "/v2/models/";
    struct sv_route_args args;
    unsigned methods;

    (void)state;
    memset(path + 11, 'a', SV_ROUTE_ARG_MAX);
    assert_string_equal(find(SV_GET, path, &args, &methods), "/v2/models/{model}");
    memset(path + 11, 'a', SV_ROUTE_ARG_MAX + 1);
    assert_string_equal(find(SV_GET, path, &args, &methods), "");
}

static void the_wrong_method_says_which_are_right(void **state)
{
    struct sv_route_args args;
    unsigned methods;
    char text[64];

    (void)state;
    assert_string_equal(find(SV_POST, "/v2", &args, &methods), "");
    assert_int_equal(methods, SV_GET | SV_HEAD);
    assert_string_equal(sv_methods_text(methods, text, sizeof(text)), "GET, HEAD");
    assert_string_equal(find(SV_HEAD, "/v2", &args, &methods), "/v2");
    assert_string_equal(find(SV_NO_METHOD, "/v1/models/m", &args, &methods), "");
    assert_int_equal(methods, SV_PUT | SV_POST);
    assert_string_equal(sv_methods_text(methods, text, 6), "POST,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_route_and_arguments),
        cmocka_unit_test(what_is_no_route_is_not_found),
        cmocka_unit_test(a_part_longer_than_its_place_is_not_found),
        cmocka_unit_test(the_wrong_method_says_which_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
