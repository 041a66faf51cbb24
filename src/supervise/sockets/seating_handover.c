#include "supervise/sockets/seating_handover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEATING "seating"
#define SEAT "seat with sockets"
#define SEATED "seated"

static const struct cv_handover_field seat_state_fields[] = {
    CV_FIELD(struct cv_seat_state, is_open),
    CV_FIELD(struct cv_seat_state, staying),
};

static const struct cv_handover_field seated_fields[] = {
    CV_FIELD(struct cv_seated, seat),
    CV_FIELD(struct cv_seated, is_going),
};

static void name_socket(char to[24], int i)
{
    (void)snprintf(to, 24, "socket %d", i);
}

/* ---- Writing ---- */

static void export_seat(const struct cv_seating *seating, unsigned seat, struct cv_handover *to)
{
    const int n = seating->listeners->n;
    cv_handover_section(to, SEAT);
    cv_handover_put(to, "seat", seat);
    cv_handover_put_fields(to, seat_state_fields, CV_COUNT(seat_state_fields),
                           &seating->seats.seat[seat]);
    for (int i = 0; i < n; i++) {
        char name[24];
        name_socket(name, i);
        cv_handover_put_fd(to, name, seating->fds[(size_t)seat * (size_t)n + (size_t)i]);
    }
}

void cv_seating_export(const struct cv_seating *seating, struct cv_handover *to)
{
    const struct cv_seats *seats = &seating->seats;
    cv_handover_section(to, SEATING);
    cv_handover_put(to, "open", seats->n_open);
    cv_handover_put(to, "has_complained", seating->has_complained);
    for (unsigned i = 0; i < seats->capacity; i++)
        if (seats->seat[i].is_open || seats->seat[i].staying > 0)
            export_seat(seating, i, to);
    for (unsigned i = 0; i < seats->capacity; i++) {
        if (seats->slot[i].seat < 0)
            continue;
        cv_handover_section(to, SEATED);
        cv_handover_put(to, "slot", i);
        cv_handover_put_fields(to, seated_fields, CV_COUNT(seated_fields), &seats->slot[i]);
    }
}

/* ---- Reading ---- */

static int import_seat(struct cv_seating *seating, const struct cv_handover_section *from)
{
    const int n = seating->listeners->n;
    int64_t seat = cv_handover_get(from, "seat", -1);
    if (seat < 0 || seat >= seating->seats.capacity)
        return -EBADMSG;
    for (int i = 0; i < n; i++) {
        char name[24];
        name_socket(name, i);
        seating->fds[seat * n + i] = cv_handover_get_fd(from, name);
    }
    return cv_handover_get_fields(from, seat_state_fields, CV_COUNT(seat_state_fields),
                                  &seating->seats.seat[seat]);
}

static int import_seated(struct cv_seats *seats, const struct cv_handover_section *from)
{
    int64_t slot = cv_handover_get(from, "slot", -1);
    if (slot < 0 || slot >= seats->capacity)
        return -EBADMSG;
    struct cv_seated *seated = &seats->slot[slot];
    int rc = cv_handover_get_fields(from, seated_fields, CV_COUNT(seated_fields), seated);
    return rc == 0 && (seated->seat < -1 || seated->seat >= (int)seats->capacity) ? -EBADMSG : rc;
}

static int make(struct cv_seating *seating, struct cv_listeners *listeners, unsigned capacity)
{
    size_t bytes = (size_t)capacity * (size_t)listeners->n * sizeof(*seating->fds);
    *seating = (struct cv_seating){.listeners = listeners, .fds = malloc(bytes > 0 ? bytes : 1)};
    if (seating->fds == NULL)
        return -ENOMEM;
    memset(seating->fds, -1, bytes);
    return cv_seats_init(&seating->seats, capacity);
}

int cv_seating_import(struct cv_seating *seating, struct cv_listeners *listeners, unsigned capacity,
                      struct cv_span record)
{
    struct cv_handover_section section = cv_handover_find(record, SEATING);
    if (section.name.len == 0)
        return 0;
    int rc = make(seating, listeners, capacity);
    seating->seats.n_open = (unsigned)cv_handover_get(&section, "open", 0);
    seating->has_complained = cv_handover_get(&section, "has_complained", 0) != 0;
    for (size_t at = 0; rc == 0 && cv_handover_next(record, &at, &section);) {
        if (cv_span_eq(section.name, CV_SPAN(SEAT)))
            rc = import_seat(seating, &section);
        else if (cv_span_eq(section.name, CV_SPAN(SEATED)))
            rc = import_seated(&seating->seats, &section);
    }
    return rc == 0 ? 1 : rc;
}
