/* [state][event] -> rule: what one event does to one slot.
 *
 * A rule is a few lines and looks at nothing but its slot and the stop under way; what concerns
 * the fleet (how many, which generation, is it enough) is decided after it, by the *_step
 * functions. An empty cell is a decision: the event means nothing there (a READY that crossed our
 * KILL, an EXITED told twice).
 */
#include "supervise/policy/policy.h"

#include "base/assert.h"

/* How long a worker that was stopped by a signal may take to run on, once everything stops. */
#define PAUSE_WHILE_STOPPING (250 * CV_MS)

static int64_t in_ms(int64_t ns)
{
    return ns / CV_MS;
}

static void kill_slot(struct cv_fleet *fleet, struct cv_slot *slot)
{
    cv_actions_order(fleet, slot, CV_ACT_KILL);
    slot->paused = false;
    slot->pause_deadline = CV_NEVER;
    cv_fleet_enter(slot, CV_SLOT_KILLING, fleet->now + fleet->config.kill_wait);
}

/* Nobody expects it to stay: its end is no failure. */
static bool may_go(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    return slot->going || fleet->halt.asked;
}

static void ask_to_go(struct cv_fleet *fleet, struct cv_slot *slot)
{
    if (!slot->going)
        slot->asked_at = fleet->now;
    slot->going = true;
}

/* Nobody can help it any more, but it may say where it is before it is killed. Not for one that is
 * paused: it could not say anything. A stop under way (main may hang while it waits for its turn)
 * is not prolonged. */
static void dump(struct cv_fleet *fleet, struct cv_slot *slot, enum cv_say say, int64_t time)
{
    CV_ASSERT(!slot->paused);
    cv_actions_say(fleet, slot, say, in_ms(time));
    cv_actions_order(fleet, slot, CV_ACT_ABRT);
    cv_fleet_enter(slot, CV_SLOT_DUMPING,
                   cv_fleet_earlier(fleet->now + fleet->config.dump_timeout, fleet->halt.kill_at));
}

/* Its time is over: that of its pause, or that of its state, which is what `say` tells. */
static void kill_for(struct cv_fleet *fleet, struct cv_slot *slot, enum cv_say say, int64_t since)
{
    if (slot->paused && slot->pause_deadline <= fleet->now)
        cv_actions_say(fleet, slot, CV_SAY_PAUSED_LONG, in_ms(fleet->now - slot->paused_at));
    else
        cv_actions_say(fleet, slot, say, in_ms(fleet->now - since));
    kill_slot(fleet, slot);
}

/* ---- Starting ---- */

/* Asked to go while its process was being made: it has to go now that it is there. */
static void spawned(struct cv_fleet *fleet, struct cv_slot *slot,
                    const struct cv_fleet_event *event)
{
    (void)event;
    if (!slot->spawn_asked)
        return;
    slot->spawn_asked = false;
    slot->incarnation++;
    slot->spawned_at = fleet->now;
    cv_fleet_enter(slot, CV_SLOT_SPAWNING, fleet->now + fleet->config.start_timeout);
    if (slot->going)
        cv_policy_tell(fleet, slot, fleet->halt.asked ? CV_ON_STOP : CV_ON_RETIRE);
}

/* What ends a template would end each worker: the first start ends by the same codes. */
static void spawn_failed(struct cv_fleet *fleet, struct cv_slot *slot,
                         const struct cv_fleet_event *event)
{
    if (!slot->spawn_asked)
        return;
    slot->spawn_asked = false;
    if (may_go(fleet, slot)) {
        cv_fleet_enter(slot, CV_SLOT_EMPTY, CV_NEVER);
        return;
    }
    int64_t pause = cv_brake_retry(fleet, slot);
    cv_actions_say(fleet, slot, CV_SAY_NOT_STARTED, in_ms(pause));
    cv_brake_judge(fleet, slot, event->has_exit ? &event->exit : NULL);
}

