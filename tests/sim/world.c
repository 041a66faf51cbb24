/* The shell of the make-believe world, and the run of one schedule from its seed. */
#include "world.h"

#include "base/rand.h"
#include "supervise/policy/fleet_handover.h"

#include <stdlib.h>

/* More than any honest schedule needs. */
#define STEPS_MAX 6000

__extension__ typedef unsigned __int128 wide;

uint64_t sim_random(struct sim_world *world, uint64_t below)
{
    return (uint64_t)(((wide)cv_rand_next(&world->random) * below) >> 64);
}

bool sim_chance(struct sim_world *world, unsigned in_256)
{
    return in_256 > 0 && sim_random(world, 256) < in_256;
}

int64_t sim_span(struct sim_world *world, int64_t max)
{
    uint64_t random = cv_rand_next(&world->random);
    int64_t limit = max >> (random & 15);
    return (int64_t)(((wide)(random & ~UINT64_C(15)) * (uint64_t)(limit + 1)) >> 64);
}

/* ---- The shell ---- */

static void note_seen(struct sim_world *world, const struct cv_action *action)
{
    if (world->seen == NULL)
        return;
    if (action->kind == CV_ACT_SAY)
        world->seen->says[action->say]++;
    if (action->kind == CV_ACT_EXIT)
        world->seen->codes[action->code % SIM_CODES]++;
}

static void carry_out(struct sim_world *world, const struct cv_action *action)
{
    struct sim_proc *proc = &world->procs[action->slot];
    switch (action->kind) {
    case CV_ACT_SPAWN: sim_proc_order(world, action->slot, action->generation); break;
    case CV_ACT_GO: sim_proc_go(world, proc); break;
    case CV_ACT_DRAIN: sim_proc_drain(world, proc, action->until); break;
    case CV_ACT_TERM: sim_proc_term(world, proc); break;
    case CV_ACT_CONT: sim_proc_cont(world, proc); break;
    case CV_ACT_ABRT: sim_proc_abrt(world, proc); break;
    case CV_ACT_KILL: sim_proc_kill(world, proc); break;
    case CV_ACT_FOREWARN:
    case CV_ACT_DROP_GENERATION:
    case CV_ACT_SAY:
    case CV_ACT_EXIT: break;
    }
}

static void take_actions(struct sim_world *world)
{
    struct cv_action action;
    while (world->error == NULL && cv_fleet_next(world->fleet, &action)) {
        if (world->has_trace)
            sim_trace_action(world, &action);
        sim_check_action(world, &action);
        if (world->error != NULL)
            return;
        note_seen(world, &action);
        carry_out(world, &action);
        bool is_answered =
            action.kind == CV_ACT_SPAWN && world->procs[action.slot].at == world->now;
        if (is_answered)
            sim_proc_answer(world, action.slot);
    }
}

void sim_tell(struct sim_world *world, const struct cv_fleet_event *event)
{
    if (world->error != NULL)
        return;
    world->steps++;
    world->depth++;
    if (world->has_trace)
        sim_trace_event(world, event);
    sim_check_before(world, event);
    cv_fleet_event(world->fleet, event, world->now);
    sim_check_states(world, event);
    take_actions(world);
    if (--world->depth == 0)
        sim_check_settled(world);
}

void sim_tell_slot(struct sim_world *world, unsigned slot, enum cv_slot_event what)
{
    sim_tell(world, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT, .slot = slot, .what = what});
}

/* ---- Upgrades ---- */

/* Another program takes over between two events. */
static void upgrade(struct sim_world *world)
{
    struct cv_handover to;
    struct cv_span record;
    struct cv_fleet *next;
    cv_handover_begin(&to);
    cv_fleet_export(world->fleet, &to);
    if (cv_handover_end(&to, &record) < 0 || cv_handover_check(record) < 0 ||
        cv_fleet_import(&world->config, record, &next) < 0) {
        world->error = "upgrade: what is handed over cannot be read";
    } else {
        next->rules = world->fleet->rules;
        cv_fleet_free(world->fleet);
        world->fleet = next;
    }
    cv_handover_done(&to);
}

/* In every fourth schedule, after every fourth event. With dice of its own: the schedule stays what
 * it would have been. */
static void maybe_upgrade(struct sim_world *world)
{
    if (world->upgrades && world->error == NULL && cv_rand_next(&world->upgrade_dice) % 4 == 0)
        upgrade(world);
}

/* ---- A schedule ---- */

