#include "serve/body.h"

#include <errno.h>

#include "base/assert.h"
#include "serve/exchange.h"
#include "serve/inside.h"
#include "serve/refuse.h"
#include "serve/spool.h"

void cv_body_start(struct cv_conn *c, const struct cv_h1_head *head)
{
    c->chunked = head->chunked;
    c->body_done = !head->has_body;
    c->expects = head->expect_continue && head->has_body;
    c->late = false;
    c->dropped = 0;
    if (head->chunked)
        cv_chunk_init(&c->body.chunk);
    else
        c->body.left = head->content_length;
}

static size_t buffered(const struct cv_exchange *x)
{
    return x->body.len - x->body_at;
}

bool cv_body_wants(const struct cv_conn *c)
{
    if (c->state == CV_CONN_DRAIN)
        return true;
    if (c->state != CV_CONN_RUN || c->body_done || c->x->body_error != 0)
        return false;
    return (c->x->mode == CV_BODY_COLLECT && !cv_spool_is_full(c->x)) ||
           (c->x->mode == CV_BODY_STREAM && buffered(c->x) < CV_BODY_AHEAD);
}

/* Tells the host that there is something to read. */
static void tell(struct cv_exchange *x)
{
    if (!x->waits_body)
        return;
    x->waits_body = false;
    cv_exchange_tell(x, CV_EV_BODY);
}

/* The body cannot be had. A host that reads it learns why from read(), and answers; nothing behind
 * it can be understood. */
static void give_up(struct cv_conn *c, int error)
{
    struct cv_exchange *x = c->x;
    enum cv_refused reason = cv_refused_body(error);
    c->unread = true;
    cv_refused(c->server, reason, NULL, x);
    if (x->mode == CV_BODY_COLLECT && !x->own_errors) {
        c->protocol->refuse(x, reason, CV_GONE_BODY);
        return;
    }
    x->body_error = error == -ETIME && x->mode == CV_BODY_STREAM ? -ETIMEDOUT : error;
    tell(x);
}

/* Past the end of what is read over for the connection's sake. */
static void stop_draining(struct cv_conn *c)
{
    c->unread = true;
    c->closing = true;
    c->state = CV_CONN_HEAD;
    cv_conn_dirty(c);
}

/* Each body has its limit, and there may be many of them. */
static bool hold(struct cv_server *server, struct cv_exchange *x, size_t n)
{
    if (n > (uint64_t)server->limits.bodies_memory - server->bodies)
        return false;
    server->bodies += n;
    x->body_held += n;
    return true;
}

void cv_body_let_go(struct cv_server *server, struct cv_exchange *x)
{
    server->bodies -= x->body_held;
    x->body_held = 0;
}

static void deliver(struct cv_conn *c, struct cv_span data)
{
    struct cv_exchange *x = c->x;
    if (c->due_kind == CV_DUE_BODY)
        cv_speed_add(&c->speed, data.len);
    if (c->state == CV_CONN_DRAIN) {
        c->dropped += (uint32_t)data.len;
        if (c->dropped > CV_BODY_DRAIN_MAX)
            stop_draining(c);
        return;
    }
    x->body_total += data.len;
    if (x->body_max >= 0 && x->body_total > (uint64_t)x->body_max) {
        give_up(c, -EMSGSIZE);
        return;
    }
    if (x->mode == CV_BODY_COLLECT && !hold(c->server, x, data.len)) {
        give_up(c, -ENOBUFS);
        return;
    }
    if (x->body_at > 0) {
        cv_buf_consume(&x->body, x->body_at);
        x->body_at = 0;
    }
    if (cv_buf_append(&x->body, data) < 0)
        give_up(c, -ENOMEM);
    else if (x->mode == CV_BODY_STREAM)
        tell(x);
    else if (cv_spool_is_due(x) && x->body.len >= CV_SPOOL_PIECE)
        cv_spool_write(x);
}

static void end_on_disk(struct cv_exchange *x)
{
    if (x->body.len > 0) {
        cv_spool_write(x);
        return;
    }
    x->body_end = !x->spool->is_writing;
    if (x->body_end)
        tell(x);
}

void cv_body_written(struct cv_conn *c, int rc)
{
    if (c->x->body_error != 0)
        return;
    if (rc < 0)
        give_up(c, rc);
    else if (c->body_done)
        end_on_disk(c->x);
    else
        cv_conn_resume(c);
    cv_conn_settle(c);
}

static void complete(struct cv_conn *c)
{
    struct cv_exchange *x = c->x;
    c->body_done = true;
    if (c->state == CV_CONN_DRAIN) {
        c->state = CV_CONN_HEAD;
        cv_deadline_set(c, CV_DUE_NONE); /* the next request has its own time */
        return;
    }
    if (cv_spool_is_due(x)) {
        end_on_disk(x);
        return;
    }
    if (x->mode == CV_BODY_COLLECT) {
        if (cv_buf_reserve(&x->body, 1) < 0) {
            give_up(c, -ENOMEM);
            return;
        }
        x->body.at[x->body.len] = '\0';
        x->whole = cv_buf_span(&x->body);
    }
    x->body_end = true;
    tell(x);
}

