/* What the checks know of the past: deadlines, failures, the stop, read from the events by rules
 * written down a second time, so that they do not share the policy's mistakes. */
#include "checks.h"

#include "base/exit.h"

#define PAUSE_WHILE_STOPPING (250 * CV_MS)

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- Failures ---- */

static bool have_all_failed_to_boot(const struct sim_world *world)
{
    for (unsigned i = 0; i < world->config.capacity; i++) {
        enum cv_slot_state state = world->before[i];
        bool is_wanted = (state >= CV_SLOT_WAITING && state <= CV_SLOT_READY) ||
                         state == CV_SLOT_DUMPING || state == CV_SLOT_KILLING; /* comes back */
        if (is_wanted && !world->fleet->slots[i].going && !world->slots[i].boot_failed)
            return false;
    }
    return true;
}

static void judge_start(struct sim_world *world, unsigned slot, const struct cv_fleet_exit *exit)
{
    bool has_started = world->ever_ready || world->procs[slot].ready_at != CV_NEVER;
    if (has_started || exit == NULL || exit->signaled)
        return;
    if (exit->code == CV_EXIT_LOAD || exit->code == CV_EXIT_CONFIG)
        world->start_code = exit->code;
    if (exit->code != CV_EXIT_BOOT || sim_kind(world, slot) == CV_KIND_MANAGED)
        return;
    world->slots[slot].boot_failed = true;
    if (sim_is_main(world, slot) || have_all_failed_to_boot(world))
        world->start_code = exit->code;
}

static void judge_rate(struct sim_world *world)
{
    unsigned limit = 5 * world->wanted > 10 ? 5 * world->wanted : 10;
    bool has_none = world->none_ready_since != CV_NEVER &&
                    world->now - world->none_ready_since >= world->config.crash_window;
    if (has_none && world->failures_since_ready > limit && world->start_code == 0)
        world->is_crash_loop = true;
}

static int64_t shortest_pause(const struct sim_world *world, unsigned failures)
{
    if (failures < 2)
        return 0;
    int64_t pause = world->config.backoff_first;
    for (unsigned i = 2; i < failures && pause < world->config.backoff_max; i++)
        pause *= 2;
    return earlier(pause, world->config.backoff_max) / 5 * 4;
}

void sim_memory_failed(struct sim_world *world, unsigned slot, const struct cv_fleet_exit *exit)
{
    const struct sim_proc *proc = &world->procs[slot];
    struct sim_slot *memory = &world->slots[slot];
    bool was_healthy =
        proc->ready_at != CV_NEVER && world->now - proc->ready_at >= world->config.healthy_after;
    memory->failures = was_healthy ? 1 : memory->failures + 1;
    memory->not_before = world->now + shortest_pause(world, memory->failures);
    world->starts_allowed++;
    judge_start(world, slot, exit);
    if (sim_kind(world, slot) == CV_KIND_MANAGED)
        return; /* nobody else is the worse for it */
    world->failures_since_ready++;
    judge_rate(world);
    world->must_roll_back |= world->roll_before == CV_ROLL_FORWARD &&
                             proc->generation == world->rolling && proc->ready_at == CV_NEVER;
}

/* ---- The stop ---- */

static int64_t drain_time(const struct cv_fleet_config *config, enum cv_fleet_stop kind)
{
    return kind == CV_STOP_TERM  ? config->drain_timeout
           : kind == CV_STOP_INT ? config->int_timeout / 3 * 2
                                 : 0;
}

static int64_t whole_time(const struct cv_fleet_config *config, enum cv_fleet_stop kind)
{
    return kind == CV_STOP_TERM   ? config->drain_timeout + config->stop_timeout
           : kind == CV_STOP_INT  ? config->int_timeout
           : kind == CV_STOP_QUIT ? config->quit_timeout
                                  : 0;
}