static void make_odds(struct sim_world *world)
{
    struct sim_odds *odds = &world->odds;
    unsigned kind = (unsigned)sim_random(world, 8);
    unsigned some = kind < 2 ? 2 : kind < 6 ? 20 : 80;
    odds->boot_fails = sim_chance(world, 128) ? some : (unsigned)sim_random(world, 256);
    odds->boot_hangs = (unsigned)sim_random(world, some);
    odds->serve_ends = (unsigned)sim_random(world, 2 * some);
    odds->pauses = (unsigned)sim_random(world, some);
    odds->fork_fails = sim_chance(world, 64) ? some : 0;
    odds->noise = sim_chance(world, 128) ? some : 0;
    odds->unkillable = sim_chance(world, 40) ? some : 0;
    odds->stubborn = (unsigned)sim_random(world, 2 * some);
    odds->slow_answer = sim_chance(world, 60) ? 2 * some : 0;
    odds->late = (unsigned)sim_random(world, some);
    odds->new_is_bad = sim_chance(world, 128) ? 3 * some : 0;
    odds->has_app_codes = sim_chance(world, 100);
    odds->boot_time_max = sim_chance(world, 40) ? 90 * CV_SECOND : 2 * CV_SECOND;
}

static void make_config(struct sim_world *world)
{
    struct cv_fleet_config *config = &world->config;
    cv_fleet_defaults(config);
    config->capacity = 2 + (unsigned)sim_random(world, SIM_CAPACITY_MAX - 1);
    config->managed_max = (unsigned)sim_random(world, SIM_MANAGED_MAX + 1);
    config->workers = 1 + (unsigned)sim_random(world, config->capacity - 1);
    config->starters_max = 1 + (unsigned)sim_random(world, 4);
    config->seed = cv_rand_next(&world->random);
    if (sim_chance(world, 64))
        config->start_timeout = 5 * CV_SECOND;
    if (sim_chance(world, 80))
        config->pre_drain = sim_span(world, 20 * CV_SECOND);
    if (sim_chance(world, 64))
        config->crash_window = 5 * CV_SECOND;
}

static void make_world(struct sim_world *world)
{
    make_config(world);
    make_odds(world);
    world->opened = 1;
    world->has_main[1] = sim_chance(world, 100);
    sim_managed_declare(world, 1);
    world->is_bad[1] = sim_chance(world, 30);
    world->end =
        sim_chance(world, 128)
            ? sim_span(world, 60 * CV_SECOND)
            : (int64_t)sim_random(world, sim_chance(world, 64) ? 300 * CV_SECOND : 40 * CV_SECOND);
    world->user_at = sim_span(world, world->end);
    world->wanted = world->config.workers;
    world->starts_allowed = world->wanted;
    world->serve_by = world->drain_by = world->kill_by = CV_NEVER;
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        world->procs[i].at = CV_NEVER;
}

/* Who acts next: a process by its slot, the user, or the clock. */
enum { USER = SIM_SLOTS_MAX, CLOCK };

static unsigned next_actor(struct sim_world *world)
{
    int64_t tick = cv_fleet_deadline(world->fleet);
    if (tick != CV_NEVER && sim_chance(world, world->odds.late))
        tick += sim_span(world, CV_SECOND);
    unsigned actor = tick < world->user_at ? CLOCK : USER;
    int64_t at = actor == CLOCK ? tick : world->user_at;
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++) {
        if (world->procs[i].at < at) {
            at = world->procs[i].at;
            actor = i;
        }
    }
    if (at == CV_NEVER)
        world->error = "stop-ends: nothing will ever happen again, but it is stopping";
    else if (at > world->now)
        world->now = at;
    return actor;
}

static void act(struct sim_world *world, unsigned actor)
{
    if (world->error != NULL)
        return;
    if (actor == USER)
        sim_user_act(world);
    else if (actor == CLOCK)
        sim_tell(world, &(struct cv_fleet_event){.kind = CV_FLEET_TICK});
    else
        sim_proc_act(world, actor);
}

static void run(struct sim_world *world)
{
    world->depth++;
    take_actions(world);
    world->depth--;
    while (world->error == NULL && !world->is_exited) {
        act(world, next_actor(world));
        while (!world->is_exited && sim_chance(world, world->odds.noise))
            sim_user_noise(world);
        maybe_upgrade(world);
        if (world->steps > STEPS_MAX)
            world->error = "stop-ends: the schedule does not end";
    }
    for (int i = 0; i < 3; i++) /* EXIT was the last: checked in sim_check_action */
        sim_tell(world, &(struct cv_fleet_event){.kind = CV_FLEET_ASK_STOP, .stop = CV_STOP_NOW});
}

const char *sim_run(uint64_t seed, const struct cv_rules *rules, bool has_trace,
                    struct sim_seen *seen)
{
    struct sim_world world = {.random = seed,
                              .upgrade_dice = seed,
                              .upgrades = seed % 4 == 0,
                              .has_trace = has_trace,
                              .seen = seen};
    (void)cv_rand_next(&world.random);
    make_world(&world);
    if (cv_fleet_new(&world.config, world.now, &world.fleet) < 0)
        return "out of memory";
    world.fleet->rules = rules;
    run(&world);
    cv_fleet_free(world.fleet);
    if (seen != NULL)
        seen->events += world.steps;
    return world.error;
}
