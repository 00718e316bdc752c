/* http_load.h — the load and its loop: requests begin, travel and are counted. One
 * thread, one epoll. A failure of the machine (memory, epoll) ends the process. */
#ifndef BENCH_HTTP_LOAD_H
#define BENCH_HTTP_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_S   1000000000U
#define MAX_ANSWER 65536
#define MAX_STATUS 600

struct message {
    char *bytes;
    size_t n;
};

enum state {
    CLOSED,
    IDLE,
    SENDING,
    READING
};

struct connection {
    int fd;
    enum state state;
    uint64_t begin_ns; /* arrival of its request */
    const struct message *out;
    size_t sent;
    size_t got;       /* bytes in `answer` */
    size_t expected;  /* size of the answer; 0: headers not complete yet */
    bool close_after; /* the server said Connection: close */
    bool used;        /* an answer came over it before */
    struct connection *next_idle;
    char answer[MAX_ANSWER];
};

struct load {
    struct sockaddr_in address;
    double rate;      /* 0: closed loop */
    uint64_t most;    /* requests to begin */
    uint64_t stop_ns; /* none begins after it */
    struct message *messages;
    size_t n_messages, n_connections;
    struct connection *connections, *idle;
    int epoll;
    unsigned short random[3];

    uint64_t *arrivals; /* ring of arrivals that wait for a connection */
    size_t n_arrivals, first_arrival, max_arrivals;
    uint64_t next_arrival_ns;

    uint64_t n_begun, n_sent, n_under_way, n_errors, n_status[MAX_STATUS];
    uint32_t *latency_us;
    size_t n_latencies, max_latencies;
};

void load_die(const char *what) __attribute__((noreturn));
uint64_t load_now_ns(void);
/* Makes a connection ready for a request. */
void load_put_idle(struct load *l, struct connection *c);
/* Begins requests for `seconds`, then waits a little for the answers owed. */
void load_run(struct load *l, double seconds);

#endif
