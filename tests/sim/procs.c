/* The processes of the make-believe world. */
#include "world.h"

#include "base/exit.h"

#include <signal.h>

static void plan(struct sim_world *world, struct sim_proc *proc, enum sim_deed deed, int64_t in)
{
    proc->deed = deed;
    proc->at = deed == SIM_REST ? CV_NEVER : world->now + in;
}

static void plan_exit(struct sim_world *world, struct sim_proc *proc, bool signaled, int code,
                      int64_t in)
{
    proc->exit = (struct cv_fleet_exit){.signaled = signaled, .code = code};
    plan(world, proc, SIM_EXIT, in);
}

/* ---- Starting ---- */

static void plan_failure(struct sim_world *world, struct sim_proc *proc, int64_t in)
{
    static const int codes[] = {CV_EXIT_BOOT, CV_EXIT_BOOT, CV_EXIT_LOAD, CV_EXIT_CONFIG};
    static const int signals[] = {SIGSEGV, SIGKILL, SIGTERM, SIGABRT};
    unsigned which = (unsigned)sim_random(world, 4);
    if (world->odds.has_app_codes)
        plan_exit(world, proc, false, codes[which], in);
    else if (sim_chance(world, 40))
        plan_exit(world, proc, false, (int)sim_random(world, 2), in);
    else
        plan_exit(world, proc, true, signals[which], in);
}

static void plan_start(struct sim_world *world, struct sim_proc *proc, enum sim_deed deed)
{
    int64_t in = sim_span(world, world->odds.boot_time_max);
    bool is_bad = world->is_bad[proc->generation] && sim_chance(world, 200);
    if (is_bad || sim_chance(world, world->odds.boot_fails))
        plan_failure(world, proc, in);
    else if (sim_chance(world, world->odds.boot_hangs))
        plan(world, proc, SIM_REST, 0);
    else if (sim_chance(world, world->odds.pauses))
        plan(world, proc, SIM_PAUSE, in);
    else
        plan(world, proc, deed, in);
}

void sim_proc_order(struct sim_world *world, unsigned slot, uint32_t generation)
{
    struct sim_proc *proc = &world->procs[slot];
    *proc = (struct sim_proc){.generation = generation, .is_ordered = true, .at = world->now};
    if (cv_fleet_kind(&world->config, slot) == CV_KIND_MANAGED)
        proc->name = cv_fleet_managed_name(world->fleet, slot, &proc->index)[0];
    if (sim_chance(world, world->odds.slow_answer))
        proc->at += 1 + sim_span(world, 3 * CV_SECOND);
}

void sim_proc_answer(struct sim_world *world, unsigned slot)
{
    struct sim_proc *proc = &world->procs[slot];
    *proc = (struct sim_proc){
        .generation = proc->generation, .name = proc->name, .index = proc->index, .at = CV_NEVER};
    proc->ready_at = proc->asked_at = proc->end_by = CV_NEVER;
    proc->paused_at = proc->pause_by = proc->hung_at = proc->dump_by = CV_NEVER;
    proc->killed_at = proc->until = CV_NEVER;
    if (sim_chance(world, world->odds.fork_fails)) {
        proc->is_refused = true;
        plan_failure(world, proc, 0); /* or ended what was to make it */
        const struct cv_fleet_event event = {.kind = CV_FLEET_SLOT,
                                             .slot = slot,
                                             .what = CV_ON_SPAWN_FAILED,
                                             .exit = proc->exit,
                                             .has_exit = sim_chance(world, 128)};
        plan(world, proc, SIM_REST, 0);
        sim_tell(world, &event);
        return;
    }
    proc->phase = SIM_BOOT;
    proc->ignores_term = sim_chance(world, world->odds.stubborn);
    proc->ignores_drain = sim_chance(world, world->odds.stubborn);
    proc->resists_cont = sim_chance(world, world->odds.stubborn);
    proc->is_unkillable = sim_chance(world, world->odds.unkillable);
    proc->spawned_at = world->now;
    proc->start_by = world->now + world->config.start_timeout;
    plan_start(world, proc, SIM_HELLO);
    sim_tell_slot(world, slot, CV_ON_SPAWNED);
}

