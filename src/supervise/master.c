/* The master's loop: one wait, then signals, messages of the guardian, messages of workers, the
 * dead, the clock.
 *
 * It parses nothing from a network, runs no application code and, after its start, allocates
 * nothing of a size that somebody else decides. What to do is the fleet's decision; here it is only
 * done.
 */
#include "supervise/master.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/fd.h"
#include "supervise/beat.h"
#include "supervise/crew.h"
#include "supervise/doing.h"
#include "supervise/signals.h"
#include "supervise/title.h"
#include "supervise/words.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#define EVENTS_MAX 64
#define STRAYS_BOUND_MS 5000

/* Later than this after the deadline of a wait, and this process itself has been stopped. */
#define GAP_LEAST CV_SECOND

struct master {
    const struct cv_supervise *how;
    const struct cv_run *run;
    struct cv_fleet *fleet;
    struct cv_crew crew;
    struct cv_beats beats;
    struct cv_doings doings;
    int epoll;
    int signal_fd;
    int channel;     /* to the guardian */
    int guardian_fd; /* -1 once it is known to be gone */
    uint32_t generation;
    bool reload_wanted;
    bool strays_due; /* something died: look for what it left */
    bool over;
    int code;
};

/* What an epoll event is about: a fixed source, or the channel of one incarnation. */
enum source { SOURCE_SIGNALS = 1, SOURCE_GUARDIAN, SOURCE_CHANNEL };

static uint64_t event_key(unsigned slot, uint32_t incarnation)
{
    return (uint64_t)incarnation << 32 | (slot + 16);
}

static int watch(const struct master *master, int fd, uint64_t key)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = key};
    return epoll_ctl(master->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void unwatch(const struct master *master, int fd)
{
    (void)epoll_ctl(master->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- Actions ---- */

static void act(struct master *master);

static void feed(struct master *master, const struct cv_fleet_event *event)
{
    cv_fleet_event(master->fleet, event, cv_clock_ns());
    act(master);
}

static void feed_slot(struct master *master, unsigned slot, enum cv_slot_event what)
{
    feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT, .slot = slot, .what = what});
}

/* In a worker that was forked: it lives its life and ends here. */
static _Noreturn void be_worker(struct master *master, const struct cv_boot *boot)
{
    (void)close(master->epoll);
    (void)close(master->signal_fd);
    (void)close(master->channel);
    if (master->guardian_fd >= 0)
        (void)close(master->guardian_fd);
    cv_crew_forget(&master->crew, boot);

    struct cv_who who = cv_words_who(boot->slot, master->crew.capacity);
    char variable[sizeof(CV_TAG_VARIABLE) + CV_TAG_BYTES];
    (void)snprintf(variable, sizeof(variable), CV_TAG_VARIABLE "=%s", boot->tag);
    cv_title_set(master->how->name, who.text, variable);
    (void)setenv(CV_TAG_VARIABLE, boot->tag, 1);

    struct cv_child child;
    int rc = cv_child_forked(&child, boot);
    exit(rc < 0 ? CV_EXIT_OS : master->how->worker(master->how->arg, &child));
}

static void do_spawn(struct master *master, const struct cv_action *action)
{
    struct cv_boot boot;
    int rc = cv_crew_spawn(&master->crew, master->how, master->run, action->slot,
                           action->generation, &boot);
    if (rc == CV_CREW_IN_CHILD)
        be_worker(master, &boot);
    if (rc == 0) {
        struct cv_member *member = &master->crew.members[action->slot];
        if (watch(master, member->channel, event_key(action->slot, member->incarnation)) < 0)
            cv_member_signal(member, SIGKILL); /* it could not be heard; its death is */
    }
    if (rc < 0)
        cv_error("cannot start %s: %s", cv_words_who(action->slot, master->crew.capacity).text,
                 strerror(-rc));
    feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                          .slot = action->slot,
                                          .what = rc < 0 ? CV_ON_SPAWN_FAILED : CV_ON_SPAWNED,
                                          .error = rc});
}

