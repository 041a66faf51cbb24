#include "serve/deadline.h"

#include "base/clock.h"
#include "serve/conn.h"
#include "serve/exchange.h"
#include "serve/inside.h"
#include "serve/protocol.h"
#include "serve/spool.h"

#define TICK_MIN CV_MS

static void arm(struct cv_server *server, int64_t at)
{
    struct cv_deadlines *deadlines = &server->deadlines;
    cv_timer_move(server->loop, &deadlines->timer, at);
    deadlines->armed = at;
}

static int64_t round_up(int64_t at, int64_t tick)
{
    return at > CV_NEVER - tick ? CV_NEVER : (at + tick - 1) / tick * tick;
}

static struct cv_conn *first_of(const struct cv_link *list)
{
    return cv_list_empty(list) ? NULL : CV_CONTAINER_OF(list->next, struct cv_conn, due);
}

/* ---- Transfers ---- */

static int64_t own_or(int64_t own, int64_t setting)
{
    return own != 0 ? own : setting;
}

static enum cv_speed_verdict look_at_body(struct cv_conn *c)
{
    const struct cv_limits *limits = &c->server->limits;
    const struct cv_exchange *x = c->x;
    struct cv_speed_limits speed = {.patience = limits->request_timeout,
                                    .rate = limits->body_rate_min,
                                    .span = limits->rate_span};
    if (x != NULL && (!x->waits_body || cv_spool_is_full(x))) /* it may not be the peer's fault */
        cv_speed_excuse(&c->speed, c->server->now);
    if (x != NULL && x->waits_body) {
        speed.patience = own_or(x->own_request_timeout, speed.patience);
        speed.rate = own_or(x->own_body_rate_min, speed.rate);
    }
    return cv_speed_look(&c->speed, &speed, c->server->now, 0);
}

static enum cv_speed_verdict look_at_sending(struct cv_conn *c)
{
    const struct cv_limits *limits = &c->server->limits;
    const struct cv_speed_limits speed = {
        .patience = limits->send_timeout,
        .anew = true,
        .rate = limits->send_rate_min,
        .span = limits->rate_span,
    };
    if (c->cold) /* it is the disk that is slow */
        cv_speed_excuse(&c->speed, c->server->now);
    return cv_speed_look(&c->speed, &speed, c->server->now, c->transport->queued(c));
}

static bool is_looked_at(enum cv_due kind)
{
    return kind >= CV_DUE_BODY;
}

static enum cv_speed_verdict look(struct cv_conn *c, enum cv_due kind)
{
    if (!is_looked_at(kind))
        return CV_SPEED_LATE;
    return kind == CV_DUE_BODY ? look_at_body(c) : look_at_sending(c);
}

/* ---- Lists ---- */

static void leave_list(struct cv_conn *c)
{
    if (cv_list_empty(&c->due))
        return; /* it is new */
    cv_list_remove(&c->due);
    c->server->deadlines.counts[c->due_kind]--;
}

/* To the end of its list, where the latest are. */
static void join_list(struct cv_server *server, struct cv_conn *c, enum cv_due kind)
{
    struct cv_deadlines *deadlines = &server->deadlines;
    int64_t length = deadlines->lengths[kind];
    leave_list(c);
    cv_list_push(&deadlines->lists[kind], &c->due);
    deadlines->counts[kind]++;
    c->due_kind = (uint8_t)kind;
    c->due_at = length < 0 ? CV_NEVER : server->now + length;
}

static void expire_one(struct cv_conn *c, enum cv_due kind)
{
    enum cv_speed_verdict verdict = look(c, kind);
    if (verdict == CV_SPEED_FINE) {
        join_list(c->server, c, kind);
        return;
    }
    cv_metrics_timed_out(c->server, kind);
    /* Out of the list first, so that this ends whatever the protocol does. */
    cv_deadline_set(c, CV_DUE_NONE);
    c->protocol->expired(c, kind, verdict);
    cv_conn_settle(c);
}

