/* What the fleet has decided, done. See inside.h. */
#include "supervise/master/inside.h"

#include "base/clock.h"
#include "base/exit.h"
#include "supervise/log/words.h"
#include "supervise/process/title.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

void cv_master_news(const struct master *master, enum cv_news news, int64_t value, int64_t at)
{
    static struct cv_message message;
    if (news == CV_NEWS_NONE)
        return;
    message.kind = CV_MSG_NEWS;
    message.word[0] = news;
    message.word[1] = (uint32_t)value;
    message.time = at;
    cv_channel_send(master->channel, &message);
}

/* ---- Actions ---- */

/* The guardian writes it before it continues us: a `now` from after the stop never comes without
 * it. */
bool cv_master_forgive(struct master *master, int64_t now)
{
    int64_t gap = atomic_load(&master->beat->suspended) - master->suspended;
    if (gap == 0)
        return false;
    master->suspended += gap;
    cv_beats_forgive(&master->beats, now);
    cv_fleet_event(master->fleet, &(struct cv_fleet_event){.kind = CV_FLEET_GAP, .gap = gap}, now);
    return true;
}

void cv_master_feed(struct master *master, const struct cv_fleet_event *event)
{
    int64_t now = cv_clock_ns();
    (void)cv_master_forgive(master, now);
    cv_fleet_event(master->fleet, event, now);
    cv_master_act(master);
}

void cv_master_feed_slot(struct master *master, unsigned slot, enum cv_slot_event what)
{
    cv_master_feed(master,
                   &(struct cv_fleet_event){.kind = CV_FLEET_SLOT, .slot = slot, .what = what});
}

/* In a worker that was forked: it lives its life and ends here. */
static _Noreturn void be_worker(struct master *master, const struct cv_boot *boot)
{
    cv_log_witness(-1);
    (void)close(master->epoll);
    (void)close(master->signal_fd);
    (void)close(master->channel);
    if (master->guardian_fd >= 0)
        (void)close(master->guardian_fd);
    (void)close(master->beat_fd);
    if (master->edits >= 0)
        (void)close(master->edits);
    cv_master_upgrade_done(master);
    cv_desk_close(&master->desk);
    if (master->how->control->folder >= 0)
        (void)close(master->how->control->folder);
    cv_crew_forget(&master->crew, boot);
    cv_listen_close_others(master->how->listeners, boot->listeners, boot->n_listeners);

    struct cv_who who = cv_child_who(boot);
    char variable[sizeof(CV_TAG_VARIABLE) + CV_TAG_BYTES];
    (void)snprintf(variable, sizeof(variable), CV_TAG_VARIABLE "=%s", boot->tag);
    cv_title_set(master->how->name, who.text, variable);
    (void)setenv(CV_TAG_VARIABLE, boot->tag, 1);

    struct cv_child child;
    int rc = cv_child_forked(&child, boot);
    exit(rc < 0 ? CV_EXIT_OS : master->how->worker(master->how->arg, &child));
}

static void name_managed(struct master *master, unsigned slot)
{
    if (cv_fleet_kind(&master->how->fleet, slot) != CV_KIND_MANAGED)
        return;
    unsigned index;
    const char *name = cv_fleet_managed_name(master->fleet, slot, &index);
    if (name != NULL)
        cv_crew_name(&master->crew, slot, name, index);
}

void cv_master_mind_seats(struct master *master)
{
    if (master->crew.seating == NULL)
        return;
    bool is_over = cv_fleet_is_stopping(master->fleet); /* nobody will take a place that is free */
    cv_seating_shrink(master->crew.seating, is_over ? 1 : cv_fleet_wanted(master->fleet));
}

/* The last one to leave a seat that is no longer wanted empties its queues: so ours are closed
 * before it is told. */
static void leave_seat(struct master *master, unsigned slot)
{
    if (master->crew.seating == NULL || slot >= master->crew.capacity)
        return;
    cv_seats_going(&master->crew.seating->seats, slot);
    cv_master_mind_seats(master);
}

static void end_kindly(struct cv_member *member)
{
    cv_member_signal(member, SIGTERM);
    cv_member_signal(member, SIGCONT);
}

/* It is told once: some take a second signal for impatience. One that leaves by itself needs not
 * be told, unless everything stops. */
static void end_foreign(const struct master *master, unsigned slot, bool retire)
{
    struct cv_member *member = &master->crew.members[slot];
    bool is_worker = cv_fleet_kind(&master->how->fleet, slot) == CV_KIND_WORKER;
    int signal = is_worker ? master->how->foreign->stop_signal : SIGTERM;
    if (!cv_member_was_sent(member, signal) && !(member->leaves && retire))
        cv_member_signal(member, signal);
    cv_member_signal(member, SIGCONT);
}

