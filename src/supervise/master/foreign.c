/* Workers that know nothing of covey: when they count as ready, and what they say by sd_notify. See
 * inside.h. */
#include "supervise/master/inside.h"

#include "base/clock.h"
#include "supervise/notify/heard.h"
#include "supervise/notify/hearing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* In one turn, so that a chatterer keeps the master from nothing. */
#define MESSAGES_MAX 256

int cv_master_open_hearing(struct master *master)
{
    master->hearing = -1;
    master->settle_at = CV_NEVER;
    if (master->how->foreign == NULL)
        return 0;
    int fd = cv_hearing_open(master->run);
    if (fd < 0)
        return fd;
    master->hearing = fd;
    return cv_master_watch(master, fd, CV_SOURCE_HEARING);
}

/* ---- Ready ---- */

/* A managed command does its work from the first moment on; a worker that says nothing has to live
 * for a while first, or one that fails at once would count as ready each time. */
void cv_master_foreign_go(struct master *master, unsigned slot)
{
    const struct cv_foreign_app *app = master->how->foreign;
    bool is_managed = cv_fleet_kind(&master->how->fleet, slot) == CV_KIND_MANAGED;
    if (is_managed || (!app->notify && app->ready_after == 0)) {
        cv_master_feed_slot(master, slot, CV_ON_READY);
        return;
    }
    if (app->notify)
        return;
    int64_t at = cv_clock_ns() + app->ready_after;
    master->crew.members[slot].settles_at = at;
    if (at < master->settle_at)
        master->settle_at = at;
}

void cv_master_settle_foreign(struct master *master, int64_t now)
{
    if (now < master->settle_at)
        return;
    master->settle_at = CV_NEVER;
    for (unsigned i = 0; i < master->crew.capacity; i++) {
        struct cv_member *member = &master->crew.members[i];
        if (member->pid == 0 || member->settles_at == 0)
            continue;
        if (member->settles_at <= now) {
            member->settles_at = 0;
            cv_master_feed_slot(master, i, CV_ON_READY);
        } else if (member->settles_at < master->settle_at) {
            master->settle_at = member->settles_at;
        }
    }
}

/* ---- What they say ---- */

static bool is_user_of_ours(const struct master *master, uid_t uid)
{
    const struct cv_privilege *user = master->how->user;
    return uid == 0 || uid == geteuid() || (user->user[0] != '\0' && uid == user->uid);
}

/* The member itself, or the one whose living incarnation has started the sender. -1: nobody's. */
static int slot_of_sender(const struct master *master, const struct cv_said *said)
{
    if (!is_user_of_ours(master, said->uid) || said->pid <= 0)
        return -1;
    int slot = cv_crew_find(&master->crew, said->pid);
    if (slot < 0)
        slot =
            cv_crew_find_incarnation(&master->crew, cv_strays_incarnation(master->run, said->pid));
    bool is_worker =
        slot >= 0 && cv_fleet_kind(&master->how->fleet, (unsigned)slot) == CV_KIND_WORKER;
    return is_worker ? slot : -1;
}

static void take(struct master *master, unsigned slot, const struct cv_heard *heard)
{
    struct cv_member *member = &master->crew.members[slot];
    if (heard->has_status)
        memcpy(member->status, heard->status, sizeof(member->status));
    if (heard->extend > 0)
        cv_master_feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                                        .slot = slot,
                                                        .what = CV_ON_EXTEND,
                                                        .extra = heard->extend});
    if (heard->is_ready)
        cv_master_feed_slot(master, slot, CV_ON_READY);
    if (heard->is_alive && master->how->foreign->notify) {
        int64_t now = cv_clock_ns();
        atomic_store(&master->crew.slots.pages[slot].running_since, now);
        cv_beats_wake(&master->beats, now);
    }
    if (heard->is_stopping) {
        member->leaves = true;
        cv_master_feed_slot(master, slot, CV_ON_LEAVING);
    }
}

/* Once at a level that is seen, so that nobody can fill the log. */
static void refuse(struct master *master, const char *why, pid_t pid)
{
    if (!master->has_refused)
        cv_warn("a message to NOTIFY_SOCKET is refused (pid %d): %s; more are not named", (int)pid,
                why);
    else
        cv_debug("a message to NOTIFY_SOCKET is refused (pid %d): %s", (int)pid, why);
    master->has_refused = true;
}

void cv_master_on_hearing(struct master *master)
{
    static struct cv_said said;
    struct cv_heard heard;
    for (int i = 0; i < MESSAGES_MAX; i++) {
        int rc = cv_hearing_next(master->hearing, &said);
        if (rc == -EMSGSIZE) {
            refuse(master, "it is too long", 0);
            continue;
        }
        if (rc <= 0)
            return;
        int slot = slot_of_sender(master, &said);
        if (slot < 0)
            refuse(master, "no living worker has sent it", said.pid);
        else if (!cv_heard_read(&heard, cv_span(said.text, said.len)))
            refuse(master, "it is not of the form NAME=value", said.pid);
        else
            take(master, (unsigned)slot, &heard);
    }
}