static void expire(struct cv_server *server, enum cv_due kind)
{
    struct cv_conn *c;
    while ((c = first_of(&server->deadlines.lists[kind])) != NULL && c->due_at <= server->now)
        expire_one(c, kind);
}

static void fire(struct cv_timer *timer)
{
    struct cv_server *server = CV_CONTAINER_OF(timer, struct cv_server, deadlines.timer);
    arm(server, CV_NEVER);
    cv_server_clock(server, cv_loop_now(server->loop));
    int64_t next = CV_NEVER;
    for (enum cv_due kind = CV_DUE_IDLE; kind < CV_DUE_COUNT; kind++)
        expire(server, kind);
    for (enum cv_due kind = CV_DUE_IDLE; kind < CV_DUE_COUNT; kind++) {
        const struct cv_conn *c = first_of(&server->deadlines.lists[kind]);
        if (c != NULL && c->due_at < next)
            next = c->due_at;
    }
    arm(server, round_up(next, server->deadlines.tick));
}

static int64_t length_of(int64_t ms)
{
    if (ms < 0 || ms > CV_NEVER / 2 / CV_MS)
        return -1;
    return ms > 0 ? ms * CV_MS : TICK_MIN; /* never due at once: expire() would not end */
}

/* A quarter of the shortest limit, at most a second: coarse, but in proportion. */
static int64_t tick_of(const struct cv_limits *limits)
{
    const int64_t times[] = {
        limits->head_timeout, limits->request_timeout,    limits->response_timeout,
        limits->send_timeout, limits->keep_alive_timeout, limits->linger_timeout,
        limits->rate_span,
    };
    int64_t tick = CV_SECOND;
    for (size_t i = 0; i < CV_COUNT(times); i++) {
        int64_t length = length_of(times[i]);
        if (length >= 0 && length / 4 < tick)
            tick = length / 4;
    }
    return tick > TICK_MIN ? tick : TICK_MIN;
}

int cv_deadlines_init(struct cv_server *server)
{
    struct cv_deadlines *deadlines = &server->deadlines;
    const struct cv_limits *limits = &server->limits;
    deadlines->lengths[CV_DUE_NONE] = -1;
    deadlines->lengths[CV_DUE_IDLE] = length_of(limits->keep_alive_timeout);
    deadlines->lengths[CV_DUE_HEAD] = length_of(limits->head_timeout);
    deadlines->lengths[CV_DUE_RESPONSE] = length_of(limits->response_timeout);
    deadlines->lengths[CV_DUE_LINGER] = length_of(limits->linger_timeout);
    deadlines->tick = tick_of(limits);
    deadlines->lengths[CV_DUE_BODY] = deadlines->lengths[CV_DUE_WRITE] = deadlines->tick;
    for (enum cv_due kind = CV_DUE_NONE; kind < CV_DUE_COUNT; kind++)
        cv_list_init(&deadlines->lists[kind]);
    deadlines->timer.fire = fire;
    deadlines->armed = CV_NEVER;
    return cv_timer_set(server->loop, &deadlines->timer, CV_NEVER);
}

void cv_deadlines_done(struct cv_server *server)
{
    cv_timer_stop(server->loop, &server->deadlines.timer);
}

void cv_deadline_set(struct cv_conn *c, enum cv_due kind)
{
    struct cv_server *server = c->server;
    const struct cv_deadlines *deadlines = &server->deadlines;
    if (c->due_kind == kind)
        return;
    join_list(server, c, kind);
    if (CV_UNLIKELY(is_looked_at(kind)))
        cv_speed_begin(&c->speed, server->now, kind == CV_DUE_BODY ? 0 : CV_SPEED_UNKNOWN);
    if (c->due_at >= deadlines->armed)
        return;
    int64_t at = round_up(c->due_at, deadlines->tick);
    if (at < deadlines->armed)
        arm(server, at);
}

void cv_deadline_drop(struct cv_conn *c)
{
    leave_list(c);
    if (c->server->open == 0)
        arm(c->server, CV_NEVER);
}
