/* What comes from outside: reloads, scaling, stops, suspended time, hangs, and noise. */
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

void sim_user_act(struct sim_world *world)
{
    uint64_t wish = sim_random(world, 16);
    bool is_over = world->now >= world->end;
    if (is_over && !world->is_stopping)
        stop(world);
    else if (world->is_stopping && sim_chance(world, 40))
        hang_main(world);
    else if (wish < 7)
        reload(world);
    else if (wish < 11)
        scale(world);
    else if (wish < 13)
        gap(world);
    else if (wish < 14)
        hang_main(world);
    else if (is_over)
        stop(world);

    int64_t pause = sim_span(world, is_over ? 2 * CV_SECOND : 15 * CV_SECOND);
    world->user_at = world->now + 1 + pause;
    if (!is_over && world->user_at > world->end)
        world->user_at = world->end;
    if (is_over && sim_chance(world, 80))
        world->user_at = CV_NEVER; /* has said all that it wanted */
}

/* Messages that are late, come twice, or are made up by a hostile worker. Never an EXITED of a
 * process that lives: the kernel does not lie. */
void sim_user_noise(struct sim_world *world)
{
    static const enum cv_slot_event anything[] = {
        CV_ON_HELLO, CV_ON_READY,  CV_ON_LEAVING, CV_ON_DRAINED, CV_ON_RESUMED, CV_ON_EXTEND,
        CV_ON_HUNG,  CV_ON_PAUSED, CV_ON_EXITED,  CV_ON_EXTEND,  CV_ON_SPENT};
    unsigned slot = (unsigned)sim_random(world, cv_fleet_slots(&world->config));
    enum cv_slot_event what = anything[sim_random(world, CV_COUNT(anything))];
    const struct sim_proc *proc = &world->procs[slot];
    if (proc->is_ordered || (what == CV_ON_EXITED && proc->phase != SIM_NONE))
        return;
    bool is_signal = what == CV_ON_PAUSED || what == CV_ON_RESUMED;
    if (is_signal && proc->phase != SIM_NONE && proc->is_paused != (what == CV_ON_PAUSED))
        return; /* nor does it lie about these */
    sim_tell(world, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                             .slot = slot,
                                             .what = what,
                                             .has_main = world->has_main[proc->generation],
                                             .managed = &world->declared[proc->generation],
                                             .extra = sim_span(world, 200 * CV_SECOND)});
}
