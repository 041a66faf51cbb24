/* A line for each refusal: which limit, its setting and value, the peer, the route.
 *
 *     127.0.0.1: refused with 413 at /upload: The request body is too large (REQUEST_MAX_SIZE is
 *     1000 bytes)
 *     1234 more in the last 10 s: refused with 413: The request body is too large
 *
 * Of many for the same reason the first is told at once, then their number every 10 s, so that an
 * attack fills no disk. What a limit of ours has caused is a warning, what clients do alone is
 * information. Within serve only.
 */
#ifndef CV_SERVE_REFUSAL_LOG_H
#define CV_SERVE_REFUSAL_LOG_H

#include "loop/loop.h"
#include "serve/refuse.h"
#include "serve/tally.h"

struct cv_refusal_log {
    struct cv_timer timer; /* always set */
    int64_t due;           /* when it fires; CV_NEVER: there is no number to tell */
    struct cv_tally tallies[CV_REFUSED_COUNT];
};

/* 0 or -ENOMEM. */
CV_MUST_CHECK int cv_refusal_log_init(struct cv_server *server);

/* Tells what has not been told. */
void cv_refusal_log_done(struct cv_server *server);

#endif
