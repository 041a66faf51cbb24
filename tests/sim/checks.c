/* The invariants; their list is at the head of sim_fleet.c. */
#include "checks.h"

#include "base/exit.h"

#define PAUSE_WHILE_STOPPING (250 * CV_MS)

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void sim_check_before(struct sim_world *world, const struct cv_fleet_event *event)
{
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        world->before[i] = sim_state(world, i);
    world->roll_before = world->fleet->roll;
    world->must_roll_back = false;
    sim_memory_note(world, event);
}

/* ---- Actions ---- */

static void check_spawn(struct sim_world *world, const struct cv_action *action)
{
    const struct sim_proc *proc = &world->procs[action->slot];
    sim_expect(world, proc->phase == SIM_NONE && !proc->is_ordered,
               "right-slot: a start where there is a process");
    sim_expect(world, !world->is_stopping, "stop-ends: a start while stopping");
    sim_expect(world, action->generation >= 1 && action->generation <= world->opened,
               "two-generations: a start of a generation that was never opened");
    sim_expect(world, !world->is_dropped[action->generation],
               "two-generations: a start of a generation that was dropped");
    sim_expect(world, world->now >= world->slots[action->slot].not_before,
               "no-storm: a start before the back-off is over");
    sim_expect(world, world->starts_allowed-- > 0, "no-storm: more starts than reasons");
    if (sim_kind(world, action->slot) == CV_KIND_MANAGED)
        sim_managed_check_spawn(world, action);
    if (sim_is_main(world, action->slot))
        return;
    unsigned starters = 1;
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        starters += !sim_is_main(world, i) &&
                    (world->procs[i].is_ordered || sim_is_starting(&world->procs[i]));
    sim_expect(world, starters <= world->config.starters_max, "starters: too many start at once");
}

static void check_go(struct sim_world *world, unsigned slot)
{
    struct sim_proc *proc = &world->procs[slot];
    sim_expect(world, proc->said_hello && !proc->got_go, "go: not once, after HELLO");
    bool needs_main = sim_kind(world, slot) == CV_KIND_WORKER && world->has_main[proc->generation];
    sim_expect(world, !needs_main || world->main_ever_ready, "go: before main was ready");
    proc->got_go = true;
}

static void check_drain(struct sim_world *world, const struct cv_action *action)
{
    struct sim_proc *proc = &world->procs[action->slot];
    sim_expect(world, proc->ready_at != CV_NEVER, "right-slot: DRAIN of one that never served");
    sim_expect(world, action->until <= proc->until, "only-faster: DRAIN until later than before");
    sim_expect(world, action->retire || world->is_stopping,
               "right-slot: DRAIN to stop, but no stop");
    sim_expect(world,
               action->retire || world->now >= world->serve_by || sim_is_main(world, action->slot),
               "serves-on: DRAIN to stop before pre_drain is over");
    sim_managed_check_asked(world, action->slot);
    proc->asked_at = earlier(proc->asked_at, world->now);
    proc->until = action->until;
    int64_t end_by = action->retire                     ? action->until + world->config.stop_timeout
                     : sim_is_main(world, action->slot) ? world->now + world->config.stop_timeout
                                                        : world->kill_by;
    proc->end_by = earlier(proc->end_by, end_by);
}

static void check_forewarn(struct sim_world *world, unsigned slot)
{
    struct sim_proc *proc = &world->procs[slot];
    sim_expect(world, world->is_stopping && world->now < world->serve_by,
               "serves-on: FOREWARN, but there is no time to serve on");
    sim_expect(world, proc->ready_at != CV_NEVER && !proc->is_forewarned,
               "serves-on: FOREWARN twice, or of one that does not serve");
    proc->is_forewarned = true;
}

static void check_term(struct sim_world *world, unsigned slot)
{
    struct sim_proc *proc = &world->procs[slot];
    sim_expect(world, sim_is_starting(proc), "right-slot: TERM to one that is not starting");
    sim_managed_check_asked(world, slot);
    proc->asked_at = world->now;
    proc->end_by = world->now + world->config.start_stop_timeout;
}

