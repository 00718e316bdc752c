#include "scripts/bench/http_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RETRY_NS 10000000U /* pause of a closed loop that cannot connect */
#define GRACE_S  30        /* for answers still owed at the end */

void load_die(const char *what)
{
    (void)fprintf(stderr, "http_load: %s: %s\n", what, strerror(errno));
    exit(2);
}

uint64_t load_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void *grown(void *old, size_t *max, size_t item)
{
    void *p;

    *max = *max ? *max * 2 : 1024;
    p = realloc(old, *max * item);
    if (!p)
        load_die("memory");
    return p;
}

/* ---- arrivals ---- */

static bool may_begin(const struct load *l, uint64_t now)
{
    return l->n_begun < l->most && now < l->stop_ns;
}

static void schedule_next(struct load *l)
{
    l->next_arrival_ns += (uint64_t)(-log(1 - erand48(l->random)) / l->rate * NS_PER_S);
}

/* Notes the requests that have arrived by now, open loop only. */
static void arrive(struct load *l, uint64_t now)
{
    while (l->rate > 0 && l->next_arrival_ns <= now && may_begin(l, l->next_arrival_ns)) {
        if (l->n_arrivals == l->max_arrivals) {
            size_t old = l->max_arrivals;
            l->arrivals = grown(l->arrivals, &l->max_arrivals, sizeof(*l->arrivals));
            for (size_t i = 0; i < l->first_arrival; i++) /* unroll the ring's wrap */
                l->arrivals[(old + i) % l->max_arrivals] = l->arrivals[i];
        }
        l->arrivals[(l->first_arrival + l->n_arrivals++) % l->max_arrivals] =
            l->next_arrival_ns;
        l->n_begun++;
        schedule_next(l);
    }
}

/* The arrival time of a request that can be sent now; false: none. */
static bool take_arrival(struct load *l, uint64_t now, uint64_t *ret_ns)
{
    if (l->rate <= 0) {
        if (!may_begin(l, now))
            return false;
        l->n_begun++;
        *ret_ns = now;
        return true;
    }
    if (l->n_arrivals == 0)
        return false;
    *ret_ns = l->arrivals[l->first_arrival];
    l->first_arrival = (l->first_arrival + 1) % l->max_arrivals;
    l->n_arrivals--;
    return true;
}

/* ---- connections ---- */

static void watch(struct load *l, struct connection *c, uint32_t events)
{
    struct epoll_event e = { .events = events, .data.ptr = c };

    if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e) != 0)
        load_die("epoll_ctl");
}

static bool open_connection(struct load *l, struct connection *c)
{
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        load_die("socket");
    if (connect(c->fd, (struct sockaddr *)&l->address, sizeof(l->address)) != 0) {
        (void)close(c->fd);
        return false;
    }
    (void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
        load_die("epoll_ctl");
    c->used = false;
    return true;
}

static void close_connection(struct connection *c)
{
    (void)close(c->fd);
    c->state = CLOSED;
}

void load_put_idle(struct load *l, struct connection *c)
{
    c->next_idle = l->idle;
    l->idle = c;
}

/* Sends what is left of the request. False: the connection is gone. */
static bool send_rest(struct load *l, struct connection *c)
{
    while (c->sent < c->out->n) {
        ssize_t n =
            send(c->fd, c->out->bytes + c->sent, c->out->n - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            if (c->state != SENDING)
                watch(l, c, EPOLLIN | EPOLLOUT);
            c->state = SENDING;
            return true;
        }
        if (n < 0)
            return false;
        c->sent += (size_t)n;
    }
    if (c->state == SENDING)
        watch(l, c, EPOLLIN);
    c->state = READING;
    return true;
}

/* Begins the request that arrived at `begin_ns`. A connection that the server closed
 * while it was idle is replaced once, as every client does. */
static void begin(struct load *l, struct connection *c, uint64_t begin_ns)
{
    c->begin_ns = begin_ns;
    c->out = &l->messages[l->n_sent++ % l->n_messages];
    c->got = c->expected = c->sent = 0;
    c->close_after = false;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (c->state == CLOSED && !open_connection(l, c))
            break;
        c->state = READING;
        if (send_rest(l, c)) {
            l->n_under_way++;
            return;
        }
        close_connection(c);
    }
    l->n_errors++;
    load_put_idle(l, c);
}

/* Hands requests that wait to connections that do not. Bounded, so that a server that
 * refuses every connection does not hold the loop. */