static void backed_off(struct cv_fleet *fleet, struct cv_slot *slot,
                       const struct cv_fleet_event *event)
{
    (void)fleet;
    (void)event;
    slot->deadline = CV_NEVER; /* cv_balance_next_start() finds it */
}

static void hello(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    cv_fleet_enter(slot, CV_SLOT_HELD, slot->deadline);
    cv_managed_hello(fleet, slot, event->managed);
    cv_mainproc_hello(fleet, slot, event->has_main);
}

static void go(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    cv_actions_order(fleet, slot, CV_ACT_GO);
    cv_fleet_enter(slot, CV_SLOT_STARTING, slot->deadline);
}

static void ready(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    cv_fleet_enter(slot, CV_SLOT_READY, CV_NEVER);
    slot->ready_since = fleet->now;
    fleet->ever_ready |= !cv_fleet_is_managed(fleet, slot);
    if (slot == cv_fleet_main(fleet))
        cv_mainproc_ready(fleet);
}

/* One that is late because it is paused is killed for that. */
static void late(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    if (slot->paused)
        kill_for(fleet, slot, CV_SAY_PAUSED_LONG, slot->paused_at);
    else
        dump(fleet, slot, CV_SAY_LATE, fleet->now - slot->spawned_at);
}

/* Like systemd's EXTEND_TIMEOUT_USEC: from now on, and never past a limit of its own. */
static void extend(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    int64_t longest = fleet->config.start_timeout_max;
    int64_t wish = fleet->now + cv_fleet_earlier(event->extra, longest);
    wish = cv_fleet_earlier(wish, slot->spawned_at + longest);
    if (wish > slot->deadline)
        slot->deadline = wish;
}

/* ---- Being paused ---- */

static void paused(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    if (slot->paused)
        return;
    bool stopping = fleet->halt.asked;
    slot->paused = true;
    slot->paused_at = fleet->now;
    slot->pause_deadline =
        fleet->now + (stopping ? PAUSE_WHILE_STOPPING : fleet->config.pause_timeout);
    if (stopping)
        cv_actions_order(fleet, slot, CV_ACT_CONT);
}

static void resumed(struct cv_fleet *fleet, struct cv_slot *slot,
                    const struct cv_fleet_event *event)
{
    (void)fleet;
    (void)event;
    slot->paused = false;
    slot->pause_deadline = CV_NEVER;
}

static void paused_too_long(struct cv_fleet *fleet, struct cv_slot *slot,
                            const struct cv_fleet_event *event)
{
    (void)event;
    kill_for(fleet, slot, CV_SAY_PAUSED_LONG, slot->paused_at);
}

static void wake(struct cv_fleet *fleet, struct cv_slot *slot)
{
    if (!slot->paused)
        return;
    cv_actions_order(fleet, slot, CV_ACT_CONT);
    slot->pause_deadline =
        cv_fleet_earlier(slot->pause_deadline, fleet->now + PAUSE_WHILE_STOPPING);
}

/* ---- Going: retired alone, or with everything ---- */

static void drain(struct cv_fleet *fleet, struct cv_slot *slot, bool retire, int64_t kill_at)
{
    ask_to_go(fleet, slot);
    cv_actions_drain(fleet, slot, retire);
    cv_fleet_enter(slot, CV_SLOT_DRAINING, cv_fleet_earlier(kill_at, fleet->halt.kill_at));
}

static void retire(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    slot->drain_until =
        cv_fleet_earlier(fleet->now + fleet->config.drain_timeout, fleet->halt.drain_until);
    drain(fleet, slot, true, slot->drain_until + fleet->config.stop_timeout);
}

static void leaving(struct cv_fleet *fleet, struct cv_slot *slot,
                    const struct cv_fleet_event *event)
{
    if (!fleet->halt.asked)
        cv_actions_say(fleet, slot, CV_SAY_LEAVING, 0);
    retire(fleet, slot, event);
}

/* It serves on: the balance sees to a successor first. Main and managed processes have none
 * beside them. */
