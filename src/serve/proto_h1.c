/* HTTP/1 on a connection: one request at a time, in order, with what follows from that. */
#include "serve/protocol.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "serve/body.h"
#include "serve/exchange.h"
#include "serve/h1_answer.h"
#include "serve/inside.h"
#include "serve/refuse.h"
#include "serve/spool.h"

/* Bytes dropped after an early answer, before the client is taken for one that never stops. */
#define LINGER_BYTES_MAX (64u << 20)

/* ---- Refusing ---- */

/* Answers and closes; nothing more is read as a request. `x` NULL: there is none yet. */
static void refuse(struct cv_conn *c, enum cv_refused reason, bool with_body,
                   const struct cv_exchange *x)
{
    c->state = CV_CONN_HEAD;
    c->closing = true;
    if (!cv_h1_refusal(c, cv_refused_status(reason), cv_refused_text(reason), with_body, x))
        cv_conn_close(c, CV_GONE_PEER);
}

static void refuse_head(struct cv_conn *c, enum cv_refused reason)
{
    const struct cv_h1 *parser = c->torn != NULL ? c->torn : &c->server->parser;
    bool with_body = parser->head.method != CV_METHOD_HEAD;
    c->unread = true;
    cv_refused(c->server, reason, &c->peer, NULL);
    cv_metrics_head_refused(c->server, cv_refused_status(reason));
    refuse(c, reason, with_body, NULL);
}

/* Why a head was refused, for the parser's verdict. */
static enum cv_refused head_reason(const struct cv_h1 *parser, const struct cv_h1_limits *limits,
                                   int status)
{
    switch (status) {
    case 414: return CV_REFUSED_TARGET_TOO_LONG;
    case 417: return CV_REFUSED_EXPECTATION;
    case 431:
        return parser->head.n_fields >= limits->fields_max && parser->seen < limits->head_max
                   ? CV_REFUSED_TOO_MANY_FIELDS
                   : CV_REFUSED_HEAD_TOO_LARGE;
    case 501: return CV_REFUSED_UNSUPPORTED;
    case 505: return CV_REFUSED_VERSION;
    default: return CV_REFUSED_MALFORMED;
    }
}

static void refuse_exchange(struct cv_exchange *x, enum cv_refused reason, enum cv_gone why)
{
    struct cv_conn *c = x->conn;
    bool with_body = x->head->method != CV_METHOD_HEAD;
    if (x->begun) {
        cv_conn_close(c, why);
        return;
    }
    x->status = cv_refused_status(reason);
    x->sent = with_body ? strlen(cv_refused_text(reason)) : 0;
    c->unread |= !c->body_done;
    cv_exchange_ref(x); /* its fields are needed behind it */
    cv_exchange_detach(x, why);
    refuse(c, reason, with_body, x);
    cv_exchange_release(x);
    cv_conn_settle(c);
}

/* ---- Input ---- */

static bool wants(const struct cv_conn *c)
{
    switch ((enum cv_conn_state)c->state) {
    case CV_CONN_HEAD:
        return !c->closing && c->batch < CV_BATCH_REQUESTS && c->out.unsent < CV_BATCH_BYTES;
    case CV_CONN_RUN:
    case CV_CONN_DRAIN: return cv_body_wants(c);
    case CV_CONN_LINGER: return true;
    case CV_CONN_CLOSED: break;
    }
    return false;
}

/* The head is not complete: its parser is kept with it. */
static void keep_parser(struct cv_conn *c)
{
    if (c->torn != NULL)
        return;
    c->torn = malloc(sizeof(*c->torn));
    if (c->torn == NULL)
        refuse_head(c, CV_REFUSED_NO_MEMORY);
    else
        *c->torn = c->server->parser;
}

/* A short body that has come along is taken with the head, so that most requests need no further
 * memory. How many bytes that are. */
static size_t body_at_hand(const struct cv_h1_head *head, size_t behind)
{
    if (!head->has_body || head->chunked || head->content_length > CV_BODY_AHEAD)
        return 0;
    return head->content_length <= behind ? (size_t)head->content_length : 0;
}

