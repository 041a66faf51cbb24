#include "supervise/sockets/seating.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_seated(const struct cv_listener *listener)
{
    return listener->address.ss_family != AF_UNIX && listener->owner[0] == '\0';
}

/* Where the descriptor of a seat is kept. */
static int *place(struct cv_seating *seating, unsigned seat, int i)
{
    struct cv_listeners *listeners = seating->listeners;
    if (seat == 0 || !is_seated(&listeners->item[i]))
        return &listeners->item[i].fd;
    return &seating->fds[(size_t)seat * (size_t)listeners->n + (size_t)i];
}

static void close_seat(struct cv_seating *seating, unsigned seat)
{
    for (int i = 0; i < seating->listeners->n; i++) {
        int *fd = place(seating, seat, i);
        if (!is_seated(&seating->listeners->item[i]) || *fd < 0)
            continue;
        (void)close(*fd);
        *fd = -1;
    }
}

/* All of its sockets or none. */
static int open_seat(struct cv_seating *seating, unsigned seat)
{
    for (int i = 0; i < seating->listeners->n; i++) {
        const struct cv_listener *listener = &seating->listeners->item[i];
        if (!is_seated(listener))
            continue;
        int fd = cv_listen_again(listener, seating->listeners->backlog);
        if (fd < 0) {
            close_seat(seating, seat);
            return fd;
        }
        *place(seating, seat, i) = fd;
    }
    return 0;
}

int cv_seating_init(struct cv_seating *seating, struct cv_listeners *listeners, unsigned capacity,
                    unsigned wanted)
{
    *seating = (struct cv_seating){.listeners = listeners};
    size_t n = (size_t)capacity * (size_t)listeners->n;
    seating->fds = malloc(n * sizeof(*seating->fds));
    if (seating->fds == NULL)
        return -ENOMEM;
    memset(seating->fds, -1, n * sizeof(*seating->fds));
    int rc = cv_seats_init(&seating->seats, capacity);
    if (rc == 0)
        rc = cv_listen_allow_more(listeners);
    if (rc < 0)
        return rc;
    cv_seats_open(&seating->seats, 0);
    cv_seating_open(seating, wanted);
    return 0;
}

void cv_seating_open(struct cv_seating *seating, unsigned wanted)
{
    int seat;
    while ((seat = cv_seats_missing(&seating->seats, wanted)) >= 0) {
        int rc = open_seat(seating, (unsigned)seat);
        if (rc < 0) {
            if (!seating->has_complained)
                cv_warn("there are listeners of their own for %u of %u workers only, the others "
                        "share them: %s",
                        seating->seats.n_open, wanted, strerror(-rc));
            seating->has_complained = true;
            return;
        }
        cv_seats_open(&seating->seats, (unsigned)seat);
        seating->has_complained = false;
    }
}

void cv_seating_shrink(struct cv_seating *seating, unsigned wanted)
{
    int seat;
    while ((seat = cv_seats_superfluous(&seating->seats, wanted)) >= 0) {
        close_seat(seating, (unsigned)seat);
        cv_seats_close(&seating->seats, (unsigned)seat);
    }
}

uint32_t cv_seating_take(struct cv_seating *seating, unsigned slot, int instead_of, int32_t *ret)
{
    unsigned seat = cv_seats_take(&seating->seats, slot, instead_of);
    uint32_t n = 0;
    for (int i = 0; i < seating->listeners->n; i++)
        if (seating->listeners->item[i].owner[0] == '\0')
            ret[n++] = *place(seating, seat, i);
    return n;
}

static bool is_among(int fd, const int32_t *kept, uint32_t n_kept)
{
    for (uint32_t i = 0; i < n_kept; i++)
        if (kept[i] == fd)
            return true;
    return false;
}

void cv_seating_close(struct cv_seating *seating, const int32_t *kept, uint32_t n_kept)
{
    for (unsigned seat = 0; seat < seating->seats.capacity; seat++) {
        for (int i = 0; i < seating->listeners->n; i++) {
            int *fd = place(seating, seat, i);
            bool is_ours = is_seated(&seating->listeners->item[i]) && *fd >= 0;
            if (!is_ours || is_among(*fd, kept, n_kept))
                continue;
            (void)close(*fd);
            *fd = -1;
        }
    }
}