static void spent(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    if (slot->spent || !cv_fleet_is_worker(fleet, slot) || fleet->halt.asked)
        return;
    slot->spent = true;
    cv_actions_say(fleet, slot, CV_SAY_SPENT, 0);
}

/* Nothing has been started yet, or cannot be called back. */
static void unwant(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    if (slot->spawn_asked)
        ask_to_go(fleet, slot);
    else
        cv_fleet_enter(slot, CV_SLOT_EMPTY, CV_NEVER);
}

/* Serves nobody yet and has TERM at its default action: nothing is asked of it. */
static void end_start(struct cv_fleet *fleet, struct cv_slot *slot,
                      const struct cv_fleet_event *event)
{
    (void)event;
    ask_to_go(fleet, slot);
    if (fleet->halt.asked && fleet->halt.kind == CV_STOP_NOW) {
        kill_slot(fleet, slot);
        return;
    }
    wake(fleet, slot);
    cv_actions_order(fleet, slot, CV_ACT_TERM);
    cv_fleet_enter(
        slot, CV_SLOT_STOPPING,
        cv_fleet_earlier(fleet->now + fleet->config.start_stop_timeout, fleet->halt.kill_at));
}

/* Main has no connections to finish: from its turn on it has the time of its stop listeners. */
static int64_t stop_deadline(const struct cv_fleet *fleet, const struct cv_slot *slot)
{
    bool is_main = slot == cv_fleet_main(fleet);
    return is_main ? fleet->now + fleet->config.stop_timeout : CV_NEVER;
}

static void stop(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    if (fleet->halt.kind == CV_STOP_NOW) {
        ask_to_go(fleet, slot);
        kill_slot(fleet, slot);
        return;
    }
    wake(fleet, slot);
    if (!cv_halt_is_turn_of(fleet, slot)) {
        if (slot->state == CV_SLOT_READY && slot != cv_fleet_main(fleet))
            cv_actions_order(fleet, slot, CV_ACT_FOREWARN);
        return;
    }
    slot->drain_until = cv_fleet_earlier(slot->drain_until, fleet->halt.drain_until);
    drain(fleet, slot, false, cv_fleet_earlier(slot->deadline, stop_deadline(fleet, slot)));
}

static void drained(struct cv_fleet *fleet, struct cv_slot *slot,
                    const struct cv_fleet_event *event)
{
    (void)event;
    cv_fleet_enter(slot, CV_SLOT_STOPPING,
                   cv_fleet_earlier(slot->deadline, fleet->now + fleet->config.stop_timeout));
}

static void hasten(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    if (fleet->halt.kind == CV_STOP_NOW) {
        kill_slot(fleet, slot);
        return;
    }
    wake(fleet, slot);
    slot->deadline = cv_fleet_earlier(slot->deadline, fleet->halt.kill_at);
}

static void unstopped(struct cv_fleet *fleet, struct cv_slot *slot,
                      const struct cv_fleet_event *event)
{
    (void)event;
    kill_for(fleet, slot, CV_SAY_UNSTOPPED, slot->asked_at);
}

static void let_go(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    ask_to_go(fleet, slot);
}

/* ---- Gone ---- */

/* A paused one does not run for another reason, which has a deadline of its own. */
static void hung(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    if (!slot->paused)
        dump(fleet, slot, CV_SAY_HUNG, event->extra);
}

/* It has had its time to say where it is, or nobody wants to hear it any more. */
static void dumped(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    kill_slot(fleet, slot);
}

static void gone(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    if (may_go(fleet, slot)) {
        cv_fleet_enter(slot, CV_SLOT_EMPTY, CV_NEVER);
        return;
    }
    if (cv_managed_ends(fleet, slot, &event->exit)) {
        cv_actions_say(fleet, slot, CV_SAY_DONE, 0);
        cv_fleet_enter(slot, CV_SLOT_EMPTY, CV_NEVER);
        return;
    }
    int64_t pause = cv_brake_retry(fleet, slot);
    cv_actions_say(fleet, slot, CV_SAY_FAILED, in_ms(pause));
    cv_brake_judge(fleet, slot, &event->exit);
}