/* The next piece inside `bytes`: CV_CHUNK_MORE, _DATA or _END (which may bring data, too), or
 * -400. */
static int decode(struct cv_conn *c, struct cv_span bytes, size_t *ret_used,
                  struct cv_span *ret_data)
{
    *ret_data = (struct cv_span){bytes.at, 0};
    if (c->chunked)
        return cv_chunk_decode(&c->body.chunk, bytes, ret_used, ret_data);
    size_t n = bytes.len < c->body.left ? bytes.len : (size_t)c->body.left;
    c->body.left -= n;
    *ret_used = ret_data->len = n;
    return c->body.left == 0 ? CV_CHUNK_END : CV_CHUNK_DATA;
}

size_t cv_body_input(struct cv_conn *c, struct cv_span bytes)
{
    size_t used = 0;
    c->expects = false; /* the peer has not waited */
    while (used < bytes.len && cv_body_wants(c)) {
        size_t n = 0;
        struct cv_span data;
        int rc = decode(c, cv_span(bytes.at + used, bytes.len - used), &n, &data);
        used += n;
        if (rc < 0) {
            if (c->state == CV_CONN_DRAIN)
                stop_draining(c);
            else
                give_up(c, -EBADMSG);
            return bytes.len;
        }
        if (rc != CV_CHUNK_MORE && data.len > 0)
            deliver(c, data);
        if (rc == CV_CHUNK_END && (c->state == CV_CONN_RUN || c->state == CV_CONN_DRAIN) &&
            !c->unread)
            complete(c);
    }
    return used;
}

void cv_body_fail(struct cv_conn *c, int error)
{
    if (!c->body_done && c->x->body_error == 0)
        give_up(c, error);
}

/* ---- What a host asks for ---- */

static bool is_longer(const struct cv_exchange *x, int64_t max)
{
    return max >= 0 && !x->head->chunked && x->head->content_length > (uint64_t)max;
}

static void note_longer(const struct cv_exchange *x)
{
    if (x->conn != NULL)
        cv_refused(x->conn->server, CV_REFUSED_BODY_TOO_LARGE, NULL, x);
}

/* CV_EV_BODY will tell, or CV_EV_GONE. Whose time runs depends on whether the host waits. */
static void wait_for_body(struct cv_exchange *x)
{
    x->waits_body = true;
    if (x->conn != NULL)
        cv_conn_settle(x->conn);
}

int cv_exchange_collect(struct cv_exchange *x, int64_t max)
{
    CV_ASSERT(x->mode != CV_BODY_STREAM);
    if (x->conn == NULL)
        return x->body_end && !is_longer(x, max) ? 1 : -ECONNRESET;
    x->mode = CV_BODY_COLLECT;
    x->body_max = max;
    if (is_longer(x, max)) {
        note_longer(x);
        x->body_error = -EMSGSIZE;
        if (!x->own_errors)
            x->conn->protocol->refuse(x, CV_REFUSED_BODY_TOO_LARGE, CV_GONE_BODY);
        return x->own_errors;
    }
    if (x->body_end)
        return 1;
    x->conn->protocol->ask(x);
    if (x->body_end || x->body_error != 0)
        return 1;
    wait_for_body(x);
    return 0;
}

void cv_exchange_answer_body_errors(struct cv_exchange *x)
{
    x->own_errors = true;
}

int cv_exchange_body_error(const struct cv_exchange *x)
{
    return x->body_error;
}

struct cv_span cv_exchange_body(const struct cv_exchange *x)
{
    return x->whole;
}

int cv_exchange_limit(struct cv_exchange *x, int64_t max)
{
    x->body_max = max;
    if (!is_longer(x, max))
        return 0;
    note_longer(x);
    return -EMSGSIZE;
}

/* Hands out what is there. 0: nothing. */
static size_t take(struct cv_exchange *x, char *to, size_t cap)
{
    struct cv_span all = x->body.len > 0 ? cv_buf_span(&x->body) : x->whole;
    size_t n = all.len - x->body_at;
    if (n > cap)
        n = cap;
    if (n > 0)
        memcpy(to, all.at + x->body_at, n);
    x->body_at += n;
    return n;
}

/* What read() says when nothing is there. */
static int standing(const struct cv_exchange *x)
{
    if (x->body_end)
        return 0;
    if (x->body_error != 0)
        return x->body_error;
    return x->conn == NULL ? -ECONNRESET : -EAGAIN;
}

ssize_t cv_exchange_read(struct cv_exchange *x, void *to, size_t cap)
{
    CV_ASSERT(x->mode != CV_BODY_COLLECT);
    CV_ASSERT(cap > 0);
    x->mode = CV_BODY_STREAM;
    if (is_longer(x, x->body_max))
        return -EMSGSIZE;
    size_t n = take(x, to, cap);
    if (n == 0 && standing(x) == -EAGAIN) {
        x->conn->protocol->ask(x);
        n = take(x, to, cap);
    }
    if (n > 0)
        return (ssize_t)n;
    int rc = standing(x);
    if (rc == -EAGAIN)
        wait_for_body(x);
    return rc;
}