void sim_memory_stopped(struct sim_world *world, enum cv_fleet_stop kind, int64_t serve)
{
    world->is_stopping = true;
    world->stop = kind;
    world->stop_asked_at = world->now;
    world->stop_step = world->steps;
    int64_t from = world->now + serve;
    world->serve_by = earlier(world->serve_by, from);
    world->drain_by = earlier(world->drain_by, from + drain_time(&world->config, kind));
    world->kill_by = earlier(world->kill_by, from + whole_time(&world->config, kind));
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++)
        if (sim_is_dumping(&world->procs[i]))
            world->procs[i].dump_by = world->now; /* nobody wants to hear it any more */
}

static bool does_any_serve(const struct sim_world *world)
{
    for (unsigned i = 0; i < world->config.capacity; i++)
        if (world->before[i] == CV_SLOT_READY)
            return true;
    return false;
}

static void note_stop(struct sim_world *world, enum cv_fleet_stop kind)
{
    bool is_second_int = world->is_stopping && kind == CV_STOP_INT && world->stop == CV_STOP_INT &&
                         world->now - world->stop_asked_at >= world->config.same_signal;
    if (is_second_int)
        kind = CV_STOP_QUIT;
    bool may_serve = !world->is_stopping && kind == CV_STOP_TERM && does_any_serve(world);
    if (!world->is_stopping || kind > world->stop)
        sim_memory_stopped(world, kind, may_serve ? world->config.pre_drain : 0);
}

/* ---- Slots ---- */

static void note_exit(struct sim_world *world, unsigned slot, const struct cv_fleet_exit *exit)
{
    enum cv_slot_state state = world->before[slot];
    const struct sim_proc *proc = &world->procs[slot];
    bool had_process = state >= CV_SLOT_SPAWNING && state <= CV_SLOT_KILLING;
    bool was_asked = proc->asked_at != CV_NEVER || world->is_stopping ||
                     (state >= CV_SLOT_DUMPING && world->fleet->slots[slot].going);
    if (state == CV_SLOT_LOST || (had_process && was_asked))
        world->slots[slot] = (struct sim_slot){0};
    else if (had_process && !sim_managed_ends(world, slot, exit))
        sim_memory_failed(world, slot, exit);
}

/* Told twice, it is no second failure. */
static void note_spawn_failed(struct sim_world *world, unsigned slot,
                              const struct cv_fleet_event *event)
{
    if (!world->procs[slot].is_refused)
        return;
    world->procs[slot].is_refused = false;
    if (world->fleet->slots[slot].going)
        world->slots[slot] = (struct sim_slot){0};
    else if (!world->is_stopping)
        sim_memory_failed(world, slot, event->has_exit ? &event->exit : NULL);
}

static void note_hello(struct sim_world *world, unsigned slot, const struct cv_fleet_event *event)
{
    struct sim_proc *proc = &world->procs[slot];
    proc->said_hello = true;
    if (sim_kind(world, slot) != CV_KIND_WORKER)
        return;
    sim_managed_hello(world, slot);
    if (event->has_main)
        world->starts_allowed += world->fleet->slots[world->config.capacity].state == CV_SLOT_EMPTY;
}

static void note_extend(struct sim_world *world, struct sim_proc *proc, int64_t extra)
{
    int64_t longest = world->config.start_timeout_max;
    int64_t until = earlier(world->now + earlier(extra, longest), proc->spawned_at + longest);
    if (until > proc->start_by)
        proc->start_by = until;
}

static void note_pause(struct sim_world *world, struct sim_proc *proc)
{
    if (proc->paused_at != CV_NEVER)
        return;
    proc->paused_at = world->now;
    proc->pause_by =
        world->now + (world->is_stopping ? PAUSE_WHILE_STOPPING : world->config.pause_timeout);
}