void sim_proc_go(struct sim_world *world, struct sim_proc *proc)
{
    if (proc->phase != SIM_HELD)
        return;
    proc->phase = SIM_INIT;
    if (proc->is_paused)
        proc->kept_deed = SIM_READY;
    else
        plan_start(world, proc, SIM_READY);
}

/* ---- Signals and messages to it ---- */

void sim_proc_drain(struct sim_world *world, struct sim_proc *proc, int64_t until)
{
    if (proc->phase != SIM_SERVE && proc->phase != SIM_DRAIN)
        return;
    proc->phase = SIM_DRAIN;
    int64_t longest = until > world->now ? until - world->now : 0;
    int64_t in = sim_span(world, longest + CV_SECOND);
    if (proc->is_paused) {
        proc->kept_deed = SIM_DRAINED;
        proc->kept_rest = in;
    } else if (proc->ignores_drain) {
        plan(world, proc, SIM_REST, 0);
    } else if (sim_chance(world, world->odds.serve_ends)) {
        plan_failure(world, proc, in);
    } else if (sim_chance(world, world->odds.pauses)) {
        plan(world, proc, SIM_PAUSE, in);
    } else {
        plan(world, proc, SIM_DRAINED, in);
    }
}

void sim_proc_term(struct sim_world *world, struct sim_proc *proc)
{
    sim_proc_cont(world, proc);
    if (proc->phase <= SIM_INIT && !proc->ignores_term)
        plan_exit(world, proc, true, SIGTERM, sim_span(world, 50 * CV_MS));
}

void sim_proc_cont(struct sim_world *world, struct sim_proc *proc)
{
    if (proc->is_paused && !proc->resists_cont)
        plan(world, proc, SIM_RESUME, sim_span(world, CV_MS));
}

/* It says where it is and dies of it, in time or not; or goes on as if nothing had been. */
void sim_proc_abrt(struct sim_world *world, struct sim_proc *proc)
{
    if (!proc->is_unkillable && !sim_chance(world, world->odds.stubborn))
        plan_exit(world, proc, true, SIGABRT, sim_span(world, 2 * world->config.dump_timeout));
}

void sim_proc_kill(struct sim_world *world, struct sim_proc *proc)
{
    proc->is_paused = false;
    if (!proc->is_unkillable)
        plan_exit(world, proc, true, SIGKILL, sim_span(world, 100 * CV_MS));
    else if (sim_chance(world, 128))
        plan_exit(world, proc, true, SIGKILL, sim_span(world, 2 * world->config.kill_wait));
    else
        plan(world, proc, SIM_REST, 0);
}

/* ---- What it does by itself ---- */

static void plan_service(struct sim_world *world, struct sim_proc *proc)
{
    static const enum sim_deed deeds[] = {SIM_LEAVE, SIM_HANG, SIM_SPENT, SIM_SPENT};
    int64_t in = sim_span(world, 40 * CV_SECOND);
    if (sim_chance(world, world->odds.pauses))
        plan(world, proc, SIM_PAUSE, in);
    else if (!sim_chance(world, world->odds.serve_ends))
        plan(world, proc, SIM_REST, 0);
    else if (sim_chance(world, 128))
        plan_failure(world, proc, in);
    else
        plan(world, proc, deeds[sim_random(world, CV_COUNT(deeds))], in);
}

static void pause_it(struct sim_world *world, struct sim_proc *proc, unsigned slot)
{
    proc->is_paused = true;
    switch (proc->phase) {
    case SIM_BOOT: proc->kept_deed = SIM_HELLO; break;
    case SIM_INIT: proc->kept_deed = SIM_READY; break;
    case SIM_NONE:
    case SIM_HELD:
    case SIM_SERVE: proc->kept_deed = SIM_REST; break;
    case SIM_DRAIN: proc->kept_deed = SIM_DRAINED; break;
    case SIM_STOP: proc->kept_deed = SIM_EXIT; break;
    }
    proc->kept_rest = sim_span(world, 5 * CV_SECOND);
    if (sim_chance(world, 128))
        plan(world, proc, SIM_RESUME, sim_span(world, 2 * world->config.pause_timeout));
    else
        plan(world, proc, SIM_REST, 0);
    sim_tell_slot(world, slot, CV_ON_PAUSED);
}

