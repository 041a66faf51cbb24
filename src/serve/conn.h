/* Life of a connection.
 *
 * Registered once, edge-triggered; `may_read` remembers an edge, so that not reading costs no call.
 * It owns memory only while a request is torn or waits its turn (`in`), or an answer is unsent
 * (`out`).
 *
 *      HEAD --- a head is complete ---> RUN --- answered ---> DRAIN --- body read over ---> HEAD
 *        |                               |         `--- the body has been read ------------> HEAD
 *        `---- `closing`, all sent ------+---> LINGER ---> CLOSED
 *
 * At most one exchange runs at a time. A closed connection stays allocated until the next flush has
 * ended, so that no caller up the stack holds a dangling pointer.
 */
#ifndef CV_SERVE_CONN_H
#define CV_SERVE_CONN_H

#include "base/buf.h"
#include "base/list.h"
#include "http/chunk.h"
#include "loop/loop.h"
#include "serve/deadline.h"
#include "serve/handler.h"
#include "serve/out.h"
#include "serve/peer.h"
#include "serve/protocol.h"
#include "serve/speed.h"
#include "serve/transport.h"

/* A batch of pipelined requests ends at one of these; what is sent goes in one call. */
#define CV_BATCH_REQUESTS 64
#define CV_BATCH_BYTES CV_WRITE_HIGH

/* Bytes of an unread request body that are read over to keep a connection. */
#define CV_BODY_DRAIN_MAX 65536

enum cv_conn_state {
    CV_CONN_HEAD,   /* between requests, or within a head */
    CV_CONN_RUN,    /* an exchange is attached */
    CV_CONN_DRAIN,  /* answered; the rest of the request's body is read over */
    CV_CONN_LINGER, /* nothing more will be sent; what comes is dropped */
    CV_CONN_CLOSED
};

struct cv_conn {
    struct cv_watch watch;
    struct cv_server *server;
    const struct cv_transport *transport;
    const struct cv_protocol *protocol;
    struct cv_exchange *x;
    struct cv_h1 *torn; /* parser of a head that is not complete; NULL: none */
    struct cv_buf in;   /* bytes that have come and are not used, from `in_at` on */
    struct cv_out out;
    struct cv_link due;
    struct cv_link todo; /* to be visited by the next flush; once closed: to be freed by it */
    struct cv_link resume;
    int64_t due_at;

    /* The request's body. */
    union {
        struct cv_chunk chunk;
        uint64_t left;
    } body;

    struct cv_speed speed; /* of what is transferred, while that is looked at */
    int fd;
    uint32_t in_at;
    uint32_t dropped; /* body bytes read over, in DRAIN and LINGER */
    uint32_t served;  /* requests so far, the one that is worked on included */
    struct cv_peer peer;
    uint8_t due_kind;
    uint8_t state;
    uint8_t batch; /* requests since the last flush */

    /* Bytes, not bits: one bit is written as a byte, and a word that is read right behind that,
     * with others in it, waits for it. */
    bool may_read; /* the kernel may hold bytes */
    bool blocked;  /* a send was short; an edge will come */
    bool paused;   /* a part of a file has had its share of this turn; the next goes on */
    bool cold;     /* the next part of a file is not in memory yet: cold.h */
    bool closing;  /* closes once everything is sent */
    bool unread;   /* bytes of the peer's will never be read: linger */
    bool chunked;
    bool body_done;
    bool expects; /* the peer waits for 100 Continue */
    bool late;    /* the request's time has passed while the host did not read */

    /* Set once in a connection's life, if at all. */
    bool peer_closed : 1; /* a FIN has been seen; what came before it may still be unread */
    bool eof : 1;         /* all has been read */
    bool cut : 1;         /* closes after one attempt to send */
    bool reset : 1;       /* closes by RST */
    bool surplus : 1;     /* too many: its first request is refused */
    bool kept : 1;        /* the host is to be told when it is gone */
};

/* What an idle connection costs, with malloc's word; the kernel's part comes on top. */
_Static_assert(sizeof(struct cv_conn) + sizeof(size_t) <= 256, "an idle connection stays small");

/* Takes over `fd`, reads what has come already. 0, or -ENOMEM (closed). */
CV_MUST_CHECK int cv_conn_open(struct cv_server *server, int fd, const struct cv_peer *peer);

/* Goes on with the input as long as the protocol wants it and there is some; sets the deadline. */
void cv_conn_run(struct cv_conn *c);

/* Sets the deadline that applies now. To be called after whatever may have changed it. One that the
 * next flush visits gets it there: by then most requests have been answered. */
void cv_conn_settle(struct cv_conn *c);

/* To be visited by the next flush. */
void cv_conn_dirty(struct cv_conn *c);

/* Input is to go on in the next cv_server_next() or step, if there can be any. */
void cv_conn_resume(struct cv_conn *c);

/* Sends what there is in one go, and what follows from that. */
void cv_conn_flush(struct cv_conn *c);

/* Closes at once. An attached exchange is told `why`. */
void cv_conn_close(struct cv_conn *c, enum cv_gone why);

/* Closes `c` if it is between two requests and none has come meanwhile (it looks). */
void cv_conn_close_idle(struct cv_conn *c);

/* Copies `n` bytes of server text behind what is unsent. False if out of memory. */
bool cv_conn_append(struct cv_conn *c, struct cv_span bytes);

/* Bytes that have come and wait their turn. */
static inline struct cv_span cv_conn_pending(const struct cv_conn *c)
{
    return (struct cv_span){c->in.at + c->in_at, c->in.len - c->in_at};
}

/* Between two requests, with nothing to send and no byte of the next request (empty lines, which
 * some clients send behind a body, are none). */
bool cv_conn_is_idle(const struct cv_conn *c);

#endif
