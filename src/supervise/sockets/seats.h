/* Who sits where, when each place of a worker has listening sockets of its own. Pure.
 *
 * A seat is one set of sockets, owned by the master (seating.h), so that the death of a worker
 * loses no connection that waits there. There are as many as workers are wanted. Everybody has one;
 * during a roll old and new share it, and one that goes counts no more: a newcomer sits down where
 * the fewest stay, best of all in the seat of the one that will go for it.
 */
#ifndef CV_SUPERVISE_SEATS_H
#define CV_SUPERVISE_SEATS_H

#include "base/macros.h"

#include <stdbool.h>

struct cv_seat_state {
    bool is_open;
    unsigned staying; /* members that have not been told to go */
};

struct cv_seated {
    int seat; /* -1: there is nobody */
    bool is_going;
};

struct cv_seats {
    unsigned capacity; /* of seats, and of slots */
    unsigned n_open;
    struct cv_seat_state *seat;
    struct cv_seated *slot;
};

/* All are closed. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_seats_init(struct cv_seats *seats, unsigned capacity);
void cv_seats_done(struct cv_seats *seats);

/* The number of the next seat to open; -1 if there are `wanted` already. */
int cv_seats_missing(const struct cv_seats *seats, unsigned wanted);
void cv_seats_open(struct cv_seats *seats, unsigned seat);

/* A seat to close: there are more than `wanted`, and nobody stays in it. -1: none. */
int cv_seats_superfluous(const struct cv_seats *seats, unsigned wanted);
void cv_seats_close(struct cv_seats *seats, unsigned seat);

/* Gives the slot a seat. `instead_of` is the slot that will go for it, or -1. One must be open. */
unsigned cv_seats_take(struct cv_seats *seats, unsigned slot, int instead_of);

/* It has been told to go: its seat is free for another. Told twice is told once. */
void cv_seats_going(struct cv_seats *seats, unsigned slot);

/* Its process is gone. */
void cv_seats_leave(struct cv_seats *seats, unsigned slot);

#endif
