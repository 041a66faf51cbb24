/* The master's loop: one wait, then signals, messages of the guardian, messages of workers, the
 * dead, the clock.
 *
 * It parses nothing from a network, runs no application code and, after its start, allocates
 * nothing of a size that somebody else decides. What to do is the fleet's decision; here it is only
 * done.
 */
#include "supervise/master/inside.h"

#include "base/clock.h"
#include "base/exit.h"
#include "supervise/log/dump.h"
#include "supervise/process/signals.h"
#include "supervise/process/title.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define EVENTS_MAX 64
#define STRAYS_BOUND_MS 5000

/* Later than this after the deadline of a wait, and this process itself has been stopped. */
#define GAP_LEAST CV_SECOND

uint64_t cv_master_key(unsigned slot, uint32_t incarnation)
{
    return (uint64_t)incarnation << 32 | (slot + 16);
}

int cv_master_watch(const struct master *master, int fd, uint64_t key)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = key};
    return epoll_ctl(master->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

void cv_master_unwatch(const struct master *master, int fd)
{
    (void)epoll_ctl(master->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- The loop ---- */

static int64_t next_deadline(const struct master *master)
{
    int64_t next = cv_fleet_deadline(master->fleet);
    if (master->beats.next < next)
        next = master->beats.next;
    if (master->settle_at < next)
        next = master->settle_at;
    if (master->upgrade.until < next)
        next = master->upgrade.until;
    if (master->doings.next < next)
        next = master->doings.next;
    if (cv_master_edits_due(master) < next)
        next = cv_master_edits_due(master);
    int64_t template = cv_master_template_deadline(master);
    if (template <next)
        next = template;
    int64_t control = cv_control_deadline(&master->desk.control);
    return control < next ? control : next;
}

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
    if (key == CV_SOURCE_SIGNALS) {
        cv_master_on_signals(master);
    } else if (key == CV_SOURCE_GUARDIAN) {
        cv_master_on_guardian_gone(master);
    } else if (key == CV_SOURCE_CHANNEL) {
        cv_master_on_guardian_channel(master);
    } else if (key == CV_SOURCE_CONTROL) {
        cv_desk_work(&master->desk);
    } else if (key == CV_SOURCE_CGROUPS) {
        cv_cgroup_clear(master->crew.cgroup);
    } else if (key == CV_SOURCE_HEARING) {
        cv_master_on_hearing(master);
    } else if (key == CV_SOURCE_EDITS) {
        cv_master_on_edits(master);
    } else {
        unsigned slot = (unsigned)(key & UINT32_MAX) - 16;
        if (slot >= master->crew.slots.count)
            cv_master_on_template(master, slot - master->crew.slots.count, (uint32_t)(key >> 32));
        else if (master->crew.members[slot].incarnation == key >> 32 &&
                 master->crew.members[slot].pid != 0)
            cv_master_on_channel(master, slot);
    }
}

/* Requests of people come before what workers say. */
static void dispatch_all(struct master *master, const struct epoll_event *events, int n)
{
    for (int i = 0; i < n; i++)
        if (events[i].data.u64 <= CV_SOURCE_CONTROL)
            dispatch(master, &events[i]);
    for (int i = 0; i < n; i++)
        if (events[i].data.u64 > CV_SOURCE_CONTROL)
            dispatch(master, &events[i]);
}

static void turn(struct master *master)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t deadline = next_deadline(master);
    (void)cv_beat_write(&master->beat->running_since, &master->beat->looking, 0);
    int n = epoll_wait(master->epoll, events, EVENTS_MAX, patience(deadline));
    int64_t now = cv_clock_ns();
    bool was_suspended = cv_master_forgive(master, now);
    if (cv_beat_write(&master->beat->running_since, &master->beat->looking, now))
        cv_channel_tell(master->channel, CV_MSG_BEAT, 0, 0);
    if (!was_suspended && deadline != CV_NEVER && now - deadline > GAP_LEAST) {
        cv_beats_forgive(&master->beats, now);
        cv_master_forgive_templates(master, now - deadline);
        cv_master_feed(master,
                       &(struct cv_fleet_event){.kind = CV_FLEET_GAP, .gap = now - deadline});
    }

    dispatch_all(master, events, n > 0 ? n : 0);
    if (cv_control_deadline(&master->desk.control) <= now)
        cv_desk_work(&master->desk);
    cv_master_reap(master);
    cv_master_settle_foreign(master, cv_clock_ns());
    cv_master_look_after(master, cv_clock_ns());
    cv_master_feed(master, &(struct cv_fleet_event){.kind = CV_FLEET_TICK});
    if (master->strays_due)
        cv_crew_end_strays(&master->crew, master->run);
    master->strays_due = false;
    cv_master_mind_seats(master);
    cv_master_upgrade_step(master, cv_clock_ns());
    cv_master_reload_if_edited(master, cv_clock_ns());
    cv_master_reload_if_wanted(master);
    cv_desk_settle(&master->desk);
}

/* ---- Commands ---- */

static void feed(void *arg, const struct cv_fleet_event *event)
{
    cv_master_feed(arg, event);
}

static void reload(void *arg)
{
    cv_master_ask_reload(arg);
}

static void upgrade(void *arg)
{
    cv_master_ask_upgrade(arg);
}

static bool reload_waits(void *arg)
{
    return ((const struct master *)arg)->reload_wanted;
}

static int reopen(void *arg, char *reason, size_t cap)
{
    return cv_master_reopen(arg, reason, cap);
}

/* Without it the server serves all the same. */
void cv_master_open_desk(struct master *master, bool is_resumed)
{
    struct cv_desk *desk = &master->desk;
    desk->how = master->how;
    desk->fleet = master->fleet;
    desk->crew = &master->crew;
    desk->feed = feed;
    desk->reload = reload;
    desk->upgrade = upgrade;
    desk->reload_waits = reload_waits;
    desk->reopen = reopen;
    desk->arg = master;
    int listener = master->how->control->fd;
    int rc = is_resumed ? cv_desk_resume(desk, listener) : cv_desk_open(desk, listener);
    if (rc == 0 && desk->control.epoll >= 0)
        rc = cv_master_watch(master, desk->control.epoll, CV_SOURCE_CONTROL);
    if (rc < 0) {
        cv_desk_close(desk);           /* so that clients are refused */
        master->how->control->fd = -1; /* an upgrade would hand on what has this number by then */
        cv_error("the control socket is not served: %s", strerror(-rc));
    }
}

/* ---- Start and end ---- */

/* Cgroups that cannot be removed at once are removed at the end, if nobody tells when they can be.
 */
void cv_master_listen_to_cgroups(const struct master *master)
{
    struct cv_cgroup *cgroup = master->crew.cgroup;
    if (cgroup->run < 0)
        return;
    int fd = cv_cgroup_listen(cgroup);
    int rc = fd >= 0 ? cv_master_watch(master, fd, CV_SOURCE_CGROUPS) : fd;
    if (rc == 0)
        return;
    cv_cgroup_unlisten(cgroup);
    cv_warn("cgroups of the dead are removed at the end only: %s", strerror(-rc));
}

int cv_master_open(struct master *master)
{
    master->epoll = epoll_create1(EPOLL_CLOEXEC);
    master->signal_fd = cv_signals_open();
    if (master->epoll < 0 || master->signal_fd < 0)
        return -errno;
    int rc = cv_master_watch(master, master->signal_fd, CV_SOURCE_SIGNALS);
    if (rc == 0)
        rc = cv_master_watch(master, master->guardian_fd, CV_SOURCE_GUARDIAN);
    if (rc == 0)
        rc = cv_master_watch(master, master->channel, CV_SOURCE_CHANNEL);
    return rc;
}

static int start(struct master *master)
{
    char reason[PATH_MAX + 128] = "";
    int rc = cv_master_open(master);
    if (rc == 0)
        rc = cv_master_open_hearing(master);
    if (rc == 0)
        rc = cv_crew_new(&master->crew, &master->how->fleet, master->how->object);
    if (rc == 0)
        (void)snprintf(master->own_path, sizeof(master->own_path), "%s", master->crew.program.path);
    if (rc == 0 && master->how->foreign != NULL)
        rc = cv_program_set(&master->crew.program, master->how->foreign->path);
    if (rc == 0 && master->how->is_per_slot) {
        rc = cv_seating_init(&master->seating, master->how->listeners, master->how->fleet.capacity,
                             master->how->fleet.workers);
        master->crew.seating = &master->seating;
    }
    if (rc == 0)
        rc = cv_crew_pin(&master->crew, master->how, master->generation, reason, sizeof(reason));
    if (rc == 0)
        rc = cv_doings_init(&master->doings, cv_fleet_slots(&master->how->fleet),
                            master->how->slow_listener);
    if (rc == 0)
        rc = cv_fleet_new(&master->how->fleet, cv_clock_ns(), &master->fleet);
    if (rc < 0)
        cv_error("cannot start: %s", reason[0] != '\0' ? reason : strerror(-rc));
    return rc;
}

static void close_listeners(struct master *master)
{
    if (master->crew.seating != NULL)
        cv_seating_close(master->crew.seating, NULL, 0);
    cv_listen_close(master->how->listeners);
}

void cv_master_present(const struct cv_supervise *how)
{
    cv_title_set(how->name, "master", NULL);
    cv_log_process("master");
    cv_log_open(how->name, how->log_level);
    if (cv_dump_install(NULL) < 0)
        cv_warn("a crash of the master will not be described: no memory for it");
}

int cv_master_serve(struct master *master)
{
    while (!master->over) {
        turn(master);
        if (cv_fleet_is_stopping(master->fleet) && !cv_fleet_is_serving_on(master->fleet))
            close_listeners(master);
    }

    cv_cgroup_kill(master->crew.cgroup);
    int left = cv_strays_end(NULL, 0, NULL, STRAYS_BOUND_MS);
    (void)cv_cgroup_remove(master->crew.cgroup,
                           CV_CGROUP_REMOVE_MS); /* the guardian says if it fails */
    if (left > 0)
        cv_error("%d processes that workers left behind could not be ended", left);
    if (master->guardian_fd < 0) {
        cv_pidfile_remove(&master->how->pidfile);
        cv_listen_unlink(master->how->listeners);
        cv_control_unlink(master->how->control);
    }
    return left > 0 && master->code == 0 ? CV_EXIT_UNKILLABLE : master->code;
}

int cv_master_run(const struct cv_master_config *config)
{
    static struct master master;
    master = (struct master){.how = config->how,
                             .run = config->run,
                             .channel = config->channel,
                             .beat = config->beat,
                             .beat_fd = config->beat_fd,
                             .guardian_fd = config->guardian_fd,
                             .generation = 1};
    cv_master_upgrade_init(&master.upgrade);
    cv_master_present(config->how);
    if (start(&master) < 0)
        return CV_EXIT_OS;

    cv_master_open_desk(&master, false);
    master.crew.nofile = config->nofile;
    master.crew.region_kind = config->how->region;
    master.crew.cgroup = config->cgroup;
    master.crew.outer_proc = config->outer_proc;
    master.desk.guardian = config->guardian;
    cv_master_listen_to_cgroups(&master);
    cv_master_listen_to_edits(&master);
    cv_beats_init(&master.beats, &master.crew.slots.head->looking,
                  config->how->fleet.pause_timeout);
    cv_master_act(&master);
    return cv_master_serve(&master);
}
