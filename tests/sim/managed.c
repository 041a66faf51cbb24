/* The managed processes of the make-believe world: what is declared, and what must become of it, by
 * rules written down a second time. */
#include "checks.h"

void sim_managed_declare(struct sim_world *world, uint32_t generation)
{
    struct cv_managed_list *list = &world->declared[generation];
    unsigned left = world->config.managed_max;
    *list = (struct cv_managed_list){0};
    for (char name = 'a'; name < 'a' + SIM_NAMES; name++) {
        unsigned processes = (unsigned)sim_random(world, 3);
        if (processes == 0 || processes > left)
            continue;
        left -= processes;
        list->item[list->n++] = (struct cv_managed_spec){
            .name = {name},
            .processes = processes,
            .restart = (enum cv_restart)sim_random(world, CV_RESTART_COUNT),
            .is_transient = sim_chance(world, 128)};
    }
}

/* What the generation in force says about it; NULL: it is not to be. */
static const struct cv_managed_spec *find(const struct sim_world *world, char name, unsigned index)
{
    const struct cv_managed_list *list = &world->declared[world->force];
    for (unsigned i = 0; i < list->n; i++)
        if (list->item[i].name[0] == name && index < list->item[i].processes)
            return &list->item[i];
    return NULL;
}

/* ---- Memory ---- */

static void put_in_force(struct sim_world *world, uint32_t generation)
{
    world->force = generation;
    const struct cv_managed_list *list = &world->declared[generation];
    for (unsigned i = 0; i < list->n; i++)
        world->starts_allowed += list->item[i].processes;
    for (unsigned i = world->config.capacity + 1; i < cv_fleet_slots(&world->config); i++)
        if (find(world, world->procs[i].name, world->procs[i].index) == NULL)
            world->slots[i] = (struct sim_slot){0}; /* its place is given to another */
    for (unsigned name = 0; name < SIM_NAMES; name++) {
        for (unsigned index = 0; index < SIM_MANAGED_MAX; index++) {
            const struct cv_managed_spec *spec = find(world, (char)('a' + name), index);
            if (spec == NULL || spec->is_transient)
                world->is_done[name][index] = false;
        }
    }
}

void sim_managed_hello(struct sim_world *world, unsigned slot)
{
    if (world->force == 0)
        put_in_force(world, world->procs[slot].generation);
}

/* The workers of the reload are through: nothing but the new ones is left. */
void sim_managed_note_roll(struct sim_world *world)
{
    enum cv_roll roll = world->fleet->roll;
    bool goes_on = world->rolling != 0 && cv_fleet_generation(world->fleet) == world->rolling;
    if (world->is_stopping || !goes_on || world->force == world->rolling || roll == CV_ROLL_FORWARD)
        return;
    for (unsigned i = 0; i < world->config.capacity; i++) {
        bool is_there = sim_is_alive(world, i) || world->procs[i].is_ordered;
        if (is_there && world->procs[i].generation != world->rolling)
            return;
    }
    put_in_force(world, world->rolling);
}

/* It ended unasked; true if for good. */
bool sim_managed_ends(struct sim_world *world, unsigned slot, const struct cv_fleet_exit *exit)
{
    const struct sim_proc *proc = &world->procs[slot];
    if (sim_kind(world, slot) != CV_KIND_MANAGED || proc->ready_at == CV_NEVER)
        return false;
    const struct cv_managed_spec *spec = find(world, proc->name, proc->index);
    bool is_success = !exit->signaled && exit->code == 0;
    bool is_done = spec != NULL && (spec->restart == CV_RESTART_NEVER ||
                                    (spec->restart == CV_RESTART_ON_FAILURE && is_success));
    if (is_done)
        world->is_done[proc->name - 'a'][proc->index] = true;
    return is_done;
}

bool sim_managed_must_go(const struct sim_world *world, unsigned slot)
{
    const struct sim_proc *proc = &world->procs[slot];
    const struct cv_managed_spec *spec = find(world, proc->name, proc->index);
    return spec == NULL || (spec->is_transient && proc->generation != world->force);
}

/* ---- Checks ---- */

void sim_managed_check_spawn(struct sim_world *world, const struct cv_action *action)
{
    unsigned index = 0;
    const char *text = cv_fleet_managed_name(world->fleet, action->slot, &index);
    char name = text != NULL ? text[0] : '?';
    sim_expect(world, find(world, name, index) != NULL, "managed: a start of what is not declared");
    sim_expect(world, action->generation == world->force,
               "managed: a start of another generation than the one in force");
    if (world->error != NULL)
        return;
    sim_expect(world, !world->is_done[name - 'a'][index], "managed: a start of what is done");
    for (unsigned i = world->config.capacity + 1; i < cv_fleet_slots(&world->config); i++) {
        const struct sim_proc *proc = &world->procs[i];
        bool is_there = sim_is_alive(world, i) || proc->is_ordered;
        sim_expect(world, !is_there || proc->name != name || proc->index != index,
                   "managed: two in one place");
    }
}

void sim_managed_check_asked(struct sim_world *world, unsigned slot)
{
    bool has_reason = sim_kind(world, slot) != CV_KIND_MANAGED || world->is_stopping ||
                      world->procs[slot].asked_at != CV_NEVER || world->procs[slot].is_restarted ||
                      sim_managed_must_go(world, slot);
    sim_expect(world, has_reason, "managed: one that may stay is asked to go");
}

void sim_managed_check_settled(struct sim_world *world)
{
    for (unsigned i = world->config.capacity + 1; i < cv_fleet_slots(&world->config); i++) {
        const struct sim_proc *proc = &world->procs[i];
        bool is_going =
            proc->asked_at != CV_NEVER || proc->dump_by != CV_NEVER || proc->killed_at != CV_NEVER;
        sim_expect(world,
                   world->is_stopping || !sim_is_alive(world, i) || is_going ||
                       !sim_managed_must_go(world, i),
                   "managed: one that must go was not asked to");
    }
}

static bool is_there(const struct sim_world *world, char name, unsigned index)
{
    for (unsigned i = world->config.capacity + 1; i < cv_fleet_slots(&world->config); i++)
        if (sim_is_alive(world, i) && world->procs[i].name == name &&
            world->procs[i].index == index)
            return true;
    return false;
}

static bool has_room(const struct sim_world *world)
{
    for (unsigned i = world->config.capacity + 1; i < cv_fleet_slots(&world->config); i++) {
        unsigned index;
        if (sim_state(world, i) == CV_SLOT_EMPTY &&
            cv_fleet_managed_name(world->fleet, i, &index) == NULL)
            return true;
    }
    return false;
}

/* Nothing is waited for: all that are declared run or are done, unless they wait for a main that
 * could not be killed, or have no slot for the same reason. */
bool sim_managed_is_complete(const struct sim_world *world)
{
    const struct cv_managed_list *list = &world->declared[world->force];
    enum cv_slot_state main = sim_state(world, world->config.capacity);
    if (world->force == 0 || main == CV_SLOT_LOST)
        return true;
    for (unsigned i = 0; i < list->n; i++) {
        char name = list->item[i].name[0];
        for (unsigned index = 0; index < list->item[i].processes; index++)
            if (!world->is_done[name - 'a'][index] && !is_there(world, name, index) &&
                has_room(world))
                return false;
    }
    return true;
}