static void resume_it(struct sim_world *world, struct sim_proc *proc, unsigned slot)
{
    proc->is_paused = false;
    if (proc->kept_deed == SIM_EXIT)
        plan_exit(world, proc, false, CV_EXIT_OK, proc->kept_rest);
    else
        plan(world, proc, proc->kept_deed, proc->kept_rest);
    sim_tell_slot(world, slot, CV_ON_RESUMED);
}

static void drained(struct sim_world *world, struct sim_proc *proc, unsigned slot)
{
    proc->phase = SIM_STOP;
    if (sim_chance(world, world->odds.stubborn))
        plan(world, proc, SIM_REST, 0);
    else if (sim_chance(world, world->odds.pauses))
        plan(world, proc, SIM_PAUSE, sim_span(world, CV_SECOND));
    else
        plan_exit(world, proc, false, CV_EXIT_OK, sim_span(world, world->config.stop_timeout));
    sim_tell_slot(world, slot, CV_ON_DRAINED);
}

static void end(struct sim_world *world, struct sim_proc *proc, unsigned slot)
{
    proc->phase = SIM_NONE;
    proc->deed = SIM_REST;
    proc->at = CV_NEVER;
    sim_tell(world,
             &(struct cv_fleet_event){
                 .kind = CV_FLEET_SLOT, .slot = slot, .what = CV_ON_EXITED, .exit = proc->exit});
}

static void say_hello(struct sim_world *world, struct sim_proc *proc, unsigned slot)
{
    proc->phase = SIM_HELD;
    plan(world, proc, SIM_REST, 0);
    if (sim_chance(world, world->odds.pauses))
        plan(world, proc, SIM_PAUSE, sim_span(world, CV_SECOND));
    sim_tell(world, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                             .slot = slot,
                                             .what = CV_ON_HELLO,
                                             .has_main = world->has_main[proc->generation],
                                             .managed = &world->declared[proc->generation]});
}

static void leave(struct sim_world *world, struct sim_proc *proc, unsigned slot)
{
    proc->phase = SIM_DRAIN;
    plan(world, proc, SIM_DRAINED, sim_span(world, world->config.drain_timeout));
    sim_tell_slot(world, slot, CV_ON_LEAVING);
}

static void serve(struct sim_world *world, struct sim_proc *proc, unsigned slot)
{
    proc->phase = SIM_SERVE;
    plan_service(world, proc);
    sim_tell_slot(world, slot, CV_ON_READY);
}

static void hang(struct sim_world *world, struct sim_proc *proc, unsigned slot)
{
    plan(world, proc, SIM_REST, 0);
    sim_tell_slot(world, slot, CV_ON_HUNG);
}

/* It serves on, whatever comes. */
static void be_spent(struct sim_world *world, struct sim_proc *proc, unsigned slot)
{
    plan_service(world, proc);
    sim_tell_slot(world, slot, CV_ON_SPENT);
}

void sim_proc_act(struct sim_world *world, unsigned slot)
{
    struct sim_proc *proc = &world->procs[slot];
    if (proc->is_ordered) {
        sim_proc_answer(world, slot);
        return;
    }
    switch (proc->deed) {
    case SIM_REST: break;
    case SIM_HELLO: say_hello(world, proc, slot); break;
    case SIM_READY: serve(world, proc, slot); break;
    case SIM_LEAVE: leave(world, proc, slot); break;
    case SIM_DRAINED: drained(world, proc, slot); break;
    case SIM_EXIT: end(world, proc, slot); break;
    case SIM_PAUSE: pause_it(world, proc, slot); break;
    case SIM_RESUME: resume_it(world, proc, slot); break;
    case SIM_HANG: hang(world, proc, slot); break;
    case SIM_SPENT: be_spent(world, proc, slot); break;
    }
}
