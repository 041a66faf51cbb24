/* How many connections to take from a listener at once. Pure.
 *
 * A look into a queue that is empty costs as much as ten waits that tell of one more connection:
 * accept4() makes the new socket first. So no more are taken than have been there lately, and the
 * next wait tells whether there are others.
 */
#ifndef CV_SERVE_PACE_H
#define CV_SERVE_PACE_H

#include <stdbool.h>

#define CV_PACE_MAX 64

struct cv_pace {
    unsigned n;     /* to take in one turn */
    unsigned found; /* since `n` last grew */
    unsigned since; /* found since the last look in vain */
};

#define CV_PACE_INIT ((struct cv_pace){.n = 1})

/* A turn has taken `taken` connections: pace->n, unless it has found the queue empty. */
void cv_pace_learn(struct cv_pace *pace, unsigned taken, bool was_empty);

#endif
