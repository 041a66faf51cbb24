/* One request and its answer, as the files of this folder share it.
 *
 * It lives in its own arena, with the head's bytes and a body that came along with them. `conn` is
 * set while the exchange is attached: until it is answered, refused, aborted or the connection is
 * lost. The host's references decide how long it lives after that.
 */
#ifndef CV_SERVE_EXCHANGE_H
#define CV_SERVE_EXCHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "loop/loop.h"
#include "serve/handler.h"
#include "serve/metrics.h"
#include "serve/peer.h"

/* A streamed body is read ahead up to this. */
#define CV_BODY_AHEAD 65536

enum cv_body_mode {
    CV_BODY_HELD,    /* the host has not asked */
    CV_BODY_COLLECT, /* it wants all of it */
    CV_BODY_STREAM   /* it reads piece by piece */
};

enum cv_framing {
    CV_FRAMING_NONE,   /* HEAD, or a status without a body: writes are dropped */
    CV_FRAMING_LENGTH, /* `left` more bytes */
    CV_FRAMING_CHUNKED,
    CV_FRAMING_CLOSE /* ends with the connection */
};

struct cv_exchange {
    struct cv_conn *conn;
    struct cv_link queued; /* in the server's events */
    unsigned refs;
    uint8_t told;    /* events that wait to be taken, a bit each */
    uint8_t gone;    /* enum cv_gone */
    uint8_t framing; /* enum cv_framing */
    uint8_t mode;    /* enum cv_body_mode */
    bool begun;
    bool ended;
    bool body_end;    /* all of the request's body is in `whole` or `body` */
    bool waits_body;  /* CV_EV_BODY is due when there is some */
    bool waits_write; /* CV_EV_WRITABLE is due */
    bool timed;       /* `timer` has taken the place of RESPONSE_TIMEOUT */
    bool own_errors;  /* the host answers what becomes wrong with a body that it collects */
    int status;       /* answered so far; 0: nothing */

    const struct cv_h1_head *head;
    const char *bytes;
    struct cv_peer peer;
    char *peer_text; /* CV_PEER_TEXT bytes; written when first asked for */
    const char *name;
    const char *id; /* NULL: none that is known here */
    struct cv_metrics_route route;
    void *host;
    int64_t started;
    int64_t own_timeout;         /* the route's, in the place of RESPONSE_TIMEOUT, ms; */
    int64_t own_request_timeout; /* REQUEST_TIMEOUT, */
    int64_t own_body_rate_min;   /* and BODY_RATE_MIN; 0: it has none, < 0: no limit */

    struct cv_span whole; /* the body, once it is collected or if it came with the head */
    struct cv_buf body;   /* a body that did not */
    size_t body_at;       /* bytes that read() has handed out of either */
    uint64_t body_total;  /* bytes that have been decoded into `body` */
    size_t body_held;     /* bytes of it that the server counts in `bodies` */
    int64_t body_max;
    struct cv_spool *spool; /* NULL: the body stays in memory */
    int body_error;         /* what read() returns once there is nothing left */

    const struct cv_answer_fields *refuse_with; /* of an answer in the host's place; NULL: none */

    uint64_t left; /* of the answer's body, CV_FRAMING_LENGTH */
    uint64_t sent; /* bytes of the answer's body, for the access log */
    struct cv_timer timer;
    struct cv_arena arena;
};

/* Attaches a new exchange to `c`, with a copy of the head and of the `with` bytes of the body that
 * stand behind it, and tells the host. NULL if out of memory. */
struct cv_exchange *cv_exchange_new(struct cv_conn *c, const struct cv_h1_head *head,
                                    const char *bytes, size_t with);

/* Queues an event for the host, once. */
void cv_exchange_tell(struct cv_exchange *x, enum cv_event_kind kind);

/* Whether the host has not taken CV_EV_REQUEST yet. */
static inline bool cv_exchange_is_new(const struct cv_exchange *x)
{
    return (x->told & 1u << CV_EV_REQUEST) != 0;
}

/* The peer has shut down, or the server wants to stop: the host should know but may go on. */
void cv_exchange_warn(struct cv_exchange *x, enum cv_gone why);

/* Ends the attachment. With a cause the host is told; a request that it has not heard of yet is
 * dropped (and `x` freed). */
void cv_exchange_detach(struct cv_exchange *x, enum cv_gone why);

/* Takes the next event if it is one of these kinds, a bit each. False if not, or if there is none.
 */
bool cv_exchange_next(struct cv_server *server, unsigned kinds, struct cv_event *ret);

#endif
