/* What the policy wants done, in order.
 *
 * An action on a slot is dropped if the process it was meant for has gone before it was taken.
 * Starts are not queued: cv_fleet_next() decides them when asked, so that none is ever stale.
 */
#ifndef CV_SUPERVISE_ACTIONS_H
#define CV_SUPERVISE_ACTIONS_H

#include "base/macros.h"
#include "supervise/policy/fleet.h"

struct cv_slot;

struct cv_queued {
    struct cv_action action;
    uint32_t incarnation; /* of the slot when it was queued */
};

struct cv_actions {
    struct cv_queued *queue; /* a ring */
    unsigned size;
    unsigned first;
    unsigned count;
};

/* Room for what one event can cause in a fleet of `slots` slots. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_actions_init(struct cv_actions *actions, unsigned slots);
void cv_actions_done(struct cv_actions *actions);

/* The next one whose process still exists. */
bool cv_actions_take(struct cv_fleet *fleet, struct cv_action *ret);

void cv_actions_order(struct cv_fleet *fleet, const struct cv_slot *slot, enum cv_action_kind kind);
void cv_actions_drain(struct cv_fleet *fleet, const struct cv_slot *slot, bool retire);
void cv_actions_drop(struct cv_fleet *fleet, uint32_t generation);
void cv_actions_exit(struct cv_fleet *fleet, int code);

/* About a slot, or about the fleet (slot NULL). */
void cv_actions_say(struct cv_fleet *fleet, const struct cv_slot *slot, enum cv_say say,
                    int64_t value);

#endif
