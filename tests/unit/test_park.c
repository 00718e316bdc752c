#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <unistd.h>

#include "server/net/internal.h"

#define LIMIT_NS                                                          \
    (UINT64_C(20) * 1000000000) /* what takes longer than this has failed \
                                 */
#define POST "POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"

enum {
    MAX_PARKED = 4
};

/* A front end whose only route parks, with clients of its own on the same thread. */
struct scene {
    uv_loop_t loop;
    struct sv_net *net;
    uint16_t port;
    struct sv_exchange *parked[MAX_PARKED];
    size_t n_parked, n_passes, n_finished, n_sent;
};

static void wait_route(struct sv_exchange *x)
{
    struct scene *s = sv_net_user(x->net);

    assert_true(s->n_parked < MAX_PARKED);
    s->parked[s->n_parked++] = x;
    sv_exchange_park(x);
}

static const struct sv_route routes[] = { { SV_POST | SV_GET, "/wait", wait_route, "" } };

static void flush(void *user)
{
    ((struct scene *)user)->n_passes++;
}

static void finished(void *user, const struct sv_exchange *x, bool sent)
{
    struct scene *s = user;
    char client[64];

    assert_string_equal(sv_exchange_client(x, client, sizeof(client)), "127.0.0.1");
    s->n_finished++;
    s->n_sent += sent;
}

static bool memory_is_short;

