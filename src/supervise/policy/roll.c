/* From one generation to the next, and back if that fails.
 *
 *              RELOAD            all wanted workers are ready       the others are gone
 *      NONE ----------> FORWARD ------------------------> TAIL ----------------------> NONE
 *        ^                 | one of the new fails before READY
 *        |                 v
 *        +-------------- BACK     the generations have changed places
 *         the others are gone
 *
 * Who is started and who goes is the balance's to decide; this file only says which generation is
 * wanted and notices when it is alone.
 */
#include "supervise/policy/policy.h"

void cv_roll_begin(struct cv_fleet *fleet, uint32_t generation)
{
    if (generation <= fleet->newest)
        return;
    fleet->newest = generation;
    if (!cv_fleet_can_reload(fleet)) {
        cv_actions_drop(fleet, generation);
        return;
    }
    fleet->other = fleet->current;
    fleet->current = (struct cv_generation){.number = generation};
    fleet->roll = CV_ROLL_FORWARD;
}

void cv_roll_fail(struct cv_fleet *fleet, const struct cv_slot *slot)
{
    struct cv_generation failed = fleet->current;
    cv_actions_say(fleet, slot, CV_SAY_RELOAD_FAILED, failed.number);
    fleet->current = fleet->other;
    fleet->other = failed;
    fleet->roll = CV_ROLL_BACK;
}

static void finish(struct cv_fleet *fleet)
{
    cv_actions_drop(fleet, fleet->other.number);
    if (fleet->roll == CV_ROLL_TAIL)
        cv_actions_say(fleet, NULL, CV_SAY_RELOADED, fleet->current.number);
    fleet->other = (struct cv_generation){0};
    fleet->roll = CV_ROLL_NONE;
}

void cv_roll_step(struct cv_fleet *fleet)
{
    if (fleet->roll == CV_ROLL_NONE)
        return;
    struct cv_census census = cv_balance_census(fleet);
    if (census.stale > 0)
        return;
    if (fleet->roll == CV_ROLL_FORWARD && census.coming == 0 && census.ready > 0)
        fleet->roll = CV_ROLL_TAIL;
    if (fleet->roll == CV_ROLL_FORWARD || census.leftover > 0)
        return;

    if (fleet->roll == CV_ROLL_TAIL)
        cv_managed_adopt(fleet);
    struct cv_slot *main = cv_fleet_main(fleet);
    bool has_main_left = cv_slot_is_leftover(fleet, main);
    if (has_main_left && !main->going)
        cv_policy_tell(fleet, main, CV_ON_RETIRE);
    if (!has_main_left && !cv_managed_has_leftovers(fleet))
        finish(fleet);
}
