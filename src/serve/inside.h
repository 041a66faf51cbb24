/* The server's state, as the files of this folder share it. */
#ifndef CV_SERVE_INSIDE_H
#define CV_SERVE_INSIDE_H

#include "base/list.h"
#include "http/text.h"
#include "serve/accept.h"
#include "serve/access_log.h"
#include "serve/cold.h"
#include "serve/deadline.h"
#include "serve/drain.h"
#include "serve/out.h"
#include "serve/refusal_log.h"
#include "serve/server.h"

/* One read brings at most this much; all connections share the buffer. */
#define CV_RECV_BYTES 65536

/* "HTTP/1.1 511 Network Authentication Required\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" */
#define CV_PREAMBLE_MAX 96

/* The status line and Date, which most answers of one second have in common. Whether the second is
 * still this one is asked once between two flushes. */
struct cv_preamble {
    bool is_fresh;
    int status;
    size_t len;
    int64_t second; /* of Date */
    char text[CV_PREAMBLE_MAX];
};

struct cv_server {
    struct cv_loop *loop;
    struct cv_limits limits;
    bool keep_alive;
    struct cv_offload *disk;
    void (*load)(void *arg, unsigned open);
    void *arg;

    int64_t now;       /* never goes back, so that lists of deadlines stay in order */
    unsigned open;     /* connections */
    unsigned most;     /* at once, since memory was last given back */
    unsigned running;  /* exchanges attached to one */
    uint64_t requests; /* so far */
    uint64_t bodies;   /* bytes in memory of those that are collected */

    struct cv_link events; /* exchanges that have something to tell */
    struct cv_link todo;   /* connections that the next flush visits */
    struct cv_link resume; /* connections whose input may go on */
    struct cv_link dead;   /* closed connections, to be freed */
    struct cv_link gone;   /* others, of which the host is to be told first */

    /* Set while any of these is left over, so that a step does not wait, and does what the host has
     * not. */
    struct cv_soon kick;

    struct cv_timer tidy; /* many have gone: their memory is given back a second later */

    struct cv_deadlines deadlines;
    struct cv_accept accept;
    struct cv_draining draining;
    struct cv_access_log access_log;
    struct cv_cold cold;
    struct cv_metrics metrics;
    struct cv_refusal_log refusals;
    struct cv_pieces pieces;

    struct cv_preamble preamble;

    struct cv_h1 parser; /* for heads that come in one piece */

    /* At the end, and never cleared: only what is received becomes memory. */
    char buffer[CV_RECV_BYTES];
};

/* There is work that must not wait for an event. */
void cv_server_kick(struct cv_server *server);

/* The number of open connections has changed by `change`. */
void cv_server_count(struct cv_server *server, int change);

static inline void cv_server_clock(struct cv_server *server, int64_t now)
{
    if (now > server->now)
        server->now = now;
}

#endif
