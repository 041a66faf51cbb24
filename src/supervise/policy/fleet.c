#include "supervise/policy/fleet.h"

#include "base/assert.h"
#include "supervise/policy/policy.h"

#include <errno.h>
#include <stdlib.h>

/* ---- Names ---- */

#define NAME_STATE(name, text) [CV_SLOT_##name] = #name,
#define NAME_EVENT(name, text) [CV_ON_##name] = #name,

const char *cv_slot_state_name(enum cv_slot_state state)
{
    static const char *const names[] = {CV_SLOT_STATES(NAME_STATE)};
    return names[state];
}

const char *cv_slot_event_name(enum cv_slot_event event)
{
    static const char *const names[] = {CV_SLOT_EVENTS(NAME_EVENT)};
    return names[event];
}

/* ---- Birth and death ---- */

void cv_fleet_defaults(struct cv_fleet_config *config)
{
    *config = (struct cv_fleet_config){
        .capacity = 1024,
        .managed_max = CV_MANAGED_MAX,
        .workers = 1,
        .starters_max = 2,
        .start_timeout = 60 * CV_SECOND,
        .start_timeout_max = 300 * CV_SECOND,
        .drain_timeout = 15 * CV_SECOND,
        .stop_timeout = 5 * CV_SECOND,
        .int_timeout = 3 * CV_SECOND,
        .quit_timeout = 250 * CV_MS,
        .start_stop_timeout = CV_SECOND,
        .pause_timeout = 30 * CV_SECOND,
        .dump_timeout = 2 * CV_SECOND,
        .kill_wait = 5 * CV_SECOND,
        .backoff_first = 100 * CV_MS,
        .backoff_max = 10 * CV_SECOND,
        .healthy_after = 10 * CV_SECOND,
        .crash_window = 60 * CV_SECOND,
        .same_signal = 500 * CV_MS,
    };
}

static int take_memory(struct cv_fleet *fleet, int64_t now)
{
    unsigned slots = cv_fleet_slots(&fleet->config);
    fleet->slots = calloc(slots, sizeof *fleet->slots);
    if (fleet->slots == NULL)
        return -ENOMEM;
    int rc = cv_brake_init(&fleet->brake, fleet->config.capacity, now);
    if (rc == 0)
        rc = cv_managed_init(&fleet->managed, fleet->config.managed_max);
    return rc < 0 ? rc : cv_actions_init(&fleet->actions, slots);
}

static void settle(struct cv_fleet *fleet);

int cv_fleet_make(const struct cv_fleet_config *config, int64_t now, struct cv_fleet **ret)
{
    struct cv_fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL)
        return -ENOMEM;

    fleet->config = *config;
    int rc = take_memory(fleet, now);
    if (rc < 0) {
        cv_fleet_free(fleet);
        return rc;
    }
    for (unsigned i = 0; i < cv_fleet_slots(config); i++)
        cv_fleet_enter(&fleet->slots[i], CV_SLOT_EMPTY, CV_NEVER);
    fleet->rules = &cv_policy_rules;
    fleet->now = now;
    fleet->wanted = config->workers;
    fleet->newest = 1;
    fleet->current.number = 1;
    fleet->random = config->seed;
    fleet->halt.drain_until = fleet->halt.kill_at = CV_NEVER;
    *ret = fleet;
    return 0;
}

int cv_fleet_new(const struct cv_fleet_config *config, int64_t now, struct cv_fleet **ret)
{
    if (config->workers < 1 || config->workers >= config->capacity || config->starters_max < 1)
        return -EINVAL;
    int rc = cv_fleet_make(config, now, ret);
    if (rc == 0)
        settle(*ret);
    return rc;
}

void cv_fleet_free(struct cv_fleet *fleet)
{
    if (fleet == NULL)
        return;
    cv_actions_done(&fleet->actions);
    cv_brake_done(&fleet->brake);
    cv_managed_done(&fleet->managed);
    free(fleet->slots);
    free(fleet);
}

