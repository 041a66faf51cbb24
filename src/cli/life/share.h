/* Which worker takes the next connection. Pure.
 *
 * EPOLLEXCLUSIVE wakes the worker that watched the listener first among those that wait, so that
 * with keep-alive one would hold nearly all. So: one connection a turn while others have fewer, and
 * a worker well above the mean leaves the listener alone for a moment, which puts it behind the
 * others. It never does so twice in a row: they may be unable to take what waits.
 */
#ifndef CV_CLI_SHARE_H
#define CV_CLI_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/* How loaded the workers that are able to accept are, oneself included. */
struct cv_share_load {
    unsigned workers;
    unsigned least;
    uint64_t total;
};

#define CV_SHARE_ALONE 64 /* connections a turn when there are no others */
#define CV_SHARE_BATCH 12 /* when nobody has fewer: that many it may get ahead of them */

/* How many connections to take with `own` open; 0: leave the listener alone. */
int cv_share_budget(unsigned own, const struct cv_share_load *load, bool left_alone_before);

#endif
