/* The upgrade of covey itself, in place. See inside.h.
 *
 *     asked -> trial -> become -> (in the new program:) taken over -> an ordinary reload
 *
 * The new program is tried first, in a child that gets what would be handed over, reads it and says
 * whether it could go on with it. Then this process becomes the new program: same pid, same
 * children, same descriptors. Up to that moment nothing has changed, and nothing changes if it does
 * not come.
 */
#include "supervise/master/inside.h"

#include "base/clock.h"
#include "base/exit.h"
#include "supervise/containment/cgroup_handover.h"
#include "supervise/crew/handover.h"
#include "supervise/process/snapshot.h"
#include "supervise/process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#define TRIAL_LIMIT (10 * CV_SECOND)

/* ---- Asking ---- */

void cv_master_upgrade_init(struct cv_upgrade *upgrade)
{
    *upgrade = (struct cv_upgrade){.answer = -1, .program = -1, .settings = -1, .until = CV_NEVER};
}

static void end_trial(struct master *master)
{
    if (master->upgrade.trial != 0)
        (void)kill(master->upgrade.trial, SIGKILL); /* our child, not reaped yet */
}

/* One that is asked while another is tried is about what lies there now: that is tried instead. */
void cv_master_ask_upgrade(struct master *master)
{
    if (cv_fleet_is_stopping(master->fleet))
        return;
    master->upgrade.is_wanted = true;
    master->upgrade.is_passed = false;
    end_trial(master);
}

