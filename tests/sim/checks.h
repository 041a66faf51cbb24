/* What the two halves of the checks share: checks.c looks at actions and states, memory.c keeps
 * what has happened, by its own reading of the events. */
#ifndef SIM_CHECKS_H
#define SIM_CHECKS_H

#include "world.h"

/* Remembers the first broken invariant: "name: what is wrong". */
static inline void sim_expect(struct sim_world *world, bool is_so, const char *otherwise)
{
    if (!is_so && world->error == NULL)
        world->error = otherwise;
}

static inline bool sim_is_main(const struct sim_world *world, unsigned slot)
{
    return slot == world->config.capacity;
}

static inline enum cv_kind sim_kind(const struct sim_world *world, unsigned slot)
{
    return cv_fleet_kind(&world->config, slot);
}

static inline enum cv_slot_state sim_state(const struct sim_world *world, unsigned slot)
{
    return cv_fleet_slot_state(world->fleet, slot);
}

/* It lives, and has not been given up. */
static inline bool sim_is_alive(const struct sim_world *world, unsigned slot)
{
    return world->procs[slot].phase != SIM_NONE && sim_state(world, slot) != CV_SLOT_LOST;
}

/* ABRT has been sent, KILL not yet. */
static inline bool sim_is_dumping(const struct sim_proc *proc)
{
    return proc->dump_by != CV_NEVER && proc->killed_at == CV_NEVER;
}

/* It lives and is neither ready nor on its way out. */
static inline bool sim_is_starting(const struct sim_proc *proc)
{
    return proc->phase != SIM_NONE && proc->ready_at == CV_NEVER && proc->asked_at == CV_NEVER &&
           proc->dump_by == CV_NEVER && proc->killed_at == CV_NEVER;
}

/* A process of the slot ended or could not be made, and nobody had asked for it. `exit` is NULL
 * where there is none. */
void sim_memory_failed(struct sim_world *world, unsigned slot, const struct cv_fleet_exit *exit);

/* It stops: the user has asked, or the policy must. Workers serve on for `serve` before they drain.
 */
void sim_memory_stopped(struct sim_world *world, enum cv_fleet_stop kind, int64_t serve);

void sim_memory_note(struct sim_world *world, const struct cv_fleet_event *event);

#endif
