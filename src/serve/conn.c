#include "serve/conn.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "serve/exchange.h"
#include "serve/file.h"
#include "serve/inside.h"

/* Reads in one turn, so that one busy connection does not hold up the others. */
#define READS_MAX 16

/* Parts of one send; more are sent by another. */
#define PARTS_MAX 64

/* Bytes of files that one turn sends to one client: some 40 us, so that large downloads to fast
 * clients do not hold up the others. */
#define FILES_TURN ((size_t)256 << 10)

static void ready(struct cv_watch *watch, unsigned events);

/* ---- Input ---- */

static void drop_input(struct cv_conn *c)
{
    cv_buf_done(&c->in);
    c->in_at = 0;
    free(c->torn);
    c->torn = NULL;
}

/* Lets the protocol use what has been kept from earlier reads; false if it cannot. */
static bool use_pending(struct cv_conn *c)
{
    struct cv_span bytes = cv_conn_pending(c);
    if (bytes.len == 0)
        return false;
    size_t used = c->protocol->input(c, bytes);
    if (c->state == CV_CONN_CLOSED)
        return true;
    CV_ASSERT(used <= bytes.len);
    c->in_at += (uint32_t)used;
    if (c->in_at == c->in.len) {
        cv_buf_done(&c->in);
        c->in_at = 0;
    }
    return used > 0;
}

/* Keeps bytes of the shared buffer behind what is kept already. */
static void keep(struct cv_conn *c, struct cv_span bytes)
{
    if (bytes.len == 0 || c->state == CV_CONN_CLOSED)
        return;
    cv_buf_consume(&c->in, c->in_at);
    c->in_at = 0;
    if (cv_buf_append(&c->in, bytes) < 0)
        cv_conn_close(c, CV_GONE_PEER);
}

/* One read. Bytes that follow others are appended to them, all else is used where it lies. */
static void read_once(struct cv_conn *c)
{
    char *buffer = c->server->buffer;
    ssize_t n = c->transport->recv(c, buffer, CV_RECV_BYTES);
    if (n == -EAGAIN) {
        c->may_read = false;
    } else if (n < 0) {
        cv_conn_close(c, CV_GONE_PEER);
    } else if (n == 0) {
        c->may_read = false;
        c->eof = true;
        c->protocol->eof(c);
    } else {
        cv_metrics_add(&c->server->metrics.page->received, (uint64_t)n);
        /* A short read has emptied the socket, unless a FIN is in it that will make no edge. */
        if (n < CV_RECV_BYTES && !c->peer_closed)
            c->may_read = false;
        size_t used = 0;
        if (cv_conn_pending(c).len == 0)
            used = c->protocol->input(c, cv_span(buffer, (size_t)n));
        keep(c, cv_span(buffer + used, (size_t)n - used));
    }
}

void cv_conn_run(struct cv_conn *c)
{
    unsigned reads = 0;
    while (c->protocol->wants(c)) {
        if (use_pending(c))
            continue;
        if (!c->may_read)
            break;
        if (reads++ == READS_MAX) {
            cv_conn_dirty(c);
            break;
        }
        read_once(c);
    }
    cv_conn_settle(c);
}

void cv_conn_resume(struct cv_conn *c)
{
    if (!c->may_read && cv_conn_pending(c).len == 0)
        return;
    if (cv_list_empty(&c->resume))
        cv_list_push(&c->server->resume, &c->resume);
    cv_server_kick(c->server);
}

/* ---- Output ---- */

void cv_conn_dirty(struct cv_conn *c)
{
    if (c->state == CV_CONN_CLOSED)
        return;
    if (cv_list_empty(&c->todo))
        cv_list_push(&c->server->todo, &c->todo);
    cv_server_kick(c->server);
}

bool cv_conn_append(struct cv_conn *c, struct cv_span bytes)
{
    char *at = cv_out_reserve(&c->out, &c->server->pieces, bytes.len);
    if (at == NULL)
        return false;
    memcpy(at, bytes.at, bytes.len);
    cv_out_commit(&c->out, bytes.len);
    cv_conn_dirty(c);
    return true;
}

static void count_sent(struct cv_conn *c, ssize_t sent)
{
    if (sent > 0)
        cv_metrics_add(&c->server->metrics.page->sent, (uint64_t)sent);
    cv_out_sent(&c->out, &c->server->pieces, sent > 0 ? (size_t)sent : 0);
}