/* When it has to be killed at the latest, and not before. One that is paused has nothing to say
 * first. */
static int64_t end_of(const struct sim_world *world, const struct sim_proc *proc)
{
    int64_t at =
        earlier(earlier(proc->end_by, proc->pause_by), earlier(proc->dump_by, world->kill_by));
    bool is_mute = sim_is_starting(proc) && proc->paused_at != CV_NEVER;
    return is_mute ? earlier(at, proc->start_by) : at;
}

/* When it has to be asked where it is at the latest, and not before. */
static int64_t dump_of(const struct sim_proc *proc)
{
    bool may_be_late = sim_is_starting(proc) && proc->paused_at == CV_NEVER;
    return may_be_late ? earlier(proc->hung_at, proc->start_by) : proc->hung_at;
}

/* A stop that the same event brings about (a crash loop) overtakes it: KILL follows at once. */
static void check_abrt(struct sim_world *world, unsigned slot)
{
    struct sim_proc *proc = &world->procs[slot];
    sim_expect(world, proc->dump_by == CV_NEVER && proc->killed_at == CV_NEVER,
               "right-slot: ABRT twice, or after KILL");
    sim_expect(world, proc->paused_at == CV_NEVER, "dump: ABRT to one that is paused");
    sim_expect(world, dump_of(proc) <= world->now, "no-murder: ABRT without a reason");
    bool is_overtaken = world->is_stopping && world->stop_step == world->steps;
    proc->dump_by = world->now + (is_overtaken ? 0 : world->config.dump_timeout);
    if (world->is_stopping)
        proc->asked_at = earlier(proc->asked_at, world->now);
}

static void check_kill(struct sim_world *world, unsigned slot)
{
    struct sim_proc *proc = &world->procs[slot];
    sim_expect(world, proc->killed_at == CV_NEVER, "right-slot: KILL twice");
    sim_expect(world, end_of(world, proc) <= world->now, "no-murder: KILL without a reason");
    proc->killed_at = world->now;
    if (world->is_stopping)
        proc->asked_at = earlier(proc->asked_at, world->now);
}

static void check_drop(struct sim_world *world, uint32_t generation)
{
    sim_expect(world,
               generation >= 1 && generation <= world->opened && !world->is_dropped[generation],
               "two-generations: a generation is dropped that is not there");
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++) {
        const struct sim_proc *proc = &world->procs[i];
        bool is_used = sim_is_alive(world, i) || proc->is_ordered;
        bool may_go_on = sim_kind(world, i) == CV_KIND_MANAGED && generation < world->force &&
                         !sim_managed_must_go(world, i);
        sim_expect(world, !is_used || may_go_on || proc->generation != generation,
                   "two-generations: a generation is dropped that has processes");
    }
    world->is_dropped[generation] = true;
    if (world->has_roll_failed && generation == world->rolling)
        world->rolling = 0;
}

static int expected_code(const struct sim_world *world)
{
    if (world->start_code != 0)
        return world->start_code;
    if (world->is_crash_loop)
        return CV_EXIT_CRASH_LOOP;
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        if (world->procs[i].phase != SIM_NONE)
            return CV_EXIT_UNKILLABLE;
    return world->stop == CV_STOP_NOW ? CV_EXIT_PEER_LOST : CV_EXIT_OK;
}

static void check_exit(struct sim_world *world, int code)
{
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        sim_expect(world, !sim_is_alive(world, i) && !world->procs[i].is_ordered,
                   "all-gone: EXIT while a process lives that was not reported");
    sim_expect(world, code == expected_code(world), "exit-code: not the documented one");
    world->is_exited = true;
}

static void check_reloaded(struct sim_world *world, int64_t generation)
{
    sim_expect(world, generation == world->rolling && !world->has_roll_failed,
               "roll: RELOADED, but that was not asked");
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        sim_expect(world,
                   !sim_is_alive(world, i) || world->procs[i].generation == generation ||
                       (sim_kind(world, i) == CV_KIND_MANAGED && !sim_managed_must_go(world, i)),
                   "roll: RELOADED while another generation lives");
    world->rolling = 0;
}

