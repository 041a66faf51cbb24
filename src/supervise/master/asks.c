/* What people ask for. See inside.h. */
#include "supervise/master/inside.h"

#include "base/clock.h"
#include "supervise/process/signals.h"

#include <signal.h>
#include <string.h>

/* ---- Requests: of the guardian, or signals sent to the master itself ---- */

static void ask_stop(struct master *master, enum cv_fleet_stop stop)
{
    cv_master_feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_ASK_STOP, .stop = stop});
}

/* One reload runs, one may wait; those asked meanwhile are the one that waits. */
void cv_master_reload_if_wanted(struct master *master)
{
    bool can = cv_fleet_can_reload(master->fleet) && !cv_master_is_upgrading(master);
    if (!master->reload_wanted || !can)
        return;
    master->reload_wanted = false;
    cv_master_news(master, CV_NEWS_RELOADING, master->generation + 1, cv_clock_ns());
    char reason[PATH_MAX + 128];
    if (cv_crew_pin(&master->crew, master->how, master->generation + 1, reason, sizeof(reason)) <
        0) {
        cv_error("not reloaded: %s", reason);
        cv_master_news(master, CV_NEWS_RELOAD_FAILED, master->generation + 1, cv_clock_ns());
        cv_desk_not_reloaded(&master->desk, reason);
        return;
    }
    master->generation++;
    cv_info("reloading: generation %u", master->generation);
    cv_master_feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_RELOAD,
                                                    .generation = master->generation});
}

void cv_master_ask_reload(struct master *master)
{
    if (cv_fleet_is_stopping(master->fleet))
        return;
    master->reload_wanted = true;
    cv_master_reload_if_wanted(master);
}

/* ---- What is built anew ---- */

/* A build may write a file more than once. */
#define EDITS_REST (300 * CV_MS)

void cv_master_listen_to_edits(struct master *master)
{
    const struct cv_edits *how = master->how->edits;
    const struct cv_program *program = &master->crew.program;
    master->edits = -1;
    master->edited_at = CV_NEVER;
    if (how == NULL)
        return;
    int fd = how->open(program->path, program->object);
    int rc = fd >= 0 ? cv_master_watch(master, fd, CV_SOURCE_EDITS) : fd;
    master->edits = fd;
    if (rc < 0)
        cv_warn("AUTO_RELOAD: what is built anew goes unnoticed: %s", strerror(-rc));
}

void cv_master_on_edits(struct master *master)
{
    if (master->how->edits->seen(master->edits))
        master->edited_at = cv_clock_ns();
}

int64_t cv_master_edits_due(const struct master *master)
{
    return master->edited_at != CV_NEVER ? master->edited_at + EDITS_REST : CV_NEVER;
}

void cv_master_reload_if_edited(struct master *master, int64_t now)
{
    if (cv_master_edits_due(master) > now)
        return;
    master->edited_at = CV_NEVER;
    cv_info("what runs has been built anew");
    cv_master_ask_reload(master);
}

/* ---- The rest ---- */

static void ask_scale(struct master *master, int by)
{
    cv_master_feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_SCALE, .by = by});
}

static void reopen(struct master *master)
{
    char reason[PATH_MAX + 128];
    (void)cv_master_reopen(master, reason, sizeof(reason));
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
            cv_master_ask_reload(master);
        break;
    case SIGUSR2: cv_master_ask_upgrade(master); break;
    case SIGTTIN:
    case SIGTTOU:
        if (by_user)
            ask_scale(master, signal == SIGTTIN ? 1 : -1);
        break;
    case SIGUSR1: reopen(master); break;
    default: break; /* CHLD: the loop looks itself */
    }
}

void cv_master_on_signals(struct master *master)
{
    bool by_user;
    int signal;
    while ((signal = cv_signals_next(master->signal_fd, &by_user)) != 0)
        on_signal(master, signal, by_user);
}

void cv_master_on_guardian_gone(struct master *master)
{
    if (master->guardian_fd < 0)
        return;
    cv_error("the guardian is gone: killing everything");
    cv_master_unwatch(master, master->guardian_fd);
    (void)close(master->guardian_fd);
    master->guardian_fd = -1;
    ask_stop(master, CV_STOP_NOW);
}

void cv_master_on_guardian_channel(struct master *master)
{
    static struct cv_message message;
    int rc;
    while ((rc = cv_channel_receive(master->channel, &message)) == 1) {
        if (message.kind == CV_MSG_STOP && message.word[0] <= CV_STOP_QUIT)
            ask_stop(master, (enum cv_fleet_stop)message.word[0]);
        else if (message.kind == CV_MSG_RELOAD)
            cv_master_ask_reload(master);
        else if (message.kind == CV_MSG_UPGRADE)
            cv_master_ask_upgrade(master);
        else if (message.kind == CV_MSG_SCALE)
            ask_scale(master, message.word[0] != 0 ? 1 : -1);
        else if (message.kind == CV_MSG_REOPEN)
            reopen(master);
        else if (message.kind == CV_MSG_REOPENED)
            cv_master_on_guardian_reopened(master, &message);
        else if (message.kind == CV_MSG_PING)
            cv_channel_tell(master->channel, CV_MSG_PONG, 0, 0);
    }
    if (rc == 0) {
        cv_master_unwatch(master, master->channel);
        cv_master_on_guardian_gone(master); /* only its death closes the other end */
    }
}
