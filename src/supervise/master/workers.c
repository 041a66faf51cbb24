/* What workers say, how they end, and who takes long. See inside.h. */
#include "supervise/master/inside.h"

#include "base/clock.h"
#include "base/exit.h"
#include "base/fd.h"
#include "supervise/log/words.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* In one turn from one worker, so that none keeps the master from the others; more than a channel
 * holds. */
#define MESSAGES_MAX 512

/* Far more than honest workers say. */
#define MESSAGES_PER_SECOND_MAX 10000

/* ---- Workers ---- */

static void kill_for(struct master *master, unsigned slot, const char *what)
{
    struct cv_member *member = &master->crew.members[slot];
    cv_error("%s %s: killed", cv_crew_who(&master->crew, slot), what);
    member->is_unheard = true;
    cv_master_unwatch(master, member->channel);
    cv_member_signal(member, SIGKILL);
}

const char *cv_master_refusal(const struct master *master, const struct cv_message *hello)
{
    if (hello->word[0] != master->how->abi || hello->word[1] != CV_BOOT_LAYOUT)
        return "it was built against another version of covey";
    if (hello->word[2] != SIGKILL)
        return "its parent-death signal is not armed (file capabilities on the program clear it)";
    return NULL;
}

/* The process that has a listener of its own belongs to covey and not to the app. */
static void add_observer(const struct master *master, struct cv_manifest *manifest)
{
    const char *name = cv_listen_owner(master->how->listeners);
    struct cv_managed_spec spec = {.processes = 1, .is_transient = true};
    if (name == NULL)
        return;
    (void)snprintf(spec.name, sizeof(spec.name), "%s", name);
    if (!cv_manifest_append(manifest, &spec))
        cv_warn("the %s does not run: there is no room for one more managed process", name);
}

static void on_hello(struct master *master, unsigned slot, const struct cv_message *message)
{
    struct cv_member *member = &master->crew.members[slot];
    static struct cv_manifest manifest;
    const char *refusal = cv_master_refusal(master, message);
    if (refusal == NULL &&
        cv_manifest_read(cv_span(message->body, message->body_len), &manifest) < 0)
        refusal = "its manifest cannot be read";
    if (refusal != NULL) {
        cv_error("%s is refused: %s", cv_crew_who(&master->crew, slot), refusal);
        member->is_refused = true;
        cv_member_signal(member, SIGKILL);
        return;
    }
    if (cv_fleet_would_declare(master->fleet, slot)) {
        add_observer(master, &manifest);
        cv_crew_keep_commands(&master->crew, member->generation, &manifest.commands);
    }
    cv_master_feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                                    .slot = slot,
                                                    .what = CV_ON_HELLO,
                                                    .has_main = manifest.has_main,
                                                    .managed = &manifest.managed});
}

static void on_failed(struct master *master, unsigned slot, const struct cv_message *message)
{
    if (cv_crew_is_new_reason(&master->crew, cv_span(message->body, message->body_len)))
        cv_error("%s: %.*s", cv_crew_who(&master->crew, slot), (int)message->body_len,
                 message->body);
}

/* The observer asks as clients of the control socket do. False: it may not. */
static bool on_question(struct master *master, unsigned slot, const struct cv_message *message)
{
    const struct cv_member *member = &master->crew.members[slot];
    const char *observer = cv_listen_owner(master->how->listeners);
    struct cv_control_request request;
    bool may_ask = observer != NULL && strcmp(member->name, observer) == 0 &&
                   cv_control_read(&request, message) == 0;
    if (!may_ask)
        return false;
    (void)setsockopt(member->channel, SOL_SOCKET, SO_SNDBUF, &(int){CV_CONTROL_ANSWER_BYTES},
                     sizeof(int));
    (void)cv_desk_tell(&master->desk, request.command, member->channel, message->time);
    return true;
}

/* False if it is none that a worker sends. Whatever else it says, and when, is the policy's to
 * believe. */