static void check_say(struct sim_world *world, const struct cv_action *action)
{
    switch (action->say) {
    case CV_SAY_SERVING:
        sim_expect(world, !world->was_serving_said, "said-once: SERVING");
        world->was_serving_said = true;
        break;
    case CV_SAY_START_FAILED:
        sim_expect(world, !world->was_failed_said && action->value == world->start_code,
                   "said-once: START_FAILED");
        world->was_failed_said = true;
        break;
    case CV_SAY_CRASH_LOOP: sim_expect(world, world->is_crash_loop, "crash-loop: too early"); break;
    case CV_SAY_RELOADED: check_reloaded(world, action->value); break;
    case CV_SAY_RELOAD_FAILED:
        sim_expect(world,
                   world->must_roll_back && action->value == world->rolling &&
                       !world->has_roll_failed,
                   "roll: RELOAD_FAILED without a failure");
        world->has_roll_failed = true;
        break;
    case CV_SAY_FAILED:
    case CV_SAY_NOT_STARTED:
    case CV_SAY_HUNG:
    case CV_SAY_LATE:
    case CV_SAY_PAUSED_LONG:
    case CV_SAY_UNSTOPPED:
    case CV_SAY_UNKILLABLE:
    case CV_SAY_LEAVING:
    case CV_SAY_SPENT:
    case CV_SAY_DONE:
    case CV_SAY_DEGRADED:
    case CV_SAY_SCALED:
    case CV_SAY_SCALE_REFUSED:
    case CV_SAY_STOPPING: break;
    case CV_SAY_SERVING_ON:
        sim_expect(world, world->now < world->serve_by, "serves-on: said, but nobody does");
        break;
    }
}

static void check_cont(struct sim_world *world, unsigned slot)
{
    struct sim_proc *proc = &world->procs[slot];
    proc->pause_by = earlier(proc->pause_by, world->now + PAUSE_WHILE_STOPPING);
}

void sim_check_action(struct sim_world *world, const struct cv_action *action)
{
    unsigned slot = action->slot;
    sim_expect(world, !world->is_exited, "exit-last: an action after EXIT");
    bool is_for_process = action->kind >= CV_ACT_GO && action->kind <= CV_ACT_KILL;
    sim_expect(world, !is_for_process || sim_is_alive(world, slot),
               "right-slot: an action on an empty slot");
    switch (action->kind) {
    case CV_ACT_SPAWN: check_spawn(world, action); break;
    case CV_ACT_GO: check_go(world, slot); break;
    case CV_ACT_FOREWARN: check_forewarn(world, slot); break;
    case CV_ACT_DRAIN: check_drain(world, action); break;
    case CV_ACT_TERM: check_term(world, slot); break;
    case CV_ACT_CONT: check_cont(world, slot); break;
    case CV_ACT_ABRT: check_abrt(world, slot); break;
    case CV_ACT_KILL: check_kill(world, slot); break;
    case CV_ACT_DROP_GENERATION: check_drop(world, action->generation); break;
    case CV_ACT_SAY: check_say(world, action); break;
    case CV_ACT_EXIT: check_exit(world, action->code); break;
    }
}

/* ---- The states after an event ---- */

static void check_lost(struct sim_world *world, unsigned slot)
{
    const struct sim_proc *proc = &world->procs[slot];
    sim_expect(world,
               proc->phase != SIM_NONE && proc->killed_at != CV_NEVER &&
                   proc->killed_at + world->config.kill_wait <= world->now,
               "all-gone: given up too early");
    if (proc->asked_at == CV_NEVER && !world->is_stopping && !world->fleet->slots[slot].going)
        sim_memory_failed(world, slot, NULL);
}

static void check_own_stop(struct sim_world *world)
{
    bool is_stopping = cv_fleet_is_stopping(world->fleet);
    bool must_stop = world->is_stopping || world->start_code != 0 || world->is_crash_loop;
    sim_expect(world, !must_stop || is_stopping, "gives-up: goes on where it must not");
    sim_expect(world, must_stop || !is_stopping, "gives-up: stops without a reason");
    if (!world->is_stopping && is_stopping)
        sim_memory_stopped(world, world->start_code != 0 ? CV_STOP_NOW : CV_STOP_TERM, 0);
}