/* A short send means that the socket is full: an edge will tell. */
static int send_bytes(struct cv_conn *c)
{
    struct iovec parts[PARTS_MAX];
    int n = cv_out_parts(&c->out, parts, PARTS_MAX);
    size_t want = 0;
    for (int i = 0; i < n; i++)
        want += parts[i].iov_len;
    ssize_t sent = c->transport->send(c, parts, n, want < c->out.unsent);
    if (sent < 0 && sent != -EAGAIN)
        return (int)sent;
    c->blocked = sent < (ssize_t)want;
    count_sent(c, sent);
    return 0;
}

/* A file may end early, so that only -EAGAIN tells that the socket is full. */
static int send_file(struct cv_conn *c, const struct cv_out_file *part, size_t *left)
{
    size_t want = part->len < *left ? part->len : *left;
    c->cold = cv_cold_is(c->server, part, want);
    if (c->cold)
        return 0;
    ssize_t sent = c->transport->sendfile(c, part->file->fd, part->offset, want);
    if (sent == -EAGAIN) {
        c->blocked = true;
        return 0;
    }
    if (sent == 0 || (sent < 0 && sent != -EPIPE && sent != -ECONNRESET)) {
        cv_error("%s: %s; the connection was cut", part->file->name,
                 sent == 0 ? "the file has become shorter while it was being sent"
                           : strerror((int)-sent));
        return -EIO;
    }
    if (sent < 0)
        return (int)sent;
    count_sent(c, sent);
    *left -= (size_t)sent;
    c->paused = *left == 0 && c->out.unsent > 0;
    return 0;
}

/* Until all is sent, the socket is full, or a file has had its share or is to be read from disk. 0
 * or -errno. */
static int send_unsent(struct cv_conn *c)
{
    size_t left = FILES_TURN;
    int rc = 0;
    c->paused = false;
    c->cold = false;
    while (rc == 0 && c->out.unsent > 0 && !c->blocked && !c->paused && !c->cold) {
        struct cv_out_file part;
        rc = cv_out_file(&c->out, &part) ? send_file(c, &part, &left) : send_bytes(c);
    }
    return rc;
}

static bool must_send_on(const struct cv_conn *c)
{
    return c->blocked || c->paused || c->cold;
}

static bool is_watched(const struct cv_conn *c)
{
    return c->watch.wants != 0;
}

/* The host has not heard of its request yet: this flush is one in the middle of a batch. */
static bool is_in_line(const struct cv_conn *c)
{
    return c->x != NULL && cv_exchange_is_new(c->x);
}

/* Registered late, so that a connection that ends with its first answer costs no call for it. What
 * has come meanwhile is reported as an edge. */
static bool watch(struct cv_conn *c)
{
    if (is_watched(c))
        return true;
    int rc = cv_loop_add(c->server->loop, &c->watch, c->fd,
                         CV_EDGE | CV_READ | CV_WRITE | CV_PEER_CLOSED);
    if (rc < 0)
        cv_conn_close(c, CV_GONE_PEER);
    return rc == 0;
}

/* Everything is sent. Closing while bytes of the peer's are unread would send a reset, and that
 * may destroy the answer before the peer has read it. */
static void finish(struct cv_conn *c)
{
    bool rest = c->unread || c->may_read || cv_conn_pending(c).len > 0;
    if (c->eof || !rest || c->server->deadlines.lengths[CV_DUE_LINGER] < 0) {
        cv_conn_close(c, CV_GONE_NOT);
        return;
    }
    c->transport->shutdown(c);
    c->state = CV_CONN_LINGER;
    c->dropped = 0;
    drop_input(c);
    if (watch(c))
        cv_conn_run(c);
}

static void tell_writable(const struct cv_conn *c)
{
    if (c->x == NULL || !c->x->waits_write || c->out.unsent > CV_WRITE_HIGH / 4)
        return;
    c->x->waits_write = false;
    cv_exchange_tell(c->x, CV_EV_WRITABLE);
}