static void do_action(struct master *master, const struct cv_action *action)
{
    struct cv_member *member = &master->crew.members[action->slot];
    switch (action->kind) {
    case CV_ACT_SPAWN: do_spawn(master, action); break;
    case CV_ACT_GO: cv_channel_tell(member->channel, CV_MSG_GO, 0, 0); break;
    case CV_ACT_DRAIN:
        cv_channel_tell(member->channel, CV_MSG_DRAIN, action->retire, action->until);
        break;
    case CV_ACT_TERM:
        cv_member_signal(member, SIGTERM);
        cv_member_signal(member, SIGCONT);
        break;
    case CV_ACT_CONT: cv_member_signal(member, SIGCONT); break;
    case CV_ACT_ABRT: cv_member_signal(member, SIGABRT); break;
    case CV_ACT_KILL: cv_member_signal(member, SIGKILL); break;
    case CV_ACT_DROP_GENERATION: cv_crew_drop(&master->crew, action->generation); break;
    case CV_ACT_SAY:
        cv_words_say(action, master->crew.capacity, member->last_exit, master->how->listeners);
        break;
    case CV_ACT_EXIT:
        master->over = true;
        master->code = action->code;
        break;
    }
}

/* Not re-entered: events that actions bring about put theirs behind. */
static void act(struct master *master)
{
    static bool is_acting;
    if (is_acting)
        return;
    is_acting = true;
    struct cv_action action;
    while (cv_fleet_next(master->fleet, &action))
        do_action(master, &action);
    is_acting = false;
}

/* ---- Requests: of the guardian, or signals sent to the master itself ---- */

static void ask_stop(struct master *master, enum cv_fleet_stop stop)
{
    feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_ASK_STOP, .stop = stop});
}

/* One reload runs, one may wait; those asked meanwhile are the one that waits. */
static void reload_if_wanted(struct master *master)
{
    if (!master->reload_wanted || !cv_fleet_can_reload(master->fleet))
        return;
    master->reload_wanted = false;
    char reason[PATH_MAX + 128];
    if (cv_crew_pin(&master->crew, master->how, master->generation + 1, reason, sizeof(reason)) <
        0) {
        cv_error("not reloaded: %s", reason);
        return;
    }
    master->generation++;
    cv_info("reloading: generation %u", master->generation);
    feed(master,
         &(struct cv_fleet_event){.kind = CV_FLEET_RELOAD, .generation = master->generation});
}

static void ask_reload(struct master *master)
{
    if (cv_fleet_is_stopping(master->fleet))
        return;
    master->reload_wanted = true;
    reload_if_wanted(master);
}

static void ask_scale(struct master *master, int by)
{
    feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_SCALE, .by = by});
}

static void on_signal(struct master *master, int signal, bool by_user)
{
    switch (signal) {
    case SIGTERM: ask_stop(master, CV_STOP_TERM); break;
    case SIGINT: ask_stop(master, CV_STOP_INT); break;
    case SIGQUIT: ask_stop(master, CV_STOP_QUIT); break;
    case SIGHUP:
        if (by_user) /* the kernel's own would be the terminal's, which is the guardian's business
                      */
            ask_reload(master);
        break;
    case SIGTTIN:
    case SIGTTOU:
        if (by_user)
            ask_scale(master, signal == SIGTTIN ? 1 : -1);
        break;
    default: break; /* CHLD: the loop looks itself; USR1, USR2: no meaning yet */
    }
}

static void on_signals(struct master *master)
{
    bool by_user;
    int signal;
    while ((signal = cv_signals_next(master->signal_fd, &by_user)) != 0)
        on_signal(master, signal, by_user);
}

