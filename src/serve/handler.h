/* The contract between the server and whoever runs applications on it (a "host").
 *
 * The server never calls host code and never assumes fibers. The owner of the loop steps it
 * (cv_loop_step), which does the protocol work and queues events; the host then drains them:
 *
 *     cv_loop_step(loop, until);
 *     while (cv_server_next(server, &event))
 *         ...                        // start a handler, wake one, cancel one
 *     cv_server_flush(server);       // one send per dirty connection
 *
 * An exchange is one request and its answer. It is a counted handle that may outlive its
 * connection: accessors go on working, writes are swallowed and return -ECONNRESET. The head's
 * bytes stay valid and in place until the exchange is released. Each exchange handed out by
 * CV_EV_REQUEST must be ended (answer, end), aborted, or released: one released before anything was
 * sent is answered with 500.
 *
 * Everything is called from the loop's thread.
 */
#ifndef CV_SERVE_HANDLER_H
#define CV_SERVE_HANDLER_H

#include "base/arena.h"
#include "http/h1.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct cv_server;
struct cv_exchange;
struct cv_file;

enum cv_event_kind {
    CV_EV_REQUEST,  /* a head has come; the host owns one reference of event.exchange */
    CV_EV_BODY,     /* what was asked for with collect() or want() is there */
    CV_EV_WRITABLE, /* unsent bytes have fallen below the low mark after a write had asked to wait
                     */
    CV_EV_GONE, /* the peer is gone, or the server has ended the exchange (see cv_exchange_gone) */
    CV_EV_DRAINED, /* after cv_server_drain(): no connection is left */
};

struct cv_event {
    enum cv_event_kind kind;
    struct cv_exchange *exchange; /* NULL for CV_EV_DRAINED */
};

/* Takes the next event. False when there is none. */
bool cv_server_next(struct cv_server *server, struct cv_event *ret);

/* The same if the next event is a request; else nothing is taken. */
bool cv_server_next_request(struct cv_server *server, struct cv_exchange **ret);

/* Sends what the dirty connections hold, one send each, and frees closed connections. What a host
 * has not flushed leaves with the next step, which does not wait then. Calls `release` of answers
 * that have been sent, and those must not call the server. */
void cv_server_flush(struct cv_server *server);

/* ---- Requests ---- */

/* The head and the bytes its offsets refer to. Valid until released. */
const struct cv_h1_head *cv_exchange_head(const struct cv_exchange *x);
const char *cv_exchange_bytes(const struct cv_exchange *x);

/* First field with this name, as a span; at == NULL if there is none. */
struct cv_span cv_exchange_field(const struct cv_exchange *x, struct cv_span name);

/* The peer's address as text ("" for a Unix socket). Valid until released. */
const char *cv_exchange_peer(const struct cv_exchange *x);

/* Both ends of its connection, as the kernel knows them now: 0, -ECONNRESET, or -errno. Nothing of
 * it is kept, because most never ask. */
CV_MUST_CHECK int cv_exchange_ends(const struct cv_exchange *x, struct sockaddr_storage *ret_peer,
                                   struct sockaddr_storage *ret_local);

/* The server's clock when the head was complete, ns. */
int64_t cv_exchange_started(const struct cv_exchange *x);

/* Memory that lives until the exchange is released. */
struct cv_arena *cv_exchange_arena(struct cv_exchange *x);

/* A pointer of the host's. */
void cv_exchange_set_host(struct cv_exchange *x, void *data);
void *cv_exchange_host(const struct cv_exchange *x);

/* ---- Request bodies. Exactly one of collect() or streaming (want/read) may be used; neither: the
 * body is read over. ---- */

/* Asks for the whole body, of at most `max` bytes (< 0: no limit). 1: it is there already; 0:
 * CV_EV_BODY will tell. If it is too long or too slow, the server answers 413 or 408 itself and
 * CV_EV_GONE tells. -ECONNRESET: the exchange is gone already. Sends 100 Continue where
 * expected. */
int cv_exchange_collect(struct cv_exchange *x, int64_t max);

/* To be called before collect() and read(): REQUEST_TIMEOUT (ms) and BODY_RATE_MIN for this one. 0:
 * as for all, < 0: no limit. */
void cv_exchange_speed(struct cv_exchange *x, int64_t timeout_ms, int64_t rate_min);

/* To be called before collect(), or for body_file() later; the first call counts: a body of more
 * than `above` bytes that did not come along with the head is kept in a file without a name in
 * `folder` (not copied), which a thread writes. If there is no room for it the server answers 507,
 * or 503 if that fails otherwise. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_exchange_spool(struct cv_exchange *x, const char *folder, int64_t above);

/* To be called before collect(): what becomes wrong with the body is for the host to answer. Where
 * the server would, CV_EV_BODY tells, and body_error() what: a negative code; 0: nothing. */
void cv_exchange_answer_body_errors(struct cv_exchange *x);
int cv_exchange_body_error(const struct cv_exchange *x);

/* The collected body as a file, at offset 0; one in memory is written to disk now, for which this
 * may be called from any thread while the exchange is held and not used otherwise. The descriptor
 * is the exchange's. -ENOSPC, -EIO (a line in the log says more), -EINVAL (it is not whole, or
 * spool() has not been called). */
CV_MUST_CHECK int cv_exchange_body_file(struct cv_exchange *x);

/* The same descriptor where the body is on disk only, else -1. */
int cv_exchange_spooled(const struct cv_exchange *x);

/* The collected body; a NUL follows it. Empty if it is spooled. Valid until released. */
struct cv_span cv_exchange_body(const struct cv_exchange *x);