static size_t start_exchange(struct cv_conn *c, const struct cv_h1_head *head, struct cv_span bytes)
{
    size_t with = body_at_hand(head, bytes.len - head->len);
    size_t used = head->len + with;
    cv_body_start(c, head);
    if (with > 0)
        c->body_done = true;
    c->served++;
    c->expects &= bytes.len == head->len; /* a peer that has sent more does not wait */
    if (cv_exchange_new(c, head, bytes.at, with) == NULL) {
        refuse_head(c, CV_REFUSED_NO_MEMORY);
        return used;
    }
    c->state = CV_CONN_RUN;
    c->batch++;
    cv_deadline_set(c, CV_DUE_NONE); /* a request's time is its own, not its predecessor's */
    cv_conn_dirty(c);                /* the flush sets it, if there is no answer by then */
    free(c->torn);
    c->torn = NULL;
    if (c->surplus)
        cv_refuse_busy(c->x, CV_REFUSED_TURNED_AWAY);
    else if (c->server->running > c->server->limits.in_flight_max)
        cv_refuse_busy(c->x, CV_REFUSED_IN_FLIGHT_MAX);
    return used;
}

static size_t take_head(struct cv_conn *c, struct cv_span bytes)
{
    struct cv_h1 *parser = c->torn;
    if (parser == NULL) {
        parser = &c->server->parser;
        cv_h1_init(parser);
    }
    const struct cv_h1_limits *limits = &c->server->limits.head;
    int rc = cv_h1_parse(parser, limits, bytes);
    if (rc == CV_H1_DONE)
        return start_exchange(c, &parser->head, bytes);
    if (rc == CV_H1_MORE) {
        keep_parser(c);
        return 0;
    }
    refuse_head(c, head_reason(parser, limits, -rc));
    return bytes.len;
}

static size_t drop(struct cv_conn *c, struct cv_span bytes)
{
    c->dropped += (uint32_t)bytes.len;
    if (c->dropped > LINGER_BYTES_MAX)
        cv_conn_close(c, CV_GONE_NOT);
    return bytes.len;
}

static size_t input(struct cv_conn *c, struct cv_span bytes)
{
    switch ((enum cv_conn_state)c->state) {
    case CV_CONN_HEAD: return take_head(c, bytes);
    case CV_CONN_RUN:
    case CV_CONN_DRAIN: return cv_body_input(c, bytes);
    case CV_CONN_LINGER: return drop(c, bytes);
    case CV_CONN_CLOSED: break;
    }
    return 0;
}

/* Closes as soon as everything is sent. */
static void close_when_sent(struct cv_conn *c)
{
    if (c->out.unsent == 0) {
        cv_conn_close(c, CV_GONE_NOT);
        return;
    }
    c->state = CV_CONN_HEAD;
    c->closing = true;
    cv_conn_dirty(c);
}

static void eof(struct cv_conn *c)
{
    if (c->state == CV_CONN_RUN)
        cv_body_fail(c, -ECONNRESET);
    else
        close_when_sent(c);
}

/* ---- Deadlines ---- */

static enum cv_due due_running(const struct cv_conn *c)
{
    const struct cv_exchange *x = c->x;
    bool reads = !c->body_done && x->mode != CV_BODY_HELD && x->body_error == 0;
    if (reads && (!c->late || x->waits_body))
        return CV_DUE_BODY;
    return x->begun || x->timed ? CV_DUE_NONE : CV_DUE_RESPONSE;
}

static enum cv_due due(const struct cv_conn *c)
{
    switch ((enum cv_conn_state)c->state) {
    case CV_CONN_HEAD:
        if (c->surplus)
            return CV_DUE_LINGER;
        /* The first request's time begins with the accept. */
        if (cv_conn_is_idle(c) && c->due_kind != CV_DUE_HEAD)
            return CV_DUE_IDLE;
        return CV_DUE_HEAD;
    case CV_CONN_RUN: return due_running(c);
    case CV_CONN_DRAIN: return CV_DUE_BODY;
    case CV_CONN_LINGER: return CV_DUE_LINGER;
    case CV_CONN_CLOSED: break;
    }
    return CV_DUE_NONE;
}

static void head_expired(struct cv_conn *c)
{
    if (cv_conn_is_idle(c) || c->closing)
        cv_conn_close(c, CV_GONE_NOT);
    else
        refuse_head(c, CV_REFUSED_HEAD_TIMEOUT);
}