static bool on_message(struct master *master, unsigned slot, const struct cv_message *message)
{
    switch (message->kind) {
    case CV_MSG_HELLO: on_hello(master, slot, message); break;
    case CV_MSG_READY: cv_master_feed_slot(master, slot, CV_ON_READY); break;
    case CV_MSG_DRAINED: cv_master_feed_slot(master, slot, CV_ON_DRAINED); break;
    case CV_MSG_LEAVING:
        master->crew.members[slot].leaves = true;
        cv_master_feed_slot(master, slot, CV_ON_LEAVING);
        break;
    case CV_MSG_SPENT: cv_master_feed_slot(master, slot, CV_ON_SPENT); break;
    case CV_MSG_FAILED: on_failed(master, slot, message); break;
    case CV_MSG_BEAT: cv_beats_wake(&master->beats, cv_clock_ns()); break;
    case CV_MSG_STATUS:
        cv_doings_set(&master->doings, slot, cv_span(message->body, message->body_len),
                      cv_clock_ns());
        break;
    case CV_CONTROL_METRICS: return on_question(master, slot, message);
    case CV_MSG_REOPENED: cv_master_on_reopened(master, slot, message); break;
    case CV_MSG_EXTEND:
        cv_master_feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                                        .slot = slot,
                                                        .what = CV_ON_EXTEND,
                                                        .extra = message->word[0] * CV_MS});
        break;
    default: return false;
    }
    return true;
}

/* Whether it talks so much that the master has no time for others. */
static bool is_flooding(struct cv_member *member, int64_t now)
{
    if (now - member->counted_since > CV_SECOND) {
        member->counted_since = now;
        member->messages = 0;
    }
    return ++member->messages > MESSAGES_PER_SECOND_MAX;
}

void cv_master_on_channel(struct master *master, unsigned slot)
{
    static struct cv_message message;
    struct cv_member *member = &master->crew.members[slot];
    if (member->is_foreign)
        return;
    int64_t now = cv_clock_ns();
    for (int i = 0; i < MESSAGES_MAX && !member->is_unheard; i++) {
        int rc = cv_channel_receive(member->channel, &message);
        if (rc == -EAGAIN)
            return;
        if (rc == -EBADMSG || (rc == 1 && !on_message(master, slot, &message)))
            kill_for(master, slot, "sends nonsense");
        else if (rc != 1)
            cv_master_unwatch(master, member->channel);
        else if (is_flooding(member, now))
            kill_for(master, slot, "sends more than 10,000 messages within a second");
        if (rc <= 0)
            return;
    }
}

/* So that the words for its end are right. */
static bool is_going(const struct master *master, unsigned slot)
{
    enum cv_slot_state state = cv_fleet_slot_state(master->fleet, slot);
    return state == CV_SLOT_DRAINING || state == CV_SLOT_STOPPING;
}

static struct cv_fleet_exit exit_of(const siginfo_t *info)
{
    return (struct cv_fleet_exit){.signaled = info->si_code != CLD_EXITED,
                                  .core = info->si_code == CLD_DUMPED,
                                  .code = info->si_status};
}

/* Whatever a foreign worker means by its exit code: it has failed before it was ready. */
static bool has_not_started(const struct master *master, unsigned slot,
                            const struct cv_fleet_exit *exit)
{
    return exit->foreign && !exit->signaled && slot < master->crew.capacity &&
           cv_fleet_slot_state(master->fleet, slot) == CV_SLOT_STARTING;
}

/* Of a foreign program, and of a managed process once its function has begun. */
static bool are_codes_its_own(const struct master *master, unsigned slot)
{
    bool is_managed = cv_fleet_kind(&master->how->fleet, slot) == CV_KIND_MANAGED;
    return master->crew.members[slot].is_foreign ||
           (is_managed && cv_fleet_slot_state(master->fleet, slot) >= CV_SLOT_READY);
}

/* A connection that comes wakes one of those that wait, and may have woken the dead. Who has
 * drained has looked himself. */
static void let_others_look(struct master *master, unsigned slot)
{
    if (cv_fleet_kind(&master->how->fleet, slot) != CV_KIND_WORKER || is_going(master, slot))
        return;
    for (unsigned i = 0; i < master->crew.capacity; i++)
        if (i != slot && !master->crew.members[i].is_foreign &&
            cv_fleet_slot_state(master->fleet, i) == CV_SLOT_READY)
            cv_channel_tell(master->crew.members[i].channel, CV_MSG_LOOK, 0, 0);
}

