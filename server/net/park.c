/* park.c — exchanges whose answer comes later.
 *
 * libmicrohttpd repeats the final call of a request in every pass until the handler has
 * queued a response or suspended the connection ("try again next time"). Most answers are
 * there within a fraction of a millisecond; so a parked exchange *lingers* like this at
 * first, which costs the kernel nothing. Only when it has done so for long its connection
 * is suspended: that takes two epoll_ctl and a read in vain, but then no pass asks for
 * it.
 *
 * A connection that lingers can still be lost, by a reset. Its exchange then stays
 * without it until the answer comes, so that who works on it need not know. */
#include "server/net/internal.h"

#define LINGER_NS 2000000U

void sv_exchange_park(struct sv_exchange *x)
{
    struct sv_net *net = x->net;

    x->state = SV_EXCHANGE_PARKED;
    x->conn->parked = x;
    x->lingers = true;
    net->n_lingering++;
    net->counts.exchanges_parked++;
}

static void stop_lingering(struct sv_exchange *x)
{
    x->net->n_lingering -= x->lingers;
    x->lingers = false;
}

void sv_park_wait(struct sv_exchange *x)
{
    if (!x->lingers || x->net->now_ns - x->conn->since_ns < LINGER_NS)
        return;
    stop_lingering(x);
    MHD_suspend_connection(x->mhd);
}

void sv_park_lose(struct sv_exchange *x)
{
    if (x->user_gone)
        x->user_gone(x);
    if (x->state != SV_EXCHANGE_PARKED)
        return;
    stop_lingering(x);
    sv_reply_static(&x->reply, SV_STATUS_GONE, "", NULL);
}

void sv_exchange_answer(struct sv_exchange *x)
{
    struct sv_net *net = x->net;

    x->state = SV_EXCHANGE_READY;
    net->counts.exchanges_parked--;
    net->progress++;
    if (!x->mhd) {
        sv_exchange_free(x);
        return;
    }
    x->conn->parked = NULL;
    if (!x->lingers)
        MHD_resume_connection(x->mhd);
    stop_lingering(x);
}