void cv_conn_flush(struct cv_conn *c)
{
    size_t before = c->out.unsent;
    if (send_unsent(c) < 0) {
        cv_conn_close(c, CV_GONE_PEER);
        return;
    }
    if (c->cut) {
        cv_conn_close(c, CV_GONE_NOT);
        return;
    }
    tell_writable(c);
    c->batch = 0;
    if (c->closing && c->x == NULL && c->out.unsent == 0 && c->state != CV_CONN_LINGER) {
        finish(c);
        return;
    }
    if (!is_watched(c) && is_in_line(c)) {
        cv_conn_dirty(c); /* its first answer may be its last */
        return;
    }
    if (!watch(c))
        return;
    if (must_send_on(c))
        cv_speed_add(&c->speed, before - c->out.unsent);
    cv_conn_settle(c);
    if (c->cold)
        cv_cold_wait(c);
    else if (c->paused)
        cv_conn_dirty(c);
    if (c->protocol->wants(c))
        cv_conn_resume(c);
    if (c->server->draining.stop && cv_conn_is_idle(c))
        cv_conn_close_idle(c);
}

/* ---- Life ---- */

void cv_conn_settle(struct cv_conn *c)
{
    if (c->state != CV_CONN_CLOSED && cv_list_empty(&c->todo))
        cv_deadline_set(c, must_send_on(c) ? CV_DUE_WRITE : c->protocol->due(c));
}

int cv_conn_open(struct cv_server *server, int fd, const struct cv_peer *peer)
{
    struct cv_conn *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        (void)close(fd);
        return -ENOMEM;
    }
    c->watch.ready = ready;
    c->watch.fd = -1;
    c->server = server;
    c->transport = &cv_transport_plain;
    c->protocol = &cv_proto_h1;
    c->fd = fd;
    c->peer = *peer;
    c->may_read = true;
    c->body_done = true;
    cv_buf_init(&c->in, (size_t)server->limits.head.head_max + 2 * (size_t)CV_RECV_BYTES);
    cv_list_init(&c->due);
    cv_list_init(&c->todo);
    cv_list_init(&c->resume);
    if (server->limits.turn_away && cv_accept_is_at_limit(server)) {
        c->surplus = true;
        c->served = server->limits.keep_alive_requests - 1; /* the first is its last */
        server->accept.surplus++;
    }
    cv_server_count(server, +1);
    cv_metrics_add(&server->metrics.page->accepted, 1);
    cv_deadline_set(c, CV_DUE_HEAD);
    cv_conn_run(c);
    cv_conn_dirty(c); /* the next flush registers it */
    return 0;
}

void cv_conn_close(struct cv_conn *c, enum cv_gone why)
{
    if (c->state == CV_CONN_CLOSED)
        return;
    struct cv_server *server = c->server;
    c->state = CV_CONN_CLOSED;
    if (c->x != NULL)
        cv_exchange_detach(c->x, why);
    cv_loop_del(server->loop, &c->watch);
    c->transport->close(c, c->reset);
    cv_out_drop(&c->out, &server->pieces);
    drop_input(c);
    cv_list_remove(&c->resume);
    cv_list_remove(&c->todo);
    cv_list_push(c->kept ? &server->gone : &server->dead, &c->todo);
    server->accept.surplus -= c->surplus;
    cv_server_count(server, -1);
    cv_deadline_drop(c);
    cv_accept_on_close(server);
    cv_server_kick(server);
}

static bool is_empty_lines(struct cv_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.at[i] != '\r' && bytes.at[i] != '\n')
            return false;
    }
    return true; /* the parser has seen to their form and number */
}

bool cv_conn_is_idle(const struct cv_conn *c)
{
    return c->state == CV_CONN_HEAD && c->out.unsent == 0 && is_empty_lines(cv_conn_pending(c));
}

void cv_conn_close_idle(struct cv_conn *c)
{
    c->may_read = true;
    cv_conn_run(c);
    if (cv_conn_is_idle(c))
        cv_conn_close(c, CV_GONE_NOT);
}

static void ready(struct cv_watch *watched, unsigned events)
{
    struct cv_conn *c = CV_CONTAINER_OF(watched, struct cv_conn, watch);
    cv_server_clock(c->server, cv_loop_now(c->server->loop));
    if ((events & CV_FAILED) != 0 && c->x != NULL) {
        cv_conn_close(c, CV_GONE_PEER);
        return;
    }
    if ((events & (CV_READ | CV_PEER_CLOSED)) != 0)
        c->may_read = true;
    if ((events & CV_PEER_CLOSED) != 0 && !c->peer_closed) {
        c->peer_closed = true;
        if (c->x != NULL)
            cv_exchange_warn(c->x, CV_GONE_HALF);
    }
    if ((events & CV_WRITE) != 0 && c->blocked) {
        c->blocked = false;
        cv_conn_flush(c);
    }
    cv_conn_run(c);
    if (c->server->draining.stop && cv_conn_is_idle(c))
        cv_conn_close_idle(c);
}