static void check_retired(struct sim_world *world, const struct cv_fleet_event *event)
{
    unsigned retired = 0;
    for (unsigned i = 0; i < world->config.capacity; i++) {
        bool is_own_wish =
            event->kind == CV_FLEET_SLOT && event->what == CV_ON_LEAVING && event->slot == i;
        retired += world->before[i] == CV_SLOT_READY && sim_state(world, i) == CV_SLOT_DRAINING &&
                   !is_own_wish;
    }
    sim_expect(world, retired == 0 || cv_fleet_ready(world->fleet) >= world->wanted,
               "never-lower: one that serves is retired, and too few serve");
}

/* While it serves on, no worker that serves is told to go. */
static void check_serving_on(struct sim_world *world, const struct cv_fleet_event *event)
{
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++) {
        bool is_own_wish =
            sim_is_main(world, i) ||
            (event->kind == CV_FLEET_SLOT && event->what == CV_ON_LEAVING && event->slot == i);
        bool drains = world->before[i] == CV_SLOT_READY && sim_state(world, i) == CV_SLOT_DRAINING;
        sim_expect(world, !drains || is_own_wish, "serves-on: a worker drains too early");
    }
}

static void remember_ready(struct sim_world *world)
{
    if (cv_fleet_ready(world->fleet) > 0) {
        world->none_ready_since = CV_NEVER;
        world->failures_since_ready = 0;
    } else if (world->none_ready_since == CV_NEVER) {
        world->none_ready_since = world->now;
    }
}

void sim_check_states(struct sim_world *world, const struct cv_fleet_event *event)
{
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++) {
        enum cv_slot_state state = sim_state(world, i);
        if (state == CV_SLOT_LOST && world->before[i] != CV_SLOT_LOST)
            check_lost(world, i);
        if (state == CV_SLOT_EMPTY)
            world->slots[i] = (struct sim_slot){0};
    }
    check_own_stop(world);
    sim_managed_note_roll(world);
    if (!world->is_stopping)
        check_retired(world, event);
    else if (world->now < world->serve_by)
        check_serving_on(world, event);
    sim_expect(world,
               !world->must_roll_back || world->is_stopping || world->fleet->roll == CV_ROLL_BACK ||
                   world->fleet->roll == CV_ROLL_NONE,
               "roll: goes on with a generation that has failed");
    sim_expect(world, cv_fleet_wanted(world->fleet) == world->wanted, "scale: another number");
    remember_ready(world);
}

/* ---- When everything has been carried out ---- */

static bool does_main_wait(const struct sim_world *world, unsigned slot)
{
    if (!sim_is_main(world, slot) || world->now >= world->drain_by)
        return false;
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        if (i != slot && (sim_is_alive(world, i) || world->procs[i].is_ordered))
            return true;
    return false;
}

static bool is_held(const struct sim_world *world, unsigned slot)
{
    unsigned main = world->config.capacity;
    return sim_kind(world, slot) == CV_KIND_WORKER &&
           world->has_main[world->procs[slot].generation] &&
           sim_state(world, main) != CV_SLOT_READY;
}

static void check_process(struct sim_world *world, unsigned slot)
{
    const struct sim_proc *proc = &world->procs[slot];
    if (proc->killed_at != CV_NEVER) {
        sim_expect(world, proc->killed_at + world->config.kill_wait > world->now,
                   "all-gone: an unkillable process is waited for");
        return;
    }
    sim_expect(world, end_of(world, proc) > world->now, "bounded: not killed in time");
    sim_expect(world, proc->dump_by != CV_NEVER || dump_of(proc) > world->now,
               "dump: hangs or is late, and was not asked where it is");
    sim_expect(world,
               !sim_is_starting(proc) || !proc->said_hello || proc->got_go || is_held(world, slot),
               "go: nothing holds it, but it was not told");
    if (!world->is_stopping || does_main_wait(world, slot))
        return;
    bool is_told =
        proc->asked_at != CV_NEVER || (proc->is_forewarned && world->now < world->serve_by);
    sim_expect(world, is_told, "told-all: stopping, and one has not been told");
    sim_expect(world,
               proc->paused_at == CV_NEVER || proc->pause_by <= world->now + PAUSE_WHILE_STOPPING,
               "told-all: stopping, and a paused one was not continued");
}