/* What it had still to say comes before its death. */
static void on_exited(struct master *master, unsigned slot, const siginfo_t *info)
{
    struct cv_member *member = &master->crew.members[slot];
    cv_master_on_channel(master, slot);
    struct cv_fleet_exit exit = exit_of(info);
    exit.asked = is_going(master, slot);
    exit.foreign = are_codes_its_own(master, slot);
    if (member->is_refused)
        exit = (struct cv_fleet_exit){.code = CV_EXIT_CONFIG};
    if (!member->is_foreign)
        cv_master_unwatch(master, member->channel);
    let_others_look(master, slot);
    cv_crew_bury(&master->crew, slot, exit);
    cv_doings_set(&master->doings, slot, CV_SPAN(""), 0);
    if (has_not_started(master, slot, &exit))
        exit.code = CV_EXIT_BOOT;
    cv_master_feed(master,
                   &(struct cv_fleet_event){
                       .kind = CV_FLEET_SLOT, .slot = slot, .what = CV_ON_EXITED, .exit = exit});
}

static void on_paused(struct master *master, unsigned slot, bool is_paused)
{
    struct cv_member *member = &master->crew.members[slot];
    member->is_paused = is_paused;
    cv_master_feed_slot(master, slot, is_paused ? CV_ON_PAUSED : CV_ON_RESUMED);
    if (is_paused)
        return;
    member->resumed_at = cv_clock_ns();
    cv_beats_wake(&master->beats, member->resumed_at);
}

static void on_child(struct master *master, const siginfo_t *info)
{
    int slot = cv_crew_find(&master->crew, info->si_pid);
    bool is_dead =
        info->si_code == CLD_EXITED || info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED;
    master->strays_due |= is_dead;
    if (is_dead && info->si_pid == master->upgrade.trial)
        cv_master_on_trial_end(master, info);
    if (slot < 0 && is_dead && cv_master_template_ended(master, info->si_pid, exit_of(info)))
        return;
    if (slot < 0)
        return; /* a stray, or one whose exec failed: reaped, and that was all */
    if (is_dead)
        on_exited(master, (unsigned)slot, info);
    else if (info->si_code == CLD_STOPPED || info->si_code == CLD_CONTINUED)
        on_paused(master, (unsigned)slot, info->si_code == CLD_STOPPED);
}

void cv_master_reap(struct master *master)
{
    siginfo_t info;
    for (;;) {
        info.si_pid = 0;
        int rc = waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc < 0 || info.si_pid == 0)
            return;
        on_child(master, &info);
    }
}

/* ---- Those who take long ---- */

/* Every state but READY has a deadline of its own, and so has being paused. */
static int64_t beat_of(void *arg, unsigned slot)
{
    const struct master *master = arg;
    const struct cv_member *member = &master->crew.members[slot];
    if (cv_fleet_kind(&master->how->fleet, slot) == CV_KIND_MANAGED)
        return 0; /* it may block: that is what it is for */
    if (cv_fleet_slot_state(master->fleet, slot) != CV_SLOT_READY || member->is_paused)
        return 0;
    int64_t since = atomic_load(&master->crew.slots.table[slot].running_since);
    return since > 0 && since < member->resumed_at ? member->resumed_at : since;
}

/* A debugger holds it: whoever looks at it knows why it does not come round. */
static bool is_traced(pid_t pid)
{
    char path[32];
    char status[4096];
    (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
    if (cv_fd_slurp(path, status, sizeof(status)) < 0)
        return false;
    const char *tracer = strstr(status, "\nTracerPid:");
    return tracer != NULL && strtol(tracer + sizeof("\nTracerPid:") - 1, NULL, 10) != 0;
}

static bool on_hang(void *arg, unsigned slot, int64_t for_ns)
{
    struct master *master = arg;
    if (is_traced(master->crew.members[slot].pid))
        return false;
    cv_master_feed(master,
                   &(struct cv_fleet_event){
                       .kind = CV_FLEET_SLOT, .slot = slot, .what = CV_ON_HUNG, .extra = for_ns});
    return true;
}

static void on_slow(void *arg, unsigned slot, const char *what, int64_t for_ns)
{
    const struct master *master = arg;
    cv_warn("%s is still in %s after %.1f s", cv_crew_who(&master->crew, slot), what,
            (double)for_ns / 1e9);
}

void cv_master_look_after(struct master *master, int64_t now)
{
    (void)cv_master_forgive(master, now);
    if (now >= master->beats.next) {
        struct cv_beat_source source = {master->crew.slots.count, beat_of, on_hang, master};
        cv_beats_look(&master->beats, &source, now);
    }
    cv_master_look_after_templates(master, now);
    if (now >= master->doings.next)
        cv_doings_look(&master->doings, now, on_slow, master);
}