static void dispatch(struct load *l, uint64_t now)
{
    uint64_t begin_ns;

    for (size_t i = 0; i < l->n_connections && l->idle; i++) {
        struct connection *c = l->idle;
        if (!take_arrival(l, now, &begin_ns))
            return;
        l->idle = c->next_idle;
        begin(l, c, begin_ns);
    }
}

/* ---- answers ---- */

static void count(struct load *l, const struct connection *c, uint64_t now)
{
    int status = atoi(c->answer + strlen("HTTP/1.1 "));

    if (status < 0 || status >= MAX_STATUS)
        status = 0;
    l->n_status[status]++;
    if (status != 200)
        return;
    if (l->n_latencies == l->max_latencies)
        l->latency_us = grown(l->latency_us, &l->max_latencies, sizeof(*l->latency_us));
    l->latency_us[l->n_latencies++] = (uint32_t)((now - c->begin_ns) / 1000);
}

/* Finds the size of the answer once its headers are there. False: not understood. */
static bool read_headers(struct connection *c)
{
    const char *end, *length, *closing;

    c->answer[c->got] = '\0';
    end = strstr(c->answer, "\r\n\r\n");
    if (!end)
        return c->got < MAX_ANSWER - 1;
    length = strcasestr(c->answer, "\r\nContent-Length:");
    closing = strcasestr(c->answer, "\r\nConnection: close");
    if (!length || length > end)
        return false;
    c->close_after = closing && closing < end;
    c->expected = (size_t)(end + 4 - c->answer) +
                  strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    return c->expected < MAX_ANSWER;
}

static void end_request(struct load *l, struct connection *c, bool answered, uint64_t now)
{
    l->n_under_way--;
    if (answered)
        count(l, c, now);
    else
        l->n_errors++;
    if (!answered || c->close_after ||
        c->state == SENDING) /* answered too early: no reuse */
        close_connection(c);
    else
        c->state = IDLE;
    c->used = true;
    load_put_idle(l, c);
}

/* A connection reused just when the server closed it may be tried again: no request was
 * read. What had been answered in part is lost. */
static void lost(struct load *l, struct connection *c, uint64_t now)
{
    if (c->used && c->got == 0) {
        l->n_under_way--;
        close_connection(c);
        begin(l, c, c->begin_ns);
        return;
    }
    end_request(l, c, false, now);
}

static void on_readable(struct load *l, struct connection *c, uint64_t now)
{
    ssize_t n = recv(c->fd, c->answer + c->got, MAX_ANSWER - 1 - c->got, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (c->state == IDLE) { /* it stays in the list of the idle */
        close_connection(c);
        return;
    }
    if (n <= 0) {
        lost(l, c, now);
        return;
    }
    c->got += (size_t)n;
    if (c->expected == 0 && !read_headers(c))
        end_request(l, c, false, now);
    else if (c->expected > 0 && c->got >= c->expected)
        end_request(l, c, true, now);
}

/* ---- the loop ---- */

static void turn(struct load *l, uint64_t until_ns)
{
    struct epoll_event events[64];
    uint64_t now = load_now_ns(), wait = until_ns > now ? until_ns - now : 0;
    struct timespec t = { (time_t)(wait / NS_PER_S), (long)(wait % NS_PER_S) };
    int n = epoll_pwait2(l->epoll, events, 64, &t, NULL);

    if (n < 0 && errno != EINTR)
        load_die("epoll_pwait2");
    now = load_now_ns();
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->state == SENDING && events[i].events & EPOLLOUT && !send_rest(l, c))
            lost(l, c, now);
        else if (c->state != CLOSED && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            on_readable(l, c, now);
    }
}

void load_run(struct load *l, double seconds)
{
    uint64_t start = load_now_ns(), last;

    l->stop_ns = start + (uint64_t)(seconds * NS_PER_S);
    last = l->stop_ns + (uint64_t)GRACE_S * NS_PER_S;
    l->next_arrival_ns = start;
    if (l->rate > 0)
        schedule_next(l);
    for (uint64_t now = start; now < last; now = load_now_ns()) {
        uint64_t until = now < l->stop_ns ? l->stop_ns : last;

        arrive(l, now);
        dispatch(l, now);
        if (!may_begin(l, now) && l->n_under_way == 0 && l->n_arrivals == 0)
            break;
        if (l->rate > 0 && l->next_arrival_ns < until)
            until = l->next_arrival_ns;
        if (l->idle && l->rate <= 0 && now < l->stop_ns)
            until = now + RETRY_NS;
        turn(l, until);
    }
    l->n_errors += l->n_under_way + l->n_arrivals;
}
