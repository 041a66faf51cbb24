/* Each entry is a mistake that somebody could make, or that another server has made. */
#include "broken.h"

static void start_again_at_once(struct cv_fleet *fleet, struct cv_slot *slot,
                                const struct cv_fleet_event *event)
{
    (void)fleet;
    (void)event;
    cv_fleet_enter(slot, CV_SLOT_WAITING, CV_NEVER);
}

static void kill_at_once(struct cv_fleet *fleet, struct cv_slot *slot,
                         const struct cv_fleet_event *event)
{
    (void)event;
    slot->going = true;
    cv_actions_order(fleet, slot, CV_ACT_KILL);
    cv_fleet_enter(slot, CV_SLOT_KILLING, fleet->now + fleet->config.kill_wait);
}

static void drain_anew(struct cv_fleet *fleet, struct cv_slot *slot,
                       const struct cv_fleet_event *event)
{
    (void)event;
    slot->drain_until = fleet->now + fleet->config.drain_timeout;
    slot->deadline = slot->drain_until + fleet->config.stop_timeout;
    cv_actions_drain(fleet, slot, false);
}

static void go_without_main(struct cv_fleet *fleet, struct cv_slot *slot,
                            const struct cv_fleet_event *event)
{
    (void)event;
    cv_fleet_enter(slot, CV_SLOT_HELD, slot->deadline);
    cv_policy_tell(fleet, slot, CV_ON_GO);
}

static void forget_the_wish(struct cv_fleet *fleet, struct cv_slot *slot,
                            const struct cv_fleet_event *event)
{
    (void)event;
    slot->spawn_asked = false;
    slot->incarnation++;
    slot->spawned_at = fleet->now;
    cv_fleet_enter(slot, CV_SLOT_SPAWNING, fleet->now + fleet->config.start_timeout);
}

static void leave_the_slot(struct cv_fleet *fleet, struct cv_slot *slot,
                           const struct cv_fleet_event *event)
{
    (void)fleet;
    (void)event;
    cv_fleet_enter(slot, CV_SLOT_EMPTY, CV_NEVER);
}

static void ask_where_for_two_seconds(struct cv_fleet *fleet, struct cv_slot *slot,
                                      const struct cv_fleet_event *event)
{
    (void)event;
    cv_actions_order(fleet, slot, CV_ACT_ABRT);
    cv_fleet_enter(slot, CV_SLOT_DUMPING, fleet->now + fleet->config.dump_timeout);
}

static void ask_however_late(struct cv_fleet *fleet, struct cv_slot *slot,
                             const struct cv_fleet_event *event)
{
    if (!slot->paused)
        ask_where_for_two_seconds(fleet, slot, event);
}

static void go_when_it_has_told(struct cv_fleet *fleet, struct cv_slot *slot,
                                const struct cv_fleet_event *event)
{
    (void)fleet;
    (void)event;
    slot->going = true;
}

static void drain_without_waiting(struct cv_fleet *fleet, struct cv_slot *slot,
                                  const struct cv_fleet_event *event)
{
    fleet->halt.serves = false;
    cv_policy_rules.at[CV_SLOT_READY][CV_ON_STOP](fleet, slot, event);
}

static void forewarn_nobody(struct cv_fleet *fleet, struct cv_slot *slot,
                            const struct cv_fleet_event *event)
{
    if (!fleet->halt.serves)
        cv_policy_rules.at[CV_SLOT_READY][CV_ON_STOP](fleet, slot, event);
}

static void start_whatever_it_was(struct cv_fleet *fleet, struct cv_slot *slot,
                                  const struct cv_fleet_event *event)
{
    if (slot->going || fleet->halt.asked) {
        cv_fleet_enter(slot, CV_SLOT_EMPTY, CV_NEVER);
        return;
    }
    (void)cv_brake_retry(fleet, slot);
    cv_brake_judge(fleet, slot, &event->exit);
}

const struct sim_broken sim_broken[] = {
    {"a stop does not reach a worker that is starting (sanic#2997)", CV_SLOT_STARTING, CV_ON_STOP,
     NULL},
    {"nobody minds a drain that takes too long", CV_SLOT_DRAINING, CV_ON_DEADLINE, NULL},
    {"KILL is believed to help", CV_SLOT_KILLING, CV_ON_DEADLINE, NULL},
    {"a crashed worker is started again at once", CV_SLOT_READY, CV_ON_EXITED, start_again_at_once},
    {"a retired worker is killed", CV_SLOT_READY, CV_ON_RETIRE, kill_at_once},
    {"a second stop begins the drain anew", CV_SLOT_DRAINING, CV_ON_STOP, drain_anew},
    {"workers do not wait for main", CV_SLOT_SPAWNING, CV_ON_HELLO, go_without_main},
    {"a worker whose fork was under way is forgotten by the stop", CV_SLOT_WAITING, CV_ON_SPAWNED,
     forget_the_wish},
    {"a failed start is not counted", CV_SLOT_STARTING, CV_ON_EXITED, leave_the_slot},
    {"a worker may sleep in a stop signal for ever", CV_SLOT_READY, CV_ON_DEADLINE, NULL},
    {"the death of a stopping worker is not noticed", CV_SLOT_STOPPING, CV_ON_EXITED, NULL},
    {"a hung worker is killed before it has said where it is", CV_SLOT_READY, CV_ON_HUNG,
     kill_at_once},
    {"ABRT is believed to help", CV_SLOT_DUMPING, CV_ON_DEADLINE, NULL},
    {"ABRT is sent again and again", CV_SLOT_DUMPING, CV_ON_DEADLINE, ask_where_for_two_seconds},
    {"one that is paused is asked where it is", CV_SLOT_STARTING, CV_ON_DEADLINE,
     ask_where_for_two_seconds},
    {"a stop waits for one that says where it is", CV_SLOT_DUMPING, CV_ON_STOP,
     go_when_it_has_told},
    {"a stop drains at once, whatever pre_drain says", CV_SLOT_READY, CV_ON_STOP,
     drain_without_waiting},
    {"workers serve on without a word", CV_SLOT_READY, CV_ON_STOP, forewarn_nobody},
    {"a managed process that is done is started again", CV_SLOT_READY, CV_ON_EXITED,
     start_whatever_it_was},
    {"a hang makes the stop longer", CV_SLOT_READY, CV_ON_HUNG, ask_however_late},
};

const unsigned sim_broken_count = CV_COUNT(sim_broken);
