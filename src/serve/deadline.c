#include "serve/deadline.h"

#include "base/assert.h"
#include "base/clock.h"
#include "serve/conn.h"
#include "serve/inside.h"
#include "serve/protocol.h"

#define TICK_MIN CV_MS

static void arm(struct cv_server *server, int64_t at)
{
    struct cv_deadlines *deadlines = &server->deadlines;
    int rc = cv_timer_set(server->loop, &deadlines->timer, at);
    CV_ASSERT(rc == 0); /* moving never fails */
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

static void expire(struct cv_server *server, enum cv_due kind)
{
    struct cv_conn *c;
    while ((c = first_of(&server->deadlines.lists[kind])) != NULL && c->due_at <= server->now) {
        cv_metrics_timed_out(server, kind);
        /* Out of the list first, so that this ends whatever the protocol does. */
        cv_deadline_set(c, CV_DUE_NONE);
        c->protocol->expired(c, kind);
        cv_conn_settle(c);
    }
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

/* A quarter of the shortest limit, at most a second: coarse, but in proportion. */
static int64_t tick_of(const int64_t lengths[CV_DUE_COUNT])
{
    int64_t tick = CV_SECOND;
    for (enum cv_due kind = CV_DUE_IDLE; kind < CV_DUE_COUNT; kind++) {
        if (lengths[kind] >= 0 && lengths[kind] / 4 < tick)
            tick = lengths[kind] / 4;
    }
    return tick > TICK_MIN ? tick : TICK_MIN;
}

static int64_t length_of(int64_t ms)
{
    if (ms < 0 || ms > CV_NEVER / 2 / CV_MS)
        return -1;
    return ms > 0 ? ms * CV_MS : TICK_MIN; /* never due at once: expire() would not end */
}

int cv_deadlines_init(struct cv_server *server)
{
    struct cv_deadlines *deadlines = &server->deadlines;
    const struct cv_limits *limits = &server->limits;
    deadlines->lengths[CV_DUE_NONE] = -1;
    deadlines->lengths[CV_DUE_IDLE] = length_of(limits->keep_alive_timeout);
    deadlines->lengths[CV_DUE_HEAD] = length_of(limits->head_timeout);
    deadlines->lengths[CV_DUE_BODY] = length_of(limits->request_timeout);
    deadlines->lengths[CV_DUE_RESPONSE] = length_of(limits->response_timeout);
    deadlines->lengths[CV_DUE_WRITE] = length_of(limits->response_timeout);
    deadlines->lengths[CV_DUE_LINGER] = length_of(limits->linger_timeout);
    deadlines->tick = tick_of(deadlines->lengths);
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

static void leave_list(struct cv_conn *c)
{
    if (cv_list_empty(&c->due))
        return; /* it is new */
    cv_list_remove(&c->due);
    c->server->deadlines.counts[c->due_kind]--;
}

void cv_deadline_set(struct cv_conn *c, enum cv_due kind)
{
    if (c->due_kind != kind)
        cv_deadline_renew(c, kind);
}

void cv_deadline_renew(struct cv_conn *c, enum cv_due kind)
{
    struct cv_server *server = c->server;
    struct cv_deadlines *deadlines = &server->deadlines;
    int64_t length = deadlines->lengths[kind];
    leave_list(c);
    cv_list_push(&deadlines->lists[kind], &c->due);
    deadlines->counts[kind]++;
    c->due_kind = (uint8_t)kind;
    c->due_at = length < 0 ? CV_NEVER : server->now + length;
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