static void on_guardian_gone(struct master *master)
{
    if (master->guardian_fd < 0)
        return;
    cv_error("the guardian is gone: killing everything");
    unwatch(master, master->guardian_fd);
    (void)close(master->guardian_fd);
    master->guardian_fd = -1;
    ask_stop(master, CV_STOP_NOW);
}

static void on_guardian_channel(struct master *master)
{
    static struct cv_message message;
    int rc;
    while ((rc = cv_channel_receive(master->channel, &message)) == 1) {
        if (message.kind == CV_MSG_STOP && message.word[0] <= CV_STOP_QUIT)
            ask_stop(master, (enum cv_fleet_stop)message.word[0]);
        else if (message.kind == CV_MSG_RELOAD)
            ask_reload(master);
        else if (message.kind == CV_MSG_SCALE)
            ask_scale(master, message.word[0] != 0 ? 1 : -1);
    }
    if (rc == 0) {
        unwatch(master, master->channel);
        on_guardian_gone(master); /* only its death closes the other end */
    }
}

/* ---- Workers ---- */

static void on_hello(struct master *master, unsigned slot, const struct cv_message *message)
{
    struct cv_member *member = &master->crew.members[slot];
    struct cv_manifest manifest;
    const char *refusal = NULL;
    if (message->word[0] != master->how->abi || message->word[1] != CV_BOOT_LAYOUT)
        refusal = "it was built against another version of covey";
    else if (message->word[2] != SIGKILL)
        refusal =
            "its parent-death signal is not armed (file capabilities on the program clear it)";
    else if (cv_manifest_read(cv_span(message->body, message->body_len), &manifest) < 0)
        refusal = "its manifest cannot be read";
    if (refusal != NULL) {
        cv_error("%s is refused: %s", cv_words_who(slot, master->crew.capacity).text, refusal);
        member->is_refused = true;
        cv_member_signal(member, SIGKILL);
        return;
    }
    feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                          .slot = slot,
                                          .what = CV_ON_HELLO,
                                          .has_main = manifest.has_main});
}

static void on_failed(struct master *master, unsigned slot, const struct cv_message *message)
{
    if (cv_crew_is_new_reason(&master->crew, cv_span(message->body, message->body_len)))
        cv_error("%s: %.*s", cv_words_who(slot, master->crew.capacity).text, (int)message->body_len,
                 message->body);
}

static void on_message(struct master *master, unsigned slot, const struct cv_message *message)
{
    switch (message->kind) {
    case CV_MSG_HELLO: on_hello(master, slot, message); break;
    case CV_MSG_READY: feed_slot(master, slot, CV_ON_READY); break;
    case CV_MSG_DRAINED: feed_slot(master, slot, CV_ON_DRAINED); break;
    case CV_MSG_LEAVING: feed_slot(master, slot, CV_ON_LEAVING); break;
    case CV_MSG_FAILED: on_failed(master, slot, message); break;
    case CV_MSG_BEAT: cv_beats_wake(&master->beats, cv_clock_ns()); break;
    case CV_MSG_STATUS:
        cv_doings_set(&master->doings, slot, cv_span(message->body, message->body_len),
                      cv_clock_ns());
        break;
    case CV_MSG_EXTEND:
        feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                              .slot = slot,
                                              .what = CV_ON_EXTEND,
                                              .extra = message->word[0] * CV_MS});
        break;
    default: break; /* of a later version, or nonsense: a worker cannot hurt by it */
    }
}

static void on_channel(struct master *master, unsigned slot)
{
    static struct cv_message message;
    struct cv_member *member = &master->crew.members[slot];
    int rc;
    while ((rc = cv_channel_receive(member->channel, &message)) == 1)
        on_message(master, slot, &message);
    if (rc == -EBADMSG) {
        cv_error("%s sends nonsense: killed", cv_words_who(slot, master->crew.capacity).text);
        cv_member_signal(member, SIGKILL);
    }
    if (rc != -EAGAIN)
        unwatch(master, member->channel);
}