/* The request's time has passed. While the host is not waiting for it, that is not the peer's
 * fault: it gets the time again once the host waits. Nor is it while a disk takes nothing. */
static void body_expired(struct cv_conn *c, enum cv_speed_verdict why)
{
    if (c->state != CV_CONN_RUN)
        cv_conn_close(c, CV_GONE_NOT);
    else if (!c->x->waits_body)
        c->late = true;
    else if (cv_spool_is_full(c->x))
        cv_body_fail(c, -EIO);
    else
        cv_body_fail(c, why == CV_SPEED_SLOW ? -ETIME : -ETIMEDOUT);
}

/* No answer can be given: one is on its way. Closed otherwise than by a reset, what is unsent would
 * stay with the kernel for minutes, for a peer that does not take it. */
static void send_expired(struct cv_conn *c, enum cv_speed_verdict why)
{
    enum cv_refused reason = why == CV_SPEED_SLOW ? CV_REFUSED_SEND_RATE : CV_REFUSED_SEND_TIMEOUT;
    c->reset = true;
    cv_refused(c->server, reason, &c->peer, c->x);
    cv_conn_close(c, CV_GONE_TIMEOUT);
}

static void expired(struct cv_conn *c, enum cv_due kind, enum cv_speed_verdict why)
{
    switch (kind) {
    case CV_DUE_IDLE: cv_conn_close_idle(c); break;
    case CV_DUE_HEAD: head_expired(c); break;
    case CV_DUE_BODY: body_expired(c, why); break;
    case CV_DUE_RESPONSE: cv_refuse_late(c->x); break;
    case CV_DUE_WRITE: send_expired(c, why); break;
    case CV_DUE_LINGER: cv_conn_close(c, CV_GONE_NOT); break;
    case CV_DUE_NONE:
    case CV_DUE_COUNT: break;
    }
}

/* ---- The exchange's side ---- */

/* Whether the rest of the body is read over, for the sake of the next request. */
static enum cv_conn_state after_body(struct cv_conn *c)
{
    bool too_long = !c->chunked && c->body.left > CV_BODY_DRAIN_MAX + cv_conn_pending(c).len;
    if (!c->closing && !too_long)
        return CV_CONN_DRAIN;
    c->unread = true;
    c->closing = true;
    return CV_CONN_HEAD;
}

/* The answer is complete: on to the next request, behind the rest of this one's body. */
static void go_on(struct cv_exchange *x)
{
    struct cv_conn *c = x->conn;
    x->ended = true;
    cv_exchange_detach(x, CV_GONE_NOT);
    c->state = (uint8_t)(c->body_done ? CV_CONN_HEAD : after_body(c));
    cv_deadline_set(c, CV_DUE_NONE); /* what comes now has its own time */
    cv_conn_dirty(c);
    if (!c->closing)
        cv_conn_resume(c);
}

static int answer(struct cv_exchange *x, const struct cv_answer *a, bool whole)
{
    int rc = cv_h1_answer(x, a, whole);
    if (rc == 0 && whole)
        go_on(x);
    else if (rc == 0)
        cv_conn_settle(x->conn);
    return rc;
}

static int end(struct cv_exchange *x)
{
    int rc = cv_h1_finish(x);
    if (rc < 0)
        cv_exchange_abort(x);
    else
        go_on(x);
    return rc;
}

static void ask(struct cv_exchange *x)
{
    struct cv_conn *c = x->conn;
    cv_conn_run(c);
    if (c->x != x || x->begun || !c->expects || c->body_done)
        return;
    c->expects = false;
    if (!cv_conn_append(c, CV_SPAN("HTTP/1.1 100 Continue\r\n\r\n")))
        cv_conn_close(c, CV_GONE_PEER);
}

const struct cv_protocol cv_proto_h1 = {
    .wants = wants,
    .input = input,
    .eof = eof,
    .due = due,
    .expired = expired,
    .inform = cv_h1_inform,
    .answer = answer,
    .write = cv_h1_write,
    .end = end,
    .ask = ask,
    .refuse = refuse_exchange,
};
