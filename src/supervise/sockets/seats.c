#include "supervise/sockets/seats.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>

int cv_seats_init(struct cv_seats *seats, unsigned capacity)
{
    *seats = (struct cv_seats){.capacity = capacity};
    seats->seat = calloc(capacity, sizeof(*seats->seat));
    seats->slot = calloc(capacity, sizeof(*seats->slot));
    if (seats->seat == NULL || seats->slot == NULL) {
        cv_seats_done(seats);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < capacity; i++)
        seats->slot[i].seat = -1;
    return 0;
}

void cv_seats_done(struct cv_seats *seats)
{
    free(seats->seat);
    free(seats->slot);
    *seats = (struct cv_seats){0};
}

/* ---- How many there are ---- */

int cv_seats_missing(const struct cv_seats *seats, unsigned wanted)
{
    for (unsigned i = 0; seats->n_open < wanted && i < seats->capacity; i++)
        if (!seats->seat[i].is_open)
            return (int)i;
    return -1;
}

void cv_seats_open(struct cv_seats *seats, unsigned seat)
{
    CV_ASSERT(!seats->seat[seat].is_open && seats->seat[seat].staying == 0);
    seats->seat[seat].is_open = true;
    seats->n_open++;
}

int cv_seats_superfluous(const struct cv_seats *seats, unsigned wanted)
{
    for (unsigned i = seats->capacity; seats->n_open > wanted && i-- > 0;)
        if (seats->seat[i].is_open && seats->seat[i].staying == 0)
            return (int)i;
    return -1;
}

/* Those who go may still sit there: they do not come back. */
void cv_seats_close(struct cv_seats *seats, unsigned seat)
{
    CV_ASSERT(seats->seat[seat].is_open && seats->seat[seat].staying == 0);
    seats->seat[seat].is_open = false;
    seats->n_open--;
}

/* ---- Who sits where ---- */

static unsigned emptiest(const struct cv_seats *seats)
{
    int best = -1;
    for (unsigned i = 0; i < seats->capacity; i++) {
        bool is_better = best < 0 || seats->seat[i].staying < seats->seat[best].staying;
        if (seats->seat[i].is_open && is_better)
            best = (int)i;
    }
    CV_ASSERT(best >= 0);
    return (unsigned)best;
}

/* The seat that will be the emptiest once `instead_of` has gone. */
static unsigned choose(const struct cv_seats *seats, int instead_of)
{
    unsigned best = emptiest(seats);
    if (instead_of < 0)
        return best;
    const struct cv_seated *old = &seats->slot[instead_of];
    bool may_share = old->seat >= 0 && !old->is_going && seats->seat[old->seat].is_open;
    if (may_share && seats->seat[old->seat].staying <= seats->seat[best].staying)
        return (unsigned)old->seat;
    return best;
}

unsigned cv_seats_take(struct cv_seats *seats, unsigned slot, int instead_of)
{
    CV_ASSERT(seats->slot[slot].seat < 0);
    unsigned seat = choose(seats, instead_of);
    seats->slot[slot] = (struct cv_seated){.seat = (int)seat};
    seats->seat[seat].staying++;
    return seat;
}

void cv_seats_going(struct cv_seats *seats, unsigned slot)
{
    struct cv_seated *seated = &seats->slot[slot];
    if (seated->seat < 0 || seated->is_going)
        return;
    seated->is_going = true;
    seats->seat[seated->seat].staying--;
}

void cv_seats_leave(struct cv_seats *seats, unsigned slot)
{
    cv_seats_going(seats, slot);
    seats->slot[slot] = (struct cv_seated){.seat = -1};
}