/* What it had still to say comes before its death. */
static void on_exited(struct master *master, unsigned slot, const siginfo_t *info)
{
    struct cv_member *member = &master->crew.members[slot];
    on_channel(master, slot);
    struct cv_fleet_exit exit = {.signaled = info->si_code != CLD_EXITED,
                                 .core = info->si_code == CLD_DUMPED,
                                 .code = info->si_status};
    if (member->is_refused)
        exit = (struct cv_fleet_exit){.code = CV_EXIT_CONFIG};
    unwatch(master, member->channel);
    cv_crew_bury(&master->crew, slot, exit);
    cv_doings_set(&master->doings, slot, cv_span(NULL, 0), 0);
    feed(master, &(struct cv_fleet_event){
                     .kind = CV_FLEET_SLOT, .slot = slot, .what = CV_ON_EXITED, .exit = exit});
}

static void on_child(struct master *master, const siginfo_t *info)
{
    int slot = cv_crew_find(&master->crew, info->si_pid);
    bool is_dead =
        info->si_code == CLD_EXITED || info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED;
    master->strays_due |= is_dead;
    if (slot < 0)
        return; /* a stray, or one whose exec failed: reaped, and that was all */
    if (is_dead)
        on_exited(master, (unsigned)slot, info);
    else if (info->si_code == CLD_STOPPED)
        feed_slot(master, (unsigned)slot, CV_ON_PAUSED);
    else if (info->si_code == CLD_CONTINUED)
        feed_slot(master, (unsigned)slot, CV_ON_RESUMED);
}

static void reap(struct master *master)
{
    siginfo_t info;
    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG) < 0 ||
            info.si_pid == 0)
            return;
        on_child(master, &info);
    }
}

/* ---- Those who take long ---- */

static int64_t beat_of(void *arg, unsigned slot)
{
    const struct master *master = arg;
    if (cv_fleet_slot_state(master->fleet, slot) != CV_SLOT_READY)
        return 0; /* every other state has a deadline of its own */
    return atomic_load(&master->crew.slots.table[slot].running_since);
}

static void on_hang(void *arg, unsigned slot, int64_t for_ns)
{
    struct master *master = arg;
    feed(master, &(struct cv_fleet_event){
                     .kind = CV_FLEET_SLOT, .slot = slot, .what = CV_ON_HUNG, .extra = for_ns});
}

static void on_slow(void *arg, unsigned slot, const char *what, int64_t for_ns)
{
    const struct master *master = arg;
    cv_warn("%s is still in %s after %.1f s", cv_words_who(slot, master->crew.capacity).text, what,
            (double)for_ns / 1e9);
}

static void look_after(struct master *master, int64_t now)
{
    if (now >= master->beats.next) {
        struct cv_beat_source source = {master->crew.capacity + 1, beat_of, on_hang, master};
        cv_beats_look(&master->beats, &source, now);
    }
    if (now >= master->doings.next)
        cv_doings_look(&master->doings, now, on_slow, master);
}

static int64_t next_deadline(const struct master *master)
{
    int64_t next = cv_fleet_deadline(master->fleet);
    if (master->beats.next < next)
        next = master->beats.next;
    return master->doings.next < next ? master->doings.next : next;
}

/* ---- The loop ---- */

/* Up to the next deadline, in ms for epoll_wait; rounded up, so that no turn comes too early. */
static int patience(int64_t deadline)
{
    if (deadline == CV_NEVER)
        return -1;
    int64_t left = deadline - cv_clock_ns();
    if (left <= 0)
        return 0;
    left = (left + CV_MS - 1) / CV_MS;
    return left < INT_MAX ? (int)left : INT_MAX;
}