bool cv_master_is_upgrading(const struct master *master)
{
    const struct cv_upgrade *upgrade = &master->upgrade;
    return upgrade->is_wanted || upgrade->trial != 0 || upgrade->is_passed;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* No upgrade is under way any more. */
static void forget(struct cv_upgrade *upgrade)
{
    close_one(&upgrade->answer);
    close_one(&upgrade->program);
    close_one(&upgrade->settings);
    upgrade->until = CV_NEVER;
    upgrade->trial = 0;
    upgrade->is_passed = false;
}

void cv_master_upgrade_done(struct master *master)
{
    forget(&master->upgrade);
}

static void refuse(struct master *master, const char *why)
{
    forget(&master->upgrade);
    cv_error("not upgraded: %s", why);
    cv_master_news(master, CV_NEWS_UPGRADE_REFUSED, 0, cv_clock_ns());
    cv_desk_not_reloaded(&master->desk, why);
}

/* ---- The trial ---- */

/* Opens what is to be tried. 0, or -errno with a sentence in `reason`. */
static int open_new(struct master *master, int *ret_answer, char *reason, size_t cap)
{
    struct cv_upgrade *upgrade = &master->upgrade;
    struct cv_pinned pinned = {.program = -1, .object = -1};
    struct cv_program own = {.object = ""};
    (void)snprintf(own.path, sizeof(own.path), "%s", master->own_path);
    int rc = cv_program_pin(&own, &pinned, reason, cap);
    if (rc < 0)
        return rc;
    upgrade->program = pinned.program;
    if (master->how->settings != NULL) {
        upgrade->settings = cv_snapshot(master->how->settings, reason, cap);
        if (upgrade->settings < 0)
            return upgrade->settings;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        rc = -errno;
        (void)snprintf(reason, cap, "pipe: %s", strerror(errno));
        return rc;
    }
    upgrade->answer = ends[0];
    *ret_answer = ends[1];
    return 0;
}

static int start_trial(struct master *master, int answer, char *reason, size_t cap)
{
    struct cv_upgrade *upgrade = &master->upgrade;
    struct cv_handover to;
    struct cv_span record;
    char tag[CV_TAG_BYTES];
    int rc = cv_master_export(master, CV_HANDED_TRIAL, answer, &to, &record);
    CV_AUTOCLOSE int file = rc == 0 ? cv_handed_seal(record) : rc;
    cv_handover_done(&to);
    master->crew.trial = ++master->crew.incarnations;
    cv_run_tag(master->run, master->crew.trial, tag);
    CV_AUTOCLOSE int door = cv_crew_open_door(&master->crew);
    const int kept[] = {file, answer, upgrade->settings};
    pid_t pid = file >= 0 ? cv_spawn_trial(upgrade->program, kept, CV_COUNT(kept), tag,
                                           master->how->argv, door)
                          : file;
    if (pid < 0) {
        cv_crew_end_cgroup(&master->crew, master->crew.trial);
        (void)snprintf(reason, cap, "%s cannot be started: %s", master->own_path, strerror(-pid));
        return pid;
    }
    upgrade->trial = pid;
    upgrade->until = cv_clock_ns() + TRIAL_LIMIT;
    return 0;
}

static void begin_trial(struct master *master)
{
    char reason[PATH_MAX + 128] = "";
    CV_AUTOCLOSE int answer = -1;
    forget(&master->upgrade);
    master->upgrade.is_wanted = false;
    int rc = open_new(master, &answer, reason, sizeof(reason));
    if (rc == 0)
        rc = start_trial(master, answer, reason, sizeof(reason));
    if (rc < 0)
        refuse(master, reason);
    else
        cv_info("upgrading: the new program is tried");
}

/* How a trial that has not answered has ended. */
static void explain(const siginfo_t *info, bool is_late, char *reason, size_t cap)
{
    if (is_late)
        (void)snprintf(reason, cap, "the new program has not answered within %d s",
                       (int)(TRIAL_LIMIT / CV_SECOND));
    else if (info->si_code == CLD_EXITED)
        (void)snprintf(reason, cap,
                       "the new program has ended with exit code %d instead of "
                       "answering whether it can take over",
                       info->si_status);
    else
        (void)snprintf(reason, cap, "the new program was killed by signal %d (%s) in its trial",
                       info->si_status, strsignal(info->si_status));
}

void cv_master_on_trial_end(struct master *master, const siginfo_t *info)
{
    struct cv_upgrade *upgrade = &master->upgrade;
    char reason[1024] = "";
    bool is_late = upgrade->until == CV_NEVER;
    ssize_t got = read(upgrade->answer, reason, sizeof(reason) - 1);
    bool is_given_up = upgrade->is_wanted || cv_fleet_is_stopping(master->fleet);
    upgrade->trial = 0;
    upgrade->until = CV_NEVER;
    cv_crew_end_cgroup(&master->crew, master->crew.trial);
    master->crew.trial = 0; /* what it has left behind may be ended now */
    if (is_given_up) {
        forget(upgrade);
        return;
    }
    if (got <= 0)
        explain(info, is_late, reason, sizeof(reason));
    if (reason[0] != '\0')
        refuse(master, reason);
    else
        upgrade->is_passed = true;
}

/* ---- Becoming ---- */

static void become(struct master *master)
{
    struct cv_handover to;
    struct cv_span record = cv_span(NULL, 0);
    int rc = cv_master_export(master, CV_HANDED_MASTER, -1, &to, &record);
    CV_AUTOCLOSE int file = rc == 0 ? cv_handed_seal(record) : rc;
    rc = file >= 0 ? cv_handed_become(master->upgrade.program, file, record, master->how->argv)
                   : file;
    cv_handover_done(&to);
    char reason[PATH_MAX + 128];
    (void)snprintf(reason, sizeof(reason), "%s has passed its trial, but cannot be run now: %s",
                   master->own_path, strerror(-rc));
    refuse(master, reason);
}

void cv_master_upgrade_step(struct master *master, int64_t now)
{
    struct cv_upgrade *upgrade = &master->upgrade;
    if (cv_fleet_is_stopping(master->fleet)) {
        upgrade->is_wanted = upgrade->is_passed = false;
        end_trial(master);
        return;
    }
    if (upgrade->until <= now) {
        upgrade->until = CV_NEVER;
        end_trial(master);
    }
    if (!cv_fleet_can_reload(master->fleet))
        return;
    if (upgrade->is_passed)
        become(master);
    else if (upgrade->is_wanted && upgrade->trial == 0)
        begin_trial(master);
}

/* ---- Taking over ---- */

int cv_master_try(struct cv_supervise *how, const struct cv_handed *handed, char *reason,
                  size_t cap)
{
    static struct master master;
    static struct cv_run run;
    static struct cv_cgroup cgroup;
    return cv_master_import(&master, &run, &cgroup, how, handed->record, reason, cap);
}

/* What has been imported becomes true again in this process. */
static int take_over(struct master *master)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGCONT); /* as at its birth; file capabilities clear it */
    int rc = cv_crew_take_over(&master->crew, &master->how->region);
    if (rc == 0)
        rc = cv_overseer_map(master->beat_fd, &master->beat);
    if (rc == 0)
        rc = cv_master_open(master);
    for (unsigned i = 0; rc == 0 && i < master->crew.slots.count; i++) {
        const struct cv_member *member = &master->crew.members[i];
        if (member->channel >= 0 && !member->is_unheard)
            rc = cv_master_watch(master, member->channel, cv_master_key(i, member->incarnation));
    }
    for (unsigned i = 0; rc == 0 && i < CV_CREW_GENERATIONS; i++) {
        const struct cv_template *template = &master->crew.templates[i];
        if (template->pid != 0)
            rc =
                cv_master_watch(master, template->channel,
                                cv_master_key(master->crew.slots.count + i, template->incarnation));
    }
    if (rc == 0 && master->hearing >= 0)
        rc = cv_master_watch(master, master->hearing, CV_SOURCE_HEARING);
    if (rc < 0)
        return rc;
    master->beats.looking = &master->crew.slots.head->looking;
    master->beats.limit = master->how->fleet.pause_timeout;
    cv_master_open_desk(master, true);
    cv_master_listen_to_cgroups(master);
    cv_master_listen_to_edits(master);
    return 0;
}