/* NOLINTBEGIN(bugprone-reserved-identifier): names the linker prescribes */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
    return memory_is_short ? NULL : __real_calloc(n, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void complain(void *user, const char *text)
{
    (void)user;
    (void)text;
}

static int listening_socket(uint16_t *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_return_code(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_return_code(listen(fd, 16), 0);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int open_scene(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    struct sv_net_params p = {
        .limits = { .max_connections = 16,
                    .connection_memory_bytes = 16384,
                    .memory_increment_bytes = 1024,
                    .max_body_bytes = 1000,
                    .max_bodies_bytes = 100000,
                    .max_chunks = 10,
                    .header_timeout_ns = LIMIT_NS,
                    .body_timeout_ns = LIMIT_NS,
                    .idle_timeout_ns = LIMIT_NS,
                    .write_timeout_ns = LIMIT_NS,
                    .trusted_proxies = "" },
        .routes = routes,
        .n_routes = 1,
        .user = s,
        .flush = flush,
        .finished = finished,
        .complain = complain,
    };
    struct al_error err;

    assert_non_null(s);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    p.loop = &s->loop;
    assert_int_equal(sv_net_new(&p, &s->net, &err), AL_OK);
    assert_int_equal(sv_net_listen(s->net, listening_socket(&s->port), &err), AL_OK);
    *state = s;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *s = *state;

    sv_net_stop_listening(s->net);
    assert_int_equal(sv_net_counts(s->net)->exchanges_parked, 0);
    assert_int_equal(s->net->n_lingering, 0);
    sv_net_close(s->net);
    assert_int_equal(sv_net_counts(s->net)->exchanges_open, 0);
    assert_int_equal(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    sv_net_free(s->net);
    free(s);
    return 0;
}

/* Lets the front end work until `holds`. */
static void run_until(struct scene *s, bool (*holds)(const struct scene *s))
{
    uint64_t end_ns = uv_hrtime() + LIMIT_NS;

    while (!holds(s)) {
        assert_true(uv_hrtime() < end_ns);
        (void)uv_run(&s->loop, UV_RUN_ONCE);
    }
}

static bool one_is_parked(const struct scene *s)
{
    return s->n_parked == 1;
}

static bool two_are_parked(const struct scene *s)
{
    return s->n_parked == 2;
}

static bool nobody_lingers(const struct scene *s)
{
    return s->net->n_lingering == 0;
}

static bool one_is_finished(const struct scene *s)
{
    return s->n_finished == 1;
}

static bool two_are_finished(const struct scene *s)
{
    return s->n_finished == 2;
}

static int open_client(const struct scene *s, const char *text)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(s->port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_return_code(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
    return fd;
}

static void reset_client(int fd)
{
    struct linger at_once = { .l_onoff = 1 };

    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)),
                       0);
    (void)close(fd);
}

static void answer(struct sv_exchange *x, int status)
{
    struct sv_net *net = x->net;

    sv_reply_static(&x->reply, status, "hello", "text/plain");
    sv_exchange_answer(x);
    sv_net_drive(net);
}

/* What has been sent, of some thousand bytes at most. */
static const char *received(int fd, char *buf, size_t size)
{
    ssize_t n = recv(fd, buf, size - 1, MSG_DONTWAIT);

    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

static void a_quick_answer_needs_no_suspension(void **state)
{
    struct scene *s = *state;
    int fd = open_client(s, POST);
    char buf[4096];

    run_until(s, one_is_parked);
    assert_true(s->parked[0]->lingers);
    (void)uv_run(&s->loop, UV_RUN_NOWAIT);
    answer(s->parked[0], 200);
    run_until(s, one_is_finished);
    assert_int_equal(s->n_sent, 1);
    assert_non_null(strstr(received(fd, buf, sizeof(buf)), "HTTP/1.1 200 OK"));
    assert_non_null(strstr(buf, "\r\n\r\nhello"));
    (void)close(fd);
}

static void a_slow_answer_comes_after_a_suspension(void **state)
{
    struct scene *s = *state;
    int fd = open_client(s, POST);
    char buf[4096];

    run_until(s, one_is_parked);
    run_until(s, nobody_lingers);
    assert_int_equal(s->parked[0]->state, SV_EXCHANGE_PARKED);
    answer(s->parked[0], 200);
    run_until(s, one_is_finished);
    assert_non_null(strstr(received(fd, buf, sizeof(buf)), "HTTP/1.1 200 OK"));
    (void)close(fd);
}

static void waiting_does_not_keep_the_loop_busy(void **state)
{
    struct scene *s = *state;
    int fd = open_client(s, POST);
    size_t before;

    run_until(s, one_is_parked);
    before = s->n_passes;
    run_until(s, nobody_lingers);
    assert_in_range(s->n_passes - before, 1, 20);
    answer(s->parked[0], 200);
    run_until(s, one_is_finished);
    (void)close(fd);
}

static void an_exchange_outlives_a_reset_connection(void **state)
{
    struct scene *s = *state;
    int fd = open_client(s, POST);

    run_until(s, one_is_parked);
    reset_client(fd);
    run_until(s, one_is_finished);
    assert_int_equal(s->n_sent, 0);
    assert_null(s->parked[0]->mhd);
    assert_null(s->parked[0]->conn);
    assert_int_equal(s->net->n_lingering, 0);
    assert_int_equal(sv_net_counts(s->net)->exchanges_open, 1);
    assert_int_equal(sv_net_counts(s->net)->answers[SV_STATUS_GONE], 1);
    answer(s->parked[0], 200);
    assert_int_equal(sv_net_counts(s->net)->exchanges_open, 0);
    assert_int_equal(sv_net_counts(s->net)->answers[200], 0);
}

static void answer_gone(struct sv_exchange *x)
{
    answer(x, SV_STATUS_GONE);
}

static void who_hears_of_a_reset_may_answer_at_once(void **state)
{
    struct scene *s = *state;
    int fd = open_client(s, POST);

    run_until(s, one_is_parked);
    s->parked[0]->user_gone = answer_gone;
    reset_client(fd);
    run_until(s, one_is_finished);
    assert_int_equal(sv_net_counts(s->net)->exchanges_open, 0);
    assert_int_equal(sv_net_counts(s->net)->answers[SV_STATUS_GONE], 1);
}

static void a_request_behind_one_that_waits_waits_for_its_turn(void **state)
{
    struct scene *s = *state;
    int fd = open_client(s, POST POST);
    char buf[4096];

    run_until(s, one_is_parked);
    run_until(s, nobody_lingers);
    assert_int_equal(s->n_parked, 1);
    answer(s->parked[0], 200);
    run_until(s, two_are_parked);
    answer(s->parked[1], 201);
    run_until(s, two_are_finished);
    (void)received(fd, buf, sizeof(buf));
    assert_true(strstr(buf, "HTTP/1.1 200") < strstr(buf, "HTTP/1.1 201"));
    assert_non_null(strstr(buf, "HTTP/1.1 200"));
    (void)close(fd);
}

static void a_request_that_comes_while_one_lingers_is_read_after_it(void **state)
{
    struct scene *s = *state;
    int fd = open_client(s, POST);

    run_until(s, one_is_parked);
    assert_int_equal(send(fd, POST, strlen(POST), 0), (ssize_t)strlen(POST));
    (void)uv_run(&s->loop, UV_RUN_ONCE);
    assert_int_equal(s->n_parked, 1);
    answer(s->parked[0], 200);
    run_until(s, two_are_parked);
    answer(s->parked[1], 200);
    run_until(s, two_are_finished);
    (void)close(fd);
}

/* 12 KB take several passes, of which most have nothing to tell but that they read. */
static void long_headers_are_read_while_another_lingers(void **state)
{
    struct scene *s = *state;
    int first = open_client(s, POST), second;
    char headers[12000];

    run_until(s, one_is_parked);
    (void)snprintf(headers, sizeof(headers),
                   "GET /wait HTTP/1.1\r\nHost: a\r\nX: %011800d\r\n\r\n", 0);
    second = open_client(s, headers);
    run_until(s, two_are_parked);
    answer(s->parked[1], 200);
    run_until(s, one_is_finished);
    answer(s->parked[0], 200);
    run_until(s, two_are_finished);
    assert_int_equal(s->n_sent, 2);
    (void)close(first);
    (void)close(second);
}

static bool one_is_closed(const struct scene *s)
{
    return s->net->counts.connections_total == 1 && s->net->counts.connections_open == 0;
}

static void a_connection_there_is_no_memory_for_is_closed(void **state)
{
    struct scene *s = *state;
    int fd = open_client(s, POST);

    memory_is_short = true;
    run_until(s, one_is_closed);
    memory_is_short = false;
    assert_int_equal(s->n_parked, 0);
    assert_int_equal(s->n_finished, 0);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_scene, close_scene)
        TEST(a_quick_answer_needs_no_suspension),
        TEST(a_slow_answer_comes_after_a_suspension),
        TEST(waiting_does_not_keep_the_loop_busy),
        TEST(an_exchange_outlives_a_reset_connection),
        TEST(who_hears_of_a_reset_may_answer_at_once),
        TEST(a_request_behind_one_that_waits_waits_for_its_turn),
        TEST(a_request_that_comes_while_one_lingers_is_read_after_it),
        TEST(long_headers_are_read_while_another_lingers),
        TEST(a_connection_there_is_no_memory_for_is_closed),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