/* ---- Events ---- */

void cv_fleet_enter(struct cv_slot *slot, enum cv_slot_state state, int64_t deadline)
{
    if (state == CV_SLOT_EMPTY)
        *slot = (struct cv_slot){.incarnation = slot->incarnation,
                                 .drain_until = CV_NEVER,
                                 .ready_since = CV_NEVER,
                                 .pause_deadline = CV_NEVER};
    if (state == CV_SLOT_WAITING) {
        slot->paused = false;
        slot->pause_deadline = CV_NEVER;
        slot->spent = false;
    }
    slot->state = state;
    slot->deadline = deadline;
}

/* Time in which nobody could have heard them is given back to those that start, are paused, are
 * saying where they are, or have been killed and may be waiting to be reaped. A stop waits for
 * nobody. */
static void forgive(struct cv_fleet *fleet, int64_t gap)
{
    for (unsigned i = 0; i < cv_fleet_slots(&fleet->config); i++) {
        struct cv_slot *slot = &fleet->slots[i];
        bool is_dumping = slot->state == CV_SLOT_DUMPING && !fleet->halt.asked;
        if (cv_slot_is_starting(slot) || is_dumping || slot->state == CV_SLOT_KILLING)
            slot->deadline += gap;
        if (cv_slot_is_starting(slot))
            slot->spawned_at += gap;
        if (slot->paused && !fleet->halt.asked)
            slot->pause_deadline += gap;
    }
}

static void handle(struct cv_fleet *fleet, const struct cv_fleet_event *event)
{
    switch (event->kind) {
    case CV_FLEET_TICK: break;
    case CV_FLEET_SLOT:
        CV_ASSERT(event->slot < cv_fleet_slots(&fleet->config));
        cv_policy_apply(fleet, &fleet->slots[event->slot], event);
        break;
    case CV_FLEET_RELOAD: cv_roll_begin(fleet, event->generation); break;
    case CV_FLEET_SCALE:
        if (!fleet->halt.asked)
            cv_balance_scale(fleet, event->by);
        break;
    case CV_FLEET_ASK_STOP: cv_halt_ask(fleet, event->stop); break;
    case CV_FLEET_GAP: forgive(fleet, event->gap); break;
    }
}

static int64_t slot_deadline(const struct cv_slot *slot)
{
    return cv_fleet_earlier(slot->deadline, slot->pause_deadline);
}

static void fire(struct cv_fleet *fleet)
{
    for (unsigned i = 0; i < cv_fleet_slots(&fleet->config); i++)
        if (slot_deadline(&fleet->slots[i]) <= fleet->now)
            cv_policy_tell(fleet, &fleet->slots[i], CV_ON_DEADLINE);
}

static void step(struct cv_fleet *fleet)
{
    if (fleet->halt.asked) {
        cv_halt_step(fleet);
        return;
    }
    cv_balance_step(fleet);
    cv_roll_step(fleet);
    cv_mainproc_step(fleet);
    cv_managed_step(fleet);
    unsigned serving = cv_fleet_ready(fleet);
    cv_brake_step(fleet, serving);
    if (!fleet->serving_said && serving >= fleet->wanted) {
        fleet->serving_said = true;
        cv_actions_say(fleet, NULL, CV_SAY_SERVING, serving);
    }
}

static int64_t earliest(const struct cv_fleet *fleet)
{
    int64_t deadline = cv_halt_deadline(fleet);
    for (unsigned i = 0; i < cv_fleet_slots(&fleet->config); i++)
        deadline = cv_fleet_earlier(deadline, slot_deadline(&fleet->slots[i]));
    return deadline;
}

/* What the event and the time make necessary. A round may set deadlines that are over already (the
 * time jumped past several); no slot has more of them than states. */