static void check_generations(struct sim_world *world)
{
    uint32_t seen[2] = {0, 0};
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++) {
        uint32_t generation = world->procs[i].generation;
        if (sim_kind(world, i) == CV_KIND_MANAGED || !sim_is_alive(world, i) ||
            generation == seen[0] || generation == seen[1])
            continue;
        sim_expect(world, seen[1] == 0, "two-generations: there are three");
        seen[seen[0] != 0] = generation;
    }
}

static bool is_kept(const struct sim_world *world, unsigned slot)
{
    enum cv_slot_state state = sim_state(world, slot);
    bool is_going = world->fleet->slots[slot].going;
    if (state == CV_SLOT_WAITING)
        return !is_going;
    bool was_asked = world->procs[slot].asked_at != CV_NEVER;
    return cv_slot_has_process(&world->fleet->slots[slot]) && !was_asked &&
           !(state >= CV_SLOT_DUMPING && is_going);
}

static bool is_spent(const struct sim_world *world, unsigned slot)
{
    return world->procs[slot].is_spent && sim_state(world, slot) == CV_SLOT_READY;
}

static void check_crowd(struct sim_world *world)
{
    unsigned kept = 0;
    bool has_room = false;
    bool has_spent = false;
    for (unsigned i = 0; i < world->config.capacity; i++) {
        kept += is_kept(world, i);
        has_spent |= is_spent(world, i);
        has_room |= sim_state(world, i) == CV_SLOT_EMPTY;
    }
    unsigned most = world->wanted + (world->fleet->roll != CV_ROLL_NONE || has_spent);
    sim_expect(world, kept <= most, "crowd: too many workers are kept");
    sim_expect(world, kept >= world->wanted || !has_room, "crowd: nobody takes a free place");
}

static bool is_any_ordered(const struct sim_world *world)
{
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        if (world->procs[i].is_ordered)
            return true;
    return false;
}

/* Nobody has anything to wait for: then everything is as wanted. */
static void check_idle(struct sim_world *world)
{
    unsigned serving = 0;
    bool has_room = false;
    bool has_spent = false;
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++) {
        enum cv_slot_state state = sim_state(world, i);
        has_spent |= is_spent(world, i);
        sim_expect(world, state == CV_SLOT_EMPTY || state == CV_SLOT_READY || state == CV_SLOT_LOST,
                   "idle: something is under way, but nothing is waited for");
        serving += state == CV_SLOT_READY && sim_kind(world, i) == CV_KIND_WORKER;
        has_room |= state == CV_SLOT_EMPTY && sim_kind(world, i) == CV_KIND_WORKER;
    }
    sim_expect(world, serving == world->wanted || !has_room, "idle: not as many as wanted serve");
    sim_expect(world, world->rolling == 0 || !has_room, "idle: the roll is not over");
    sim_expect(world, !has_spent || !has_room, "recycle: one that is spent serves on");
    sim_expect(world, sim_managed_is_complete(world), "idle: a managed process is missing");
}

static bool is_anybody_left(const struct sim_world *world)
{
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        if (sim_is_alive(world, i) || world->procs[i].is_ordered)
            return true;
    return false;
}

void sim_check_settled(struct sim_world *world)
{
    if (world->is_exited || world->error != NULL)
        return;
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        if (sim_is_alive(world, i))
            check_process(world, i);
    check_generations(world);
    sim_managed_check_settled(world);
    if (!world->is_stopping)
        check_crowd(world);
    int64_t deadline = cv_fleet_deadline(world->fleet);
    sim_expect(world, deadline > world->now, "no-busy-loop: a deadline in the past");
    if (deadline == CV_NEVER && !world->is_stopping && !is_any_ordered(world))
        check_idle(world);
    if (world->is_stopping)
        sim_expect(world, is_anybody_left(world), "stop-ends: nobody is left, but no EXIT");
}
