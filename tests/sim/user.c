/* What comes from outside: reloads, scaling, restarts, stops, suspended time, hangs, and noise. */
#include "world.h"

static void reload(struct sim_world *world)
{
    if (world->opened + 1 >= SIM_GENERATIONS_MAX)
        return;
    if (!cv_fleet_can_reload(world->fleet) && !sim_chance(world, 20))
        return;
    uint32_t generation = ++world->opened;
    world->has_main[generation] = world->has_main[generation - 1] ^ sim_chance(world, 50);
    sim_managed_declare(world, generation);
    world->is_bad[generation] = sim_chance(world, world->odds.new_is_bad);
    sim_tell(world, &(struct cv_fleet_event){.kind = CV_FLEET_RELOAD, .generation = generation});
}

/* This process did not run for a while; the others did, or did not either. */
static void gap(struct sim_world *world)
{
    int64_t gap = 1 + sim_span(world, 100 * CV_SECOND);
    bool is_everything = sim_chance(world, 128);
    world->now += gap;
    for (unsigned i = 0; is_everything && i < cv_fleet_slots(&world->config); i++)
        if (world->procs[i].at != CV_NEVER)
            world->procs[i].at += gap;
    sim_tell(world, &(struct cv_fleet_event){.kind = CV_FLEET_GAP, .gap = gap});
}

static void scale(struct sim_world *world)
{
    int by = (int)sim_random(world, 7) - 3;
    sim_tell(world, &(struct cv_fleet_event){.kind = CV_FLEET_SCALE, .by = by});
}

static void stop(struct sim_world *world)
{
    static const enum cv_fleet_stop kinds[] = {CV_STOP_TERM, CV_STOP_TERM, CV_STOP_TERM,
                                               CV_STOP_INT,  CV_STOP_INT,  CV_STOP_INT,
                                               CV_STOP_QUIT, CV_STOP_NOW};
    sim_tell(world, &(struct cv_fleet_event){.kind = CV_FLEET_ASK_STOP,
                                             .stop = kinds[sim_random(world, 8)]});
}

/* Main's listeners hang: at any time, also while it waits for its turn to stop. */
static void hang_main(struct sim_world *world)
{
    unsigned slot = world->config.capacity;
    if (world->procs[slot].phase == SIM_SERVE)
        sim_tell_slot(world, slot, CV_ON_HUNG);
}

/* `covey restart WORKER`, with the event that the shell (desk.c) takes for each state. */
static void restart(struct sim_world *world)
{
    unsigned slot = (unsigned)sim_random(world, cv_fleet_slots(&world->config));
    enum cv_slot_state state = cv_fleet_slot_state(world->fleet, slot);
    bool is_starting = state >= CV_SLOT_SPAWNING && state <= CV_SLOT_STARTING;
    if (world->is_stopping || (!is_starting && state != CV_SLOT_READY))
        return;
    bool is_worker = slot < world->config.capacity;
    sim_tell_slot(world, slot,
                  is_starting ? CV_ON_RETIRE
                  : is_worker ? CV_ON_SPENT
                              : CV_ON_LEAVING);
}

static void rest(struct sim_world *world)
{
    (void)world;
}

/* ---- What is wished ---- */

/* How often in WISHES. A new kind of wish (an upgrade in place, say) is one more line. */
static const struct wish {
    unsigned weight;
    void (*act)(struct sim_world *world);
} wishes[] = {{7, reload}, {4, scale}, {2, gap}, {1, hang_main}, {1, restart}, {2, rest}};

#define WISHES 17 /* the sum of the weights */

static void wish_something(struct sim_world *world)
{
    unsigned which = (unsigned)sim_random(world, WISHES);
    const struct wish *wish = wishes;
    for (; which >= wish->weight; wish++)
        which -= wish->weight;
    wish->act(world);
}

void sim_user_act(struct sim_world *world)
{
    bool is_over = world->now >= world->end;
    if (is_over && (!world->is_stopping || sim_chance(world, 32)))
        stop(world);
    else if (world->is_stopping && sim_chance(world, 40))
        hang_main(world);
    else
        wish_something(world);

    int64_t pause = sim_span(world, is_over ? 2 * CV_SECOND : 15 * CV_SECOND);
    world->user_at = world->now + 1 + pause;
    if (!is_over && world->user_at > world->end)
        world->user_at = world->end;
    if (is_over && sim_chance(world, 80))
        world->user_at = CV_NEVER; /* has said all that it wanted */
}

/* Messages that are late, come twice, or are made up by a hostile worker; answers to a SPAWN that
 * come twice. Never an EXITED of a process that lives: the kernel does not lie. */
void sim_user_noise(struct sim_world *world)
{
    static const enum cv_slot_event anything[] = {
        CV_ON_HELLO,   CV_ON_READY,        CV_ON_LEAVING, CV_ON_DRAINED, CV_ON_RESUMED,
        CV_ON_EXTEND,  CV_ON_HUNG,         CV_ON_PAUSED,  CV_ON_EXITED,  CV_ON_EXTEND,
        CV_ON_SPAWNED, CV_ON_SPAWN_FAILED, CV_ON_SPENT};
    unsigned slot = (unsigned)sim_random(world, cv_fleet_slots(&world->config));
    enum cv_slot_event what = anything[sim_random(world, CV_COUNT(anything))];
    const struct sim_proc *proc = &world->procs[slot];
    if (proc->is_ordered || (what == CV_ON_EXITED && proc->phase != SIM_NONE))
        return;
    bool is_signal = what == CV_ON_PAUSED || what == CV_ON_RESUMED;
    bool may_be_late = proc->killed_at != CV_NEVER; /* it stopped before our KILL reached it */
    if (is_signal && proc->phase != SIM_NONE && !may_be_late &&
        proc->is_paused != (what == CV_ON_PAUSED))
        return; /* nor does it lie about these */
    sim_tell(world, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                             .slot = slot,
                                             .what = what,
                                             .has_main = world->has_main[proc->generation],
                                             .managed = &world->declared[proc->generation],
                                             .extra = sim_span(world, 200 * CV_SECOND)});
}