void cv_master_born(struct master *master, unsigned slot)
{
    struct cv_member *member = &master->crew.members[slot];
    if (!member->is_foreign &&
        cv_master_watch(master, member->channel, cv_master_key(slot, member->incarnation)) < 0)
        cv_member_signal(member, SIGKILL); /* it could not be heard; its death is */
    if (member->logs != master->crew.logs)
        cv_master_hand_logs(master, slot);
    cv_master_feed_slot(master, slot, CV_ON_SPAWNED);
    if (member->is_foreign)
        cv_master_feed_slot(master, slot, CV_ON_HELLO);
}

/* Only workers are many: what there is once is started anew. */
static bool is_from_template(const struct master *master, unsigned slot)
{
    return master->how->method == CV_START_PRELOAD && slot < master->crew.capacity;
}

static void do_spawn(struct master *master, const struct cv_action *action)
{
    struct cv_boot boot;
    name_managed(master, action->slot);
    if (master->crew.seating != NULL)
        cv_seating_open(master->crew.seating, cv_fleet_wanted(master->fleet));
    if (is_from_template(master, action->slot)) {
        cv_master_order(master, action->slot, action->generation);
        return;
    }
    int rc = cv_crew_spawn(&master->crew, master->how, master->run, action->slot,
                           action->generation, cv_fleet_next_to_go(master->fleet), &boot);
    if (rc == CV_CREW_IN_CHILD)
        be_worker(master, &boot);
    if (rc == 0) {
        cv_master_born(master, action->slot);
        return;
    }
    cv_error("cannot start %s: %s", cv_crew_who(&master->crew, action->slot), strerror(-rc));
    cv_master_feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                                    .slot = action->slot,
                                                    .what = CV_ON_SPAWN_FAILED,
                                                    .error = rc});
}

/* A worker that cannot be told (it does not read, or there is no memory) is sent a signal instead:
 * TERM makes it drain as well, and one that would wait for GO in vain is replaced. */
static void tell_or_signal(struct cv_member *member, enum cv_message_kind kind, uint32_t word,
                           int64_t time, int signal)
{
    if (cv_channel_tell(member->channel, kind, word, time) < 0)
        cv_member_signal(member, signal);
}

static void do_go(struct master *master, unsigned slot)
{
    struct cv_member *member = &master->crew.members[slot];
    if (member->is_foreign)
        cv_master_foreign_go(master, slot);
    else
        tell_or_signal(member, CV_MSG_GO, 0, 0, SIGKILL);
}

static void do_drain(struct master *master, const struct cv_action *action)
{
    struct cv_member *member = &master->crew.members[action->slot];
    uint32_t word = action->retire ? CV_DRAIN_WORD_RETIRE : CV_DRAIN_WORD_STOP;
    if (member->is_foreign) {
        end_foreign(master, action->slot, action->retire);
        return;
    }
    tell_or_signal(member, CV_MSG_DRAIN, word, action->until, SIGTERM);
    bool is_managed = cv_fleet_kind(&master->how->fleet, action->slot) == CV_KIND_MANAGED;
    if (is_managed && !(member->leaves && action->retire))
        end_kindly(member); /* it may be in a call that blocks */
}

/* A managed process is forewarned of nothing: nobody sends it clients. */
static void do_forewarn(struct master *master, unsigned slot)
{
    const struct cv_member *member = &master->crew.members[slot];
    bool is_worker = cv_fleet_kind(&master->how->fleet, slot) == CV_KIND_WORKER;
    if (is_worker && !member->is_foreign)
        cv_channel_tell(member->channel, CV_MSG_DRAIN, CV_DRAIN_WORD_FOREWARN, 0);
}

static void do_action(struct master *master, const struct cv_action *action)
{
    struct cv_member *member = &master->crew.members[action->slot];
    switch (action->kind) {
    case CV_ACT_SPAWN: do_spawn(master, action); break;
    case CV_ACT_GO: do_go(master, action->slot); break;
    case CV_ACT_FOREWARN: do_forewarn(master, action->slot); break;
    case CV_ACT_DRAIN:
        leave_seat(master, action->slot);
        do_drain(master, action);
        break;
    case CV_ACT_TERM:
        leave_seat(master, action->slot);
        end_kindly(member);
        break;
    case CV_ACT_CONT: cv_member_signal(member, SIGCONT); break;
    case CV_ACT_ABRT: cv_member_signal(member, SIGABRT); break;
    case CV_ACT_KILL: cv_member_signal(member, SIGKILL); break;
    case CV_ACT_DROP_GENERATION:
        cv_master_drop_template(master, action->generation);
        cv_crew_drop(&master->crew, action->generation);
        break;
    case CV_ACT_SAY:
        cv_master_news(master, cv_news_of(action->say), action->value, cv_clock_ns());
        if (action->say == CV_SAY_SERVING)
            cv_log_witness(-1);
        cv_desk_hear(&master->desk, action);
        cv_words_say(action, member->who.text, member->last_exit, master->how->listeners);
        break;
    case CV_ACT_EXIT:
        master->over = true;
        master->code = action->code;
        break;
    }
}

/* Not re-entered: events that actions bring about put theirs behind. */
void cv_master_act(struct master *master)
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
