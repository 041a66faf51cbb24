/* Deadlines of connections, without a timer call per request.
 *
 * A connection has one deadline of one kind at a time and stands in that kind's list. All of a kind
 * have the same length, so a list is in order of time by itself. One timer is armed for the
 * earliest, rounded up to a coarse tick; with no connection it never fires.
 *
 * A transfer has no length of its own: it is looked at every tick, and goes on if its pace is right
 * (speed.h). That is how a route can have limits of its own.
 */
#ifndef CV_SERVE_DEADLINE_H
#define CV_SERVE_DEADLINE_H

#include "base/list.h"
#include "loop/loop.h"

#include <stdint.h>

struct cv_conn;
struct cv_server;

enum cv_due {
    CV_DUE_NONE,     /* a streamed answer, an exchange with a limit of its own */
    CV_DUE_IDLE,     /* the next request */
    CV_DUE_HEAD,     /* the rest of a head, or the first on a connection */
    CV_DUE_RESPONSE, /* the beginning of an answer */
    CV_DUE_LINGER,   /* the peer to close after an early answer */
    CV_DUE_BODY,     /* the rest of a request; looked at, like the next */
    CV_DUE_WRITE,    /* the peer to take what is unsent */
    CV_DUE_COUNT
};

struct cv_deadlines {
    struct cv_timer timer; /* always set, at CV_NEVER when nothing is due */
    int64_t armed;
    int64_t tick;
    int64_t lengths[CV_DUE_COUNT]; /* ns; < 0: none */
    struct cv_link lists[CV_DUE_COUNT];
    unsigned counts[CV_DUE_COUNT]; /* of connections in each */
};

/* 0 or -ENOMEM. */
CV_MUST_CHECK int cv_deadlines_init(struct cv_server *server);
void cv_deadlines_done(struct cv_server *server);

/* Gives `c` a deadline of this kind from now on, unless it has one of this kind already. */
void cv_deadline_set(struct cv_conn *c, enum cv_due kind);

/* Takes `c` out of its list; it is being closed. */
void cv_deadline_drop(struct cv_conn *c);

#endif