/* Whoever was asked for by the old settings stays, unless the new ones say something else. */
static void adapt_workers(struct master *master, struct cv_span record)
{
    struct cv_handover_section section = cv_handover_find(record, "master");
    unsigned now = master->how->fleet.workers;
    if (cv_handover_get(&section, "workers", now) == now || now == cv_fleet_wanted(master->fleet))
        return;
    cv_master_feed(master,
                   &(struct cv_fleet_event){.kind = CV_FLEET_SCALE,
                                            .by = (int)now - (int)cv_fleet_wanted(master->fleet)});
}

/* What happened while one program was gone and the other not there yet; then the reload. */
static void catch_up(struct master *master, const struct cv_handed *handed)
{
    cv_channel_tell(master->channel, CV_MSG_UPGRADED, (uint32_t)(handed->settings + 1), 0);
    cv_cgroup_rebury(master->crew.cgroup, handed->record);
    cv_master_reap(master);
    adapt_workers(master, handed->record);
    master->crew.own_generation = master->generation + 1;
    cv_master_ask_reload(master);
    cv_desk_settle(&master->desk);
}

int cv_master_resume(struct cv_supervise *how, const struct cv_handed *handed)
{
    static struct master master;
    static struct cv_run run;
    static struct cv_cgroup cgroup;
    char reason[1024] = "";
    int rc = cv_master_import(&master, &run, &cgroup, how, handed->record, reason, sizeof(reason));
    cv_master_present(how);
    if (rc == 0)
        rc = take_over(&master);
    if (rc < 0) {
        cv_error("cannot take over: %s", reason[0] != '\0' ? reason : strerror(-rc));
        return CV_EXIT_INTERNAL;
    }
    master.upgrade.settings = handed->settings;
    master.desk.upgrades++;
    cv_info("upgraded: covey %s has taken over", how->version);
    catch_up(&master, handed);
    return cv_master_serve(&master);
}