/* Copies what has come, up to `cap`: > 0 bytes, 0 at the end of the body, -EAGAIN if nothing is
 * there yet (CV_EV_BODY will tell), -EMSGSIZE past `max` of limit(), -ETIMEDOUT, -ECONNRESET,
 * -EBADMSG. Sends 100 Continue where expected. */
ssize_t cv_exchange_read(struct cv_exchange *x, void *to, size_t cap);

/* The most a streamed body may have (< 0: no limit); to be called before the first read. -EMSGSIZE
 * if Content-Length says more. */
int cv_exchange_limit(struct cv_exchange *x, int64_t max);

/* ---- Answers ---- */

struct cv_answer_field {
    struct cv_span name;
    struct cv_span value;
};

/* Some bytes of a file, behind a text of one's own (of a multipart body; copied). */
struct cv_slice {
    struct cv_span before;
    uint64_t offset;
    uint64_t len; /* 0: only the text */
};

/* Date, Content-Length, Transfer-Encoding and Connection are the server's. Names and values must
 * have been checked. */
struct cv_answer {
    int status;
    const struct cv_answer_field *fields;
    size_t n_fields;
    struct cv_span type;        /* Content-Type; empty: none */
    struct cv_span body;        /* whole answers only; copied unless `release` is set */
    void (*release)(void *arg); /* called with `arg` once the body has been sent or dropped */
    void *arg;
    struct cv_file *file; /* whole answers only: the body is `slices` of it; not NULL: no `body` */
    const struct cv_slice *slices;
    size_t n_slices;
    int64_t length; /* begin() only: bytes that will follow; < 0: unknown */
    bool close;     /* the request was malformed: no other one is read after it */
};

/* A whole answer. HEAD and statuses without a body are taken care of. 0, -EALREADY (begun or ended
 * before), -ECONNRESET (swallowed), -EINVAL (no status from 200 to 999), -ENOMEM. `release` is
 * called in any case, at once or by a later flush. */
int cv_exchange_answer(struct cv_exchange *x, const struct cv_answer *answer);

/* An informational answer in front of it, with these fields (copied; checked by the caller): 103
 * Early Hints or 102. 0, also for a client of HTTP/1.0, which gets none; -EALREADY, -ECONNRESET,
 * -ENOMEM as above, -EINVAL: 100 and 101 are the server's own. */
int cv_exchange_inform(struct cv_exchange *x, int status, const struct cv_answer_field *fields,
                       size_t n_fields);

/* A streamed answer: head, pieces, end. begin: 0 or as above. write: bytes now unsent on the
 * connection (>= 0; above CV_WRITE_HIGH the host should wait for CV_EV_WRITABLE), -ECONNRESET,
 * -EMSGSIZE past `length`, -ENOMEM. end: 0, or -EIO if less than `length` was written (the
 * connection is closed). */
#define CV_WRITE_HIGH 65536
int cv_exchange_begin(struct cv_exchange *x, const struct cv_answer *answer);
ssize_t cv_exchange_write(struct cv_exchange *x, struct cv_span bytes);
int cv_exchange_end(struct cv_exchange *x);

/* Fields that an answer in the host's place has, too (too late, or the body cannot be had). Not
 * copied. */
struct cv_answer_fields {
    const struct cv_answer_field *at;
    size_t n;
};
void cv_exchange_refuse_with(struct cv_exchange *x, const struct cv_answer_fields *fields);

/* Whether begin() or answer() has been called. */
bool cv_exchange_begun(const struct cv_exchange *x);

/* Cuts the connection, so that a truncated answer is visible. */
void cv_exchange_abort(struct cv_exchange *x);

/* The host takes longer (< 0: no limit) or shorter than RESPONSE_TIMEOUT for this one, from now,
 * ms. At the time-out CV_EV_GONE tells; the server has then answered 503 if nothing was sent. */
void cv_exchange_timeout(struct cv_exchange *x, int64_t ms);

/* Why CV_EV_GONE came. CV_GONE_HALF: the peer has shut down its sending side but may still read;
 * the host may go on. */
enum cv_gone {
    CV_GONE_NOT,
    CV_GONE_HALF,
    CV_GONE_PEER,
    CV_GONE_TIMEOUT,
    CV_GONE_DRAIN,
    CV_GONE_BODY
};
enum cv_gone cv_exchange_gone(const struct cv_exchange *x);

/* ---- Connections ---- */

/* The connection that it came on: a name that no other has until it has been told to be gone; 0: it
 * has lost it already. keep_conn() has the host told of its end. */
uintptr_t cv_exchange_conn(const struct cv_exchange *x);
void cv_exchange_keep_conn(struct cv_exchange *x);

/* How many requests have come on it, this one included; 0: it has lost it already. */
uint32_t cv_exchange_number(const struct cv_exchange *x);

/* Takes the next of those that have gone, behind the events. False when there is none. */
bool cv_server_next_gone(struct cv_server *server, uintptr_t *ret_conn);

/* ---- The end of an exchange ---- */

/* Counts. The last release ends an exchange that is still open, as said above. */
void cv_exchange_ref(struct cv_exchange *x);
void cv_exchange_release(struct cv_exchange *x);

/* What the last release does first: ends it if it is open. Its memory stays until then. */
void cv_exchange_finish(struct cv_exchange *x);

/* Its id for the access log, a name for that and messages (the route's); not copied. */
void cv_exchange_set_id(struct cv_exchange *x, const char *id);
void cv_exchange_set_name(struct cv_exchange *x, const char *name);

/* Which route it is counted for: the app's, in the order of registration. Else: for none. */
void cv_exchange_set_route(struct cv_exchange *x, size_t number);

#endif
