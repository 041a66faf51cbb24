/* Request bodies on disk: a file without a name, so that nothing is left behind whatever happens.
 *
 * A thread writes, piece by piece, while the next piece is collected. What comes faster than the
 * disk takes it is left with the kernel, and so with the client: at most two pieces are in memory.
 */
#ifndef CV_SERVE_SPOOL_H
#define CV_SERVE_SPOOL_H

#include "loop/offload.h"
#include "serve/exchange.h"

/* A piece is at least so long, but for the last. */
#define CV_SPOOL_PIECE CV_BODY_AHEAD

/* Where a body goes that is too long for memory. In the exchange's arena. */
struct cv_spool {
    struct cv_exchange *x;
    const char *folder;
    uint64_t above;

    /* While `is_writing` these are the thread's, and the exchange is held. */
    struct cv_offload_call call;
    struct cv_buf piece;
    int fd; /* -1: no file yet */

    bool is_writing;
};

/* Whether a collected body, as far as it has come, belongs on disk. */
bool cv_spool_is_due(const struct cv_exchange *x);

/* Whether so much waits for the disk that no more is to be read. */
bool cv_spool_is_full(const struct cv_exchange *x);

/* Has what is collected written, unless a piece is on its way. cv_body_written() follows, before
 * this returns if no thread can be had. */
void cv_spool_write(struct cv_exchange *x);

/* Closes the file, if there is one. No piece is on its way. */
void cv_spool_done(struct cv_spool *spool);

#endif