static void dispatch(struct master *master, const struct epoll_event *event)
{
    uint64_t key = event->data.u64;
    if (key == SOURCE_SIGNALS) {
        on_signals(master);
    } else if (key == SOURCE_GUARDIAN) {
        on_guardian_gone(master);
    } else if (key == SOURCE_CHANNEL) {
        on_guardian_channel(master);
    } else {
        unsigned slot = (unsigned)(key & UINT32_MAX) - 16;
        if (master->crew.members[slot].incarnation == key >> 32 &&
            master->crew.members[slot].pid != 0)
            on_channel(master, slot);
    }
}

/* Requests of people come before what workers say. */
static void dispatch_all(struct master *master, const struct epoll_event *events, int n)
{
    for (int i = 0; i < n; i++)
        if (events[i].data.u64 <= SOURCE_CHANNEL)
            dispatch(master, &events[i]);
    for (int i = 0; i < n; i++)
        if (events[i].data.u64 > SOURCE_CHANNEL)
            dispatch(master, &events[i]);
}

static void turn(struct master *master)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t deadline = next_deadline(master);
    int n = epoll_wait(master->epoll, events, EVENTS_MAX, patience(deadline));
    int64_t now = cv_clock_ns();
    if (deadline != CV_NEVER && now - deadline > GAP_LEAST) {
        cv_beats_forgive(&master->beats, now);
        feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_GAP, .gap = now - deadline});
    }

    dispatch_all(master, events, n > 0 ? n : 0);
    reap(master);
    look_after(master, cv_clock_ns());
    feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_TICK});
    reload_if_wanted(master);
    if (master->strays_due)
        cv_crew_end_strays(&master->crew, master->run);
    master->strays_due = false;
}

static int open_all(struct master *master)
{
    master->epoll = epoll_create1(EPOLL_CLOEXEC);
    master->signal_fd = cv_signals_open();
    if (master->epoll < 0 || master->signal_fd < 0)
        return -errno;
    int rc = watch(master, master->signal_fd, SOURCE_SIGNALS);
    if (rc == 0)
        rc = watch(master, master->guardian_fd, SOURCE_GUARDIAN);
    if (rc == 0)
        rc = watch(master, master->channel, SOURCE_CHANNEL);
    return rc;
}

static int start(struct master *master)
{
    char reason[PATH_MAX + 128] = "";
    int rc = open_all(master);
    if (rc == 0)
        rc = cv_crew_new(&master->crew, master->how->fleet.capacity, master->how->object);
    if (rc == 0)
        rc = cv_crew_pin(&master->crew, master->how, master->generation, reason, sizeof(reason));
    if (rc == 0)
        rc = cv_doings_init(&master->doings, master->how->fleet.capacity + 1,
                            master->how->slow_listener);
    if (rc == 0)
        rc = cv_fleet_new(&master->how->fleet, cv_clock_ns(), &master->fleet);
    if (rc < 0)
        cv_error("cannot start: %s", reason[0] != '\0' ? reason : strerror(-rc));
    return rc;
}

int cv_master_run(const struct cv_master_config *config)
{
    static struct master master;
    master = (struct master){.how = config->how,
                             .run = config->run,
                             .channel = config->channel,
                             .guardian_fd = config->guardian_fd,
                             .generation = 1};
    cv_title_set(config->how->name, "master", NULL);
    cv_log_open(config->how->name, config->how->log_level);
    if (start(&master) < 0)
        return CV_EXIT_OS;

    master.crew.nofile = config->nofile;
    cv_beats_init(&master.beats, &master.crew.slots.head->looking,
                  config->how->fleet.pause_timeout);
    act(&master);
    while (!master.over) {
        turn(&master);
        if (cv_fleet_is_stopping(master.fleet))
            cv_listen_close(config->how->listeners);
    }

    int left = cv_strays_end(NULL, 0, NULL, STRAYS_BOUND_MS);
    if (left > 0)
        cv_error("%d processes that workers left behind could not be ended", left);
    if (master.guardian_fd < 0)
        cv_listen_unlink(config->how->listeners);
    return left > 0 && master.code == 0 ? CV_EXIT_UNKILLABLE : master.code;
}
