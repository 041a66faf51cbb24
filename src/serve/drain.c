#include "serve/drain.h"

#include "base/clock.h"
#include "serve/conn.h"
#include "serve/exchange.h"
#include "serve/inside.h"

/* From `until`, when running exchanges are told, to the cut. */
#define CUT_AFTER CV_SECOND

/* Calls `fn` for each connection; it may close it, or give it another deadline. */
static void each_conn(struct cv_server *server, void (*fn)(struct cv_conn *c))
{
    for (enum cv_due kind = CV_DUE_NONE; kind < CV_DUE_COUNT; kind++) {
        struct cv_link *list = &server->deadlines.lists[kind];
        struct cv_link rest;
        cv_list_move(list, &rest);
        struct cv_link *link;
        while ((link = cv_list_pop(&rest)) != NULL) {
            cv_list_push(list, link);
            fn(CV_CONTAINER_OF(link, struct cv_conn, due));
        }
    }
}

static void close_if_idle(struct cv_conn *c)
{
    if (cv_conn_is_idle(c))
        cv_conn_close_idle(c);
}

static void close_or_warn(struct cv_conn *c)
{
    if (c->x != NULL)
        cv_exchange_warn(c->x, CV_GONE_DRAIN);
    else
        close_if_idle(c);
}

static void cut(struct cv_conn *c)
{
    cv_conn_close(c, CV_GONE_DRAIN);
}

static void fire(struct cv_timer *timer)
{
    struct cv_server *server = CV_CONTAINER_OF(timer, struct cv_server, draining.timer);
    struct cv_draining *draining = &server->draining;
    cv_timer_move(server->loop, &server->draining.timer, CV_NEVER);
    cv_server_clock(server, cv_loop_now(server->loop));
    if (draining->overdue) {
        each_conn(server, cut);
        return;
    }
    draining->overdue = true;
    draining->stop = true;
    cv_timer_move(server->loop, &server->draining.timer, cv_loop_now(server->loop) + CUT_AFTER);
    each_conn(server, close_or_warn);
}

int cv_drain_init(struct cv_server *server)
{
    server->draining.timer.fire = fire;
    server->draining.until = CV_NEVER;
    return cv_timer_set(server->loop, &server->draining.timer, CV_NEVER);
}

void cv_drain_done(struct cv_server *server)
{
    cv_timer_stop(server->loop, &server->draining.timer);
}

void cv_server_forewarn(struct cv_server *server)
{
    server->draining.forewarned = true;
}

void cv_server_drain(struct cv_server *server, enum cv_drain kind, int64_t until)
{
    struct cv_draining *draining = &server->draining;
    cv_server_clock(server, cv_clock_ns());
    if (!draining->on) {
        draining->on = draining->forewarned = true;
        /* What waits in the queue may have woken this process and no other: it is taken also when
         * others go on. */
        cv_accept_rest(server);
        cv_accept_stop(server);
    }
    if (until < draining->until && !draining->overdue) {
        draining->until = until;
        cv_timer_move(server->loop, &server->draining.timer, until);
    }
    if (kind == CV_DRAIN_STOP && !draining->stop) {
        draining->stop = true;
        each_conn(server, close_if_idle);
    }
    cv_server_kick(server); /* it may be drained already */
}

bool cv_drain_is_due(const struct cv_server *server)
{
    return server->draining.on && server->open == 0 && !server->draining.told;
}

bool cv_drain_take(struct cv_server *server)
{
    bool is_due = cv_drain_is_due(server);
    server->draining.told |= is_due;
    return is_due;
}
