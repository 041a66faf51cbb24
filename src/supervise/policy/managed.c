/* The managed processes: each has a seat, one of the slots behind main, as long as it is declared.
 *
 * What is declared is known from the first manifest of a generation. It comes into force at once
 * for the first generation, and for later ones when the workers of the roll are through; a roll
 * that fails changes nothing. They start behind the same gate as workers: after main has been ready
 * once. In a reload the old process goes first and the new one follows, as with main.
 */
#include "supervise/policy/managed.h"

#include "supervise/policy/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cv_managed_init(struct cv_managed *managed, unsigned slots)
{
    managed->seats = calloc(slots + 1, sizeof *managed->seats); /* never of no bytes */
    return managed->seats != NULL ? 0 : -ENOMEM;
}

void cv_managed_done(struct cv_managed *managed)
{
    free(managed->seats);
    managed->seats = NULL;
}

/* ---- Seats ---- */

static struct cv_slot *slot_at(const struct cv_fleet *fleet, unsigned seat)
{
    return &fleet->slots[fleet->config.capacity + 1 + seat];
}

static struct cv_seat *seat_of(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    return &fleet->managed.seats[cv_fleet_number(fleet, slot) - fleet->config.capacity - 1];
}

static bool is_free(const struct cv_seat *seat)
{
    return seat->name[0] == '\0';
}

const char *cv_fleet_managed_name(const struct cv_fleet *fleet, unsigned slot, unsigned *ret_index)
{
    const struct cv_seat *seat = seat_of(fleet, &fleet->slots[slot]);
    *ret_index = seat->index;
    return is_free(seat) ? NULL : seat->name;
}

/* What is in force about it; NULL: it is not wanted. */
static const struct cv_managed_spec *spec_of(const struct cv_fleet *fleet,
                                             const struct cv_seat *seat)
{
    const struct cv_managed_list *force = &fleet->managed.force;
    for (unsigned i = 0; i < force->n; i++)
        if (strcmp(force->item[i].name, seat->name) == 0)
            return seat->index < force->item[i].processes ? &force->item[i] : NULL;
    return NULL;
}

/* ---- What is declared ---- */

static void put_in_force(struct cv_fleet *fleet)
{
    struct cv_managed *managed = &fleet->managed;
    managed->force = managed->coming;
    for (unsigned i = 0; i < fleet->config.managed_max; i++) {
        const struct cv_managed_spec *spec = spec_of(fleet, &managed->seats[i]);
        managed->seats[i].is_done &= spec != NULL && !spec->is_transient;
    }
}

static bool is_first(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    return cv_fleet_is_worker(fleet, slot) && slot->generation > fleet->managed.coming.generation;
}

bool cv_fleet_would_declare(const struct cv_fleet *fleet, unsigned slot)
{
    const struct cv_slot *at = &fleet->slots[slot];
    return at->state == CV_SLOT_SPAWNING && is_first(fleet, at);
}

void cv_managed_hello(struct cv_fleet *fleet, const struct cv_slot *slot,
                      const struct cv_managed_list *list)
{
    struct cv_managed *managed = &fleet->managed;
    if (!is_first(fleet, slot))
        return;
    managed->coming = list != NULL ? *list : (struct cv_managed_list){0};
    managed->coming.generation = slot->generation;
    if (managed->force.generation == 0)
        put_in_force(fleet);
}

void cv_managed_adopt(struct cv_fleet *fleet)
{
    const struct cv_managed *managed = &fleet->managed;
    if (managed->coming.generation == fleet->current.number &&
        managed->force.generation != fleet->current.number)
        put_in_force(fleet);
}

/* ---- Who goes and who comes ---- */

/* It is not declared any more, or it is to be replaced by one of this generation. */
static bool is_outdated(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    const struct cv_managed_spec *spec = spec_of(fleet, seat_of(fleet, slot));
    bool is_old = (cv_slot_has_process(slot) || slot->spawn_asked) &&
                  slot->generation != fleet->managed.force.generation;
    return spec == NULL || (spec->is_transient && is_old);
}

bool cv_managed_has_leftovers(const struct cv_fleet *fleet)
{
    for (unsigned i = 0; i < fleet->config.managed_max; i++) {
        const struct cv_slot *slot = slot_at(fleet, i);
        if ((cv_slot_has_process(slot) || slot->spawn_asked) && is_outdated(fleet, slot))
            return true;
    }
    return false;
}

/* One that has never been ready has not done anything yet, whatever its exit code says. */
bool cv_managed_ends(struct cv_fleet *fleet, const struct cv_slot *slot,
                     const struct cv_fleet_exit *exit)
{
    if (!cv_fleet_is_managed(fleet, slot) || slot->ready_since == CV_NEVER)
        return false;
    struct cv_seat *seat = seat_of(fleet, slot);
    const struct cv_managed_spec *spec = spec_of(fleet, seat);
    bool has_succeeded = !exit->signaled && exit->code == 0;
    seat->is_done = spec != NULL && (spec->restart == CV_RESTART_NEVER ||
                                     (spec->restart == CV_RESTART_ON_FAILURE && has_succeeded));
    return seat->is_done;
}

static bool may_start(const struct cv_fleet *fleet)
{
    return cv_mainproc_generation(fleet) == 0 || fleet->main_was_ready;
}

/* The seat of one that cannot be killed is given up: another slot takes its place. */
static void look_at(struct cv_fleet *fleet, struct cv_slot *slot, struct cv_seat *seat)
{
    if (!cv_slot_is_gone(slot) && !slot->going && is_outdated(fleet, slot))
        cv_policy_tell(fleet, slot, CV_ON_RETIRE);
    bool is_empty = slot->state == CV_SLOT_EMPTY;
    if (slot->state == CV_SLOT_LOST || (is_empty && spec_of(fleet, seat) == NULL))
        *seat = (struct cv_seat){0};
    else if (is_empty && !seat->is_done && may_start(fleet))
        cv_fleet_enter(slot, CV_SLOT_WAITING, CV_NEVER);
}

static bool has_seat(const struct cv_fleet *fleet, const struct cv_managed_spec *spec,
                     unsigned index)
{
    for (unsigned i = 0; i < fleet->config.managed_max; i++) {
        const struct cv_seat *seat = &fleet->managed.seats[i];
        if (seat->index == index && strcmp(seat->name, spec->name) == 0)
            return true;
    }
    return false;
}

/* Where none is free, it comes as soon as somebody who is going has gone. */
static void seat_one(struct cv_fleet *fleet, const struct cv_managed_spec *spec, unsigned index)
{
    for (unsigned i = 0; i < fleet->config.managed_max; i++) {
        struct cv_seat *seat = &fleet->managed.seats[i];
        struct cv_slot *slot = slot_at(fleet, i);
        if (!is_free(seat) || slot->state != CV_SLOT_EMPTY)
            continue;
        *seat = (struct cv_seat){.index = index};
        memcpy(seat->name, spec->name, sizeof seat->name);
        look_at(fleet, slot, seat);
        return;
    }
}

void cv_managed_step(struct cv_fleet *fleet)
{
    const struct cv_managed_list *force = &fleet->managed.force;
    for (unsigned i = 0; i < fleet->config.managed_max; i++)
        if (!is_free(&fleet->managed.seats[i]))
            look_at(fleet, slot_at(fleet, i), &fleet->managed.seats[i]);
    for (unsigned i = 0; i < force->n; i++)
        for (unsigned index = 0; index < force->item[i].processes; index++)
            if (!has_seat(fleet, &force->item[i], index))
                seat_one(fleet, &force->item[i], index);
}
