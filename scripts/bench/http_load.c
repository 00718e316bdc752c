/* http_load.c — loads an HTTP server with POSTs of given files, or with GETs.
 *
 *   http_load --port N --path PATH [--connections N] [--seconds S | --requests N]
 *             [--rate R] [--seed N] [--type TYPE] [FILE...]
 *
 * Without --rate the loop is closed: every connection asks again as soon as it has its
 * answer. With it the loop is open: requests arrive as a Poisson process of R a second,
 * whatever the server does; one that finds no idle connection waits for one, and its
 * latency counts from its arrival (no coordinated omission). Files are sent in turn.
 * One thread, HTTP/1.1 with Content-Length, loopback only. Prints one line of JSON:
 * answers by status, errors (requests without an answer), latency in us of answers 200.
 */
#include "scripts/bench/http_load.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static struct message make_message(const char *path, const char *type, const char *file)
{
    struct message m = { 0 };
    size_t n = 0;
    FILE *out = open_memstream(&m.bytes, &m.n), *in = file ? fopen(file, "rb") : NULL;
    char *body = NULL;
    struct stat st;

    if (!out || (file && (!in || fstat(fileno(in), &st) != 0)))
        load_die(file ? file : "memory");
    if (in) {
        n = (size_t)st.st_size;
        body = malloc(n + 1);
        if (!body || fread(body, 1, n, in) != n)
            load_die(file);
        (void)fclose(in);
    }
    (void)fprintf(out, "%s %s HTTP/1.1\r\nHost: localhost\r\n", file ? "POST" : "GET",
                  path);
    if (file)
        (void)fprintf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, n);
    (void)fputs("\r\n", out);
    (void)fwrite(body, 1, body ? n : 0, out);
    (void)fclose(out);
    free(body);
    return m;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t quantile(const struct load *l, double q)
{
    return l->n_latencies ? l->latency_us[(size_t)(q * (double)(l->n_latencies - 1))] : 0;
}

static void report(struct load *l, double seconds)
{
    const char *comma = "";

    if (l->n_latencies)
        qsort(l->latency_us, l->n_latencies, sizeof(*l->latency_us), by_size);
    (void)printf("{\"seconds\": %.3f, \"begun\": %" PRIu64 ", \"errors\": %" PRIu64
                 ", \"rate\": %.1f, \"status\": {",
                 seconds, l->n_begun, l->n_errors, (double)l->n_status[200] / seconds);
    for (size_t i = 0; i < MAX_STATUS; i++) {
        if (l->n_status[i] == 0)
            continue;
        (void)printf("%s\"%zu\": %" PRIu64, comma, i, l->n_status[i]);
        comma = ", ";
    }
    (void)printf(
        "}, \"us\": {\"p50\": %u, \"p90\": %u, \"p99\": %u, \"p999\": %u, "
        "\"max\": %u}}\n",
        quantile(l, 0.5), quantile(l, 0.9), quantile(l, 0.99), quantile(l, 0.999),
        quantile(l, 1));
}

static void prepare(struct load *l, uint16_t port, const char *path, const char *type,
                    int n_files, char **files)
{
    l->address = (struct sockaddr_in){ .sin_family = AF_INET,
                                       .sin_port = htons(port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    l->n_messages = n_files ? (size_t)n_files : 1;
    l->messages = calloc(l->n_messages, sizeof(*l->messages));
    l->connections = calloc(l->n_connections, sizeof(*l->connections));
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!l->messages || !l->connections || l->epoll < 0)
        load_die("start");
    for (size_t i = 0; i < l->n_messages; i++)
        l->messages[i] = make_message(path, type, n_files ? files[i] : NULL);
    for (size_t i = l->n_connections; i > 0; i--)
        load_put_idle(l, &l->connections[i - 1]);
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* ns: arrivals are to be in time */
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "port", required_argument, NULL, 'p' },
                                             { "path", required_argument, NULL, 'u' },
                                             { "rate", required_argument, NULL, 'r' },
                                             { "connections", required_argument, NULL,
                                               'c' },
                                             { "seconds", required_argument, NULL, 's' },
                                             { "requests", required_argument, NULL, 'n' },
                                             { "type", required_argument, NULL, 't' },
                                             { "seed", required_argument, NULL, 'e' },
                                             { 0 } };
    struct load l = { .n_connections = 1, .most = UINT64_MAX, .random = { 1, 2, 3 } };
    const char *path = "/", *type = "application/octet-stream";
    double seconds = 3600;
    uint64_t start;
    long port = 0;

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 'p':
            port = strtol(optarg, NULL, 10);
            break;
        case 'u':
            path = optarg;
            break;
        case 'r':
            l.rate = strtod(optarg, NULL);
            break;
        case 'c':
            l.n_connections = strtoul(optarg, NULL, 10);
            break;
        case 's':
            seconds = strtod(optarg, NULL);
            break;
        case 'n':
            l.most = strtoull(optarg, NULL, 10);
            break;
        case 't':
            type = optarg;
            break;
        case 'e':
            l.random[0] = (unsigned short)strtoul(optarg, NULL, 10);
            break;
        default:
            return 2;
        }
    }
    if (port < 1 || port > 65535 || l.n_connections == 0) {
        (void)fprintf(stderr, "http_load: --port and at least one connection, please\n");
        return 2;
    }
    prepare(&l, (uint16_t)port, path, type, argc - optind, argv + optind);
    start = load_now_ns();
    load_run(&l, seconds);
    report(&l, (double)((load_now_ns() < l.stop_ns ? load_now_ns() : l.stop_ns) - start) /
                   1e9);
    return 0;
}