static void note_slot(struct sim_world *world, const struct cv_fleet_event *event)
{
    unsigned slot = event->slot;
    struct sim_proc *proc = &world->procs[slot];
    enum cv_slot_state state = world->before[slot];
    bool is_starting = state >= CV_SLOT_SPAWNING && state <= CV_SLOT_STARTING;
    switch (event->what) {
    case CV_ON_SPAWN_FAILED: note_spawn_failed(world, slot, event); break;
    case CV_ON_HELLO:
        if (state == CV_SLOT_SPAWNING)
            note_hello(world, slot, event);
        break;
    case CV_ON_READY:
        if (state == CV_SLOT_STARTING) {
            proc->ready_at = world->now;
            world->ever_ready |= sim_kind(world, slot) != CV_KIND_MANAGED;
            world->main_ever_ready |= sim_is_main(world, slot);
        }
        break;
    case CV_ON_LEAVING:
        if (state == CV_SLOT_READY) {
            proc->asked_at = world->now;
            world->starts_allowed++;
        }
        break;
    case CV_ON_DRAINED:
        if (state == CV_SLOT_DRAINING)
            proc->end_by = earlier(proc->end_by, world->now + world->config.stop_timeout);
        break;
    case CV_ON_EXITED: note_exit(world, slot, &event->exit); break;
    case CV_ON_PAUSED:
        if (state >= CV_SLOT_SPAWNING && state <= CV_SLOT_STOPPING)
            note_pause(world, proc);
        break;
    case CV_ON_RESUMED: proc->paused_at = proc->pause_by = CV_NEVER; break;
    case CV_ON_HUNG:
        if (state == CV_SLOT_READY && proc->paused_at == CV_NEVER)
            proc->hung_at = world->now;
        break;
    case CV_ON_EXTEND:
        if (is_starting)
            note_extend(world, proc, event->extra);
        break;
    case CV_ON_SPENT:
        if (state == CV_SLOT_READY && !proc->is_spent && sim_kind(world, slot) == CV_KIND_WORKER) {
            proc->is_spent = true;
            world->starts_allowed++;
        }
        break;
    case CV_ON_RETIRE:
        proc->is_restarted = is_starting;
        world->starts_allowed += is_starting;
        break;
    case CV_ON_SPAWNED:
    case CV_ON_GO:
    case CV_ON_DEADLINE:
    case CV_ON_STOP:
    case CV_SLOT_EVENT_COUNT: break;
    }
}

/* ---- The fleet ---- */

static void note_gap(struct sim_world *world, int64_t gap)
{
    for (unsigned i = 0; i < cv_fleet_slots(&world->config); i++) {
        struct sim_proc *proc = &world->procs[i];
        if (sim_is_starting(proc)) {
            proc->start_by += gap;
            proc->spawned_at += gap;
        }
        if (proc->pause_by != CV_NEVER && !world->is_stopping)
            proc->pause_by += gap;
        if (sim_is_dumping(proc) && !world->is_stopping)
            proc->dump_by += gap;
        if (proc->killed_at != CV_NEVER)
            proc->killed_at += gap;
    }
}

/* With fewer wanted, a slot in its back-off may be given up and, in a roll, be taken anew. */
static void note_scale(struct sim_world *world, int by)
{
    int wanted = (int)world->wanted + by;
    if (world->is_stopping || wanted < 1 || wanted >= (int)world->config.capacity)
        return;
    world->wanted = (unsigned)wanted;
    world->starts_allowed += by > 0 ? by : 1;
    for (unsigned i = 0; by < 0 && i < world->config.capacity; i++)
        if (world->before[i] == CV_SLOT_WAITING)
            world->slots[i] = (struct sim_slot){.boot_failed = world->slots[i].boot_failed};
}

/* A roll may start each worker anew, once forward and once back, and main. */
static void note_reload(struct sim_world *world, uint32_t generation)
{
    if (!cv_fleet_can_reload(world->fleet))
        return;
    world->rolling = generation;
    world->has_roll_failed = false;
    world->starts_allowed += 2 * (world->config.capacity + 2);
}

void sim_memory_note(struct sim_world *world, const struct cv_fleet_event *event)
{
    switch (event->kind) {
    case CV_FLEET_TICK: break;
    case CV_FLEET_SLOT: note_slot(world, event); break;
    case CV_FLEET_RELOAD: note_reload(world, event->generation); break;
    case CV_FLEET_SCALE: note_scale(world, event->by); break;
    case CV_FLEET_ASK_STOP: note_stop(world, event->stop); break;
    case CV_FLEET_GAP: note_gap(world, event->gap); break;
    }
}
