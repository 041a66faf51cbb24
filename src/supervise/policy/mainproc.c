/* The process of the main-process listeners ("main"): one for the whole fleet, in a slot of its
 * own.
 *
 * Whether it is wanted is known only from the manifest of a worker. Workers are held until it has
 * been ready once; should it die later it comes back after its back-off, and they go on. In a
 * reload it follows when the workers have been replaced.
 */
#include "supervise/policy/policy.h"

static bool is_gate_open(const struct cv_fleet *fleet, bool has_main)
{
    return !has_main || fleet->main_was_ready;
}

void cv_mainproc_hello(struct cv_fleet *fleet, struct cv_slot *slot, bool has_main)
{
    bool is_worker = cv_fleet_is_worker(fleet, slot);
    if (is_worker && has_main) {
        bool is_current = slot->generation == fleet->current.number;
        (is_current ? &fleet->current : &fleet->other)->has_main = true;
    }
    if (!is_worker || is_gate_open(fleet, has_main))
        cv_policy_tell(fleet, slot, CV_ON_GO);
}

void cv_mainproc_ready(struct cv_fleet *fleet)
{
    fleet->main_was_ready = true;
    for (unsigned i = 0; i < fleet->config.capacity; i++)
        cv_policy_tell(fleet, &fleet->slots[i], CV_ON_GO);
}

uint32_t cv_mainproc_generation(const struct cv_fleet *fleet)
{
    if (fleet->current.has_main)
        return fleet->current.number;
    if (fleet->roll == CV_ROLL_FORWARD && fleet->other.has_main)
        return fleet->other.number;
    return 0;
}

/* One that has failed to start with the generation that failed. */
static bool is_failed_start(const struct cv_fleet *fleet, const struct cv_slot *main)
{
    return fleet->roll == CV_ROLL_BACK && cv_slot_is_starting(main) &&
           cv_slot_is_leftover(fleet, main);
}

void cv_mainproc_step(struct cv_fleet *fleet)
{
    struct cv_slot *main = cv_fleet_main(fleet);
    bool is_wanted = cv_mainproc_generation(fleet) != 0;
    fleet->main_was_ready = fleet->main_was_ready && is_wanted;
    if (is_wanted && main->state == CV_SLOT_EMPTY)
        cv_fleet_enter(main, CV_SLOT_WAITING, CV_NEVER);
    else if (!is_wanted && main->state == CV_SLOT_WAITING && !main->going)
        cv_policy_tell(fleet, main, CV_ON_RETIRE);
    else if (is_failed_start(fleet, main))
        cv_policy_tell(fleet, main, CV_ON_RETIRE);
}
