/* The sockets behind the seats (seats.h): one SO_REUSEPORT socket per seat and TCP listener, bound
 * and owned by the master.
 *
 * The kernel spreads new connections over the sockets of one address. Seat 0 has the sockets of
 * cv_listeners itself; Unix sockets cannot be multiplied and stay shared.
 */
#ifndef CV_SUPERVISE_SEATING_H
#define CV_SUPERVISE_SEATING_H

#include "supervise/sockets/listen.h"
#include "supervise/sockets/seats.h"

#include <stdint.h>

struct cv_seating {
    struct cv_seats seats;
    struct cv_listeners *listeners;
    int *fds;            /* capacity x listeners->n; -1: closed, or no TCP */
    bool has_complained; /* of a seat that could not be opened; until one can */
};

/* Opens `wanted` seats. The listeners stay the caller's. 0 or -errno. */
CV_MUST_CHECK int cv_seating_init(struct cv_seating *seating, struct cv_listeners *listeners,
                                  unsigned capacity, unsigned wanted);

/* Opens seats up to `wanted`. One that cannot be opened is named in the log; until it can be,
 * workers share those there are. */
void cv_seating_open(struct cv_seating *seating, unsigned wanted);

/* Closes the seats of more than `wanted` in which nobody stays. What waits there is the last
 * member's to take, or lost. */
void cv_seating_shrink(struct cv_seating *seating, unsigned wanted);

/* Gives the slot a seat and writes its sockets, Unix ones included, to `ret`: how many. */
uint32_t cv_seating_take(struct cv_seating *seating, unsigned slot, int instead_of, int32_t *ret);

/* Closes all copies but for those in `kept`; listeners->item, too, where that is seat 0's. */
void cv_seating_close(struct cv_seating *seating, const int32_t *kept, uint32_t n_kept);

#endif