static void lost(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)event;
    cv_actions_say(fleet, slot, CV_SAY_UNKILLABLE, 0);
    cv_fleet_enter(slot, CV_SLOT_LOST, CV_NEVER);
    if (!may_go(fleet, slot))
        cv_brake_judge(fleet, slot, NULL);
}

static void found(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    (void)fleet;
    (void)event;
    cv_fleet_enter(slot, CV_SLOT_EMPTY, CV_NEVER);
}

/* ---- The table ---- */

#define STARTING_RULES                                                                             \
    [CV_ON_EXITED] = gone, [CV_ON_DEADLINE] = late, [CV_ON_RETIRE] = end_start,                    \
    [CV_ON_STOP] = end_start, [CV_ON_PAUSED] = paused, [CV_ON_RESUMED] = resumed,                  \
    [CV_ON_EXTEND] = extend

/* clang-format off */
const struct cv_rules cv_policy_rules = {.at = {
    [CV_SLOT_EMPTY] = {0},
    [CV_SLOT_WAITING] = {
        [CV_ON_SPAWNED] = spawned,
        [CV_ON_SPAWN_FAILED] = spawn_failed,
        [CV_ON_DEADLINE] = backed_off,
        [CV_ON_RETIRE] = unwant,
        [CV_ON_STOP] = unwant,
    },
    [CV_SLOT_SPAWNING] = {
        [CV_ON_HELLO] = hello,
        STARTING_RULES,
    },
    [CV_SLOT_HELD] = {
        [CV_ON_GO] = go,
        STARTING_RULES,
    },
    [CV_SLOT_STARTING] = {
        [CV_ON_READY] = ready,
        STARTING_RULES,
    },
    [CV_SLOT_READY] = {
        [CV_ON_LEAVING] = leaving,
        [CV_ON_EXITED] = gone,
        [CV_ON_DEADLINE] = paused_too_long,
        [CV_ON_RETIRE] = retire,
        [CV_ON_STOP] = stop,
        [CV_ON_PAUSED] = paused,
        [CV_ON_RESUMED] = resumed,
        [CV_ON_HUNG] = hung,
        [CV_ON_SPENT] = spent,
    },
    [CV_SLOT_DRAINING] = {
        [CV_ON_DRAINED] = drained,
        [CV_ON_EXITED] = gone,
        [CV_ON_DEADLINE] = unstopped,
        [CV_ON_STOP] = stop,
        [CV_ON_PAUSED] = paused,
        [CV_ON_RESUMED] = resumed,
    },
    [CV_SLOT_STOPPING] = {
        [CV_ON_EXITED] = gone,
        [CV_ON_DEADLINE] = unstopped,
        [CV_ON_STOP] = hasten,
        [CV_ON_PAUSED] = paused,
        [CV_ON_RESUMED] = resumed,
    },
    [CV_SLOT_DUMPING] = {
        [CV_ON_EXITED] = gone,
        [CV_ON_DEADLINE] = dumped,
        [CV_ON_RETIRE] = let_go,
        [CV_ON_STOP] = dumped,
    },
    [CV_SLOT_KILLING] = {
        [CV_ON_EXITED] = gone,
        [CV_ON_DEADLINE] = lost,
        [CV_ON_RETIRE] = let_go,
    },
    [CV_SLOT_LOST] = {
        [CV_ON_EXITED] = found,
    },
}};
/* clang-format on */

void cv_policy_apply(struct cv_fleet *fleet, struct cv_slot *slot,
                     const struct cv_fleet_event *event)
{
    cv_rule *rule = fleet->rules->at[slot->state][event->what];
    if (rule != NULL)
        rule(fleet, slot, event);
}

void cv_policy_tell(struct cv_fleet *fleet, struct cv_slot *slot, enum cv_slot_event what)
{
    const struct cv_fleet_event event = {.kind = CV_FLEET_SLOT, .what = what};
    cv_policy_apply(fleet, slot, &event);
}