static void settle(struct cv_fleet *fleet)
{
    for (int round = 0; round < CV_SLOT_STATE_COUNT; round++) {
        fire(fleet);
        step(fleet);
        fleet->deadline = fleet->finished ? CV_NEVER : earliest(fleet);
        if (fleet->deadline > fleet->now)
            return;
    }
}

void cv_fleet_event(struct cv_fleet *fleet, const struct cv_fleet_event *event, int64_t now)
{
    if (fleet->finished)
        return;
    fleet->now = now;
    handle(fleet, event);
    settle(fleet);
}

/* ---- Actions ---- */

static uint32_t generation_to_start(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    switch (cv_fleet_kind(&fleet->config, cv_fleet_number(fleet, slot))) {
    case CV_KIND_WORKER: break;
    case CV_KIND_MAIN: return cv_mainproc_generation(fleet);
    case CV_KIND_MANAGED: return fleet->managed.force.generation;
    }
    return fleet->current.number;
}

static void order_start(struct cv_fleet *fleet, struct cv_slot *slot, struct cv_action *ret)
{
    slot->spawn_asked = true;
    slot->ready_since = CV_NEVER;
    slot->generation = generation_to_start(fleet, slot);
    *ret = (struct cv_action){
        .kind = CV_ACT_SPAWN, .slot = cv_fleet_number(fleet, slot), .generation = slot->generation};
}

bool cv_fleet_next(struct cv_fleet *fleet, struct cv_action *ret)
{
    if (cv_actions_take(fleet, ret))
        return true;
    if (fleet->halt.asked)
        return false;
    struct cv_slot *slot = cv_balance_next_start(fleet);
    if (slot == NULL)
        return false;
    order_start(fleet, slot, ret);
    return true;
}

/* ---- Questions ---- */

int64_t cv_fleet_deadline(const struct cv_fleet *fleet)
{
    return fleet->deadline;
}

int cv_fleet_next_to_go(const struct cv_fleet *fleet)
{
    const struct cv_slot *slot = cv_balance_next_to_go(fleet);
    return slot != NULL ? (int)cv_fleet_number(fleet, slot) : -1;
}

bool cv_fleet_can_reload(const struct cv_fleet *fleet)
{
    return fleet->roll == CV_ROLL_NONE && fleet->ever_ready && !fleet->halt.asked;
}

bool cv_fleet_is_stopping(const struct cv_fleet *fleet)
{
    return fleet->halt.asked;
}

bool cv_fleet_is_serving_on(const struct cv_fleet *fleet)
{
    return fleet->halt.asked && fleet->halt.serves;
}

enum cv_slot_state cv_fleet_slot_state(const struct cv_fleet *fleet, unsigned slot)
{
    return fleet->slots[slot].state;
}

uint32_t cv_fleet_slot_generation(const struct cv_fleet *fleet, unsigned slot)
{
    return fleet->slots[slot].generation;
}

unsigned cv_fleet_slot_failures(const struct cv_fleet *fleet, unsigned slot)
{
    return fleet->slots[slot].failures;
}

uint32_t cv_fleet_generation(const struct cv_fleet *fleet)
{
    return fleet->current.number;
}

uint32_t cv_fleet_newest_generation(const struct cv_fleet *fleet)
{
    return fleet->newest;
}

const char *cv_fleet_roll_name(const struct cv_fleet *fleet)
{
    switch (fleet->roll) {
    case CV_ROLL_NONE: return "none";
    case CV_ROLL_FORWARD: return "rolling";
    case CV_ROLL_BACK: return "rolling back";
    case CV_ROLL_TAIL: return "finishing";
    }
    return "none";
}

unsigned cv_fleet_wanted(const struct cv_fleet *fleet)
{
    return fleet->wanted;
}

unsigned cv_fleet_ready(const struct cv_fleet *fleet)
{
    unsigned ready = 0;
    for (unsigned i = 0; i < fleet->config.capacity; i++)
        ready += fleet->slots[i].state == CV_SLOT_READY;
    return ready;
}
