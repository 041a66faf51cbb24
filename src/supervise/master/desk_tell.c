/* What the master tells of itself to whoever may ask: the answer to STATUS and METRICS. See desk.h.
 */
#include "supervise/master/desk.h"

#include "base/clock.h"
#include "supervise/log/words.h"

#include <errno.h>
#include <stdio.h>

/* ---- The server and its processes ---- */

static uint32_t number_of(const struct cv_desk *desk, unsigned slot)
{
    return slot == desk->crew->capacity ? CV_CONTROL_MAIN : slot;
}

static struct cv_control_slot describe(const struct cv_desk *desk, unsigned slot, int64_t now)
{
    const struct cv_member *member = &desk->crew->members[slot];
    const struct cv_slot_page *page = &desk->crew->slots.pages[slot];
    struct cv_control_slot ret = {
        .slot = number_of(desk, slot),
        .kind = cv_fleet_kind(&desk->how->fleet, slot),
        .pid = cv_crew_shown_pid(desk->crew, member->pidfd, member->pid),
        .generation = cv_fleet_slot_generation(desk->fleet, slot),
        .connections = atomic_load_explicit(&page->connections, memory_order_relaxed),
        .requests = atomic_load_explicit(&page->requests, memory_order_relaxed),
        .starts = member->starts,
        .failures = cv_fleet_slot_failures(desk->fleet, slot),
        .uptime_ms = member->pid != 0 ? (now - member->started_at) / CV_MS : 0,
        .has_exit = member->has_ended,
        .exit = member->last_exit};
    (void)snprintf(ret.state, sizeof(ret.state), "%s",
                   cv_slot_state_name(cv_fleet_slot_state(desk->fleet, slot)));
    (void)snprintf(ret.who, sizeof(ret.who), "%s", member->who.text);
    if (member->pid != 0)
        (void)snprintf(ret.says, sizeof(ret.says), "%s", member->status);
    return ret;
}

static const char *containment_name(const struct cv_desk *desk)
{
    const struct cv_cgroup *cgroup = desk->crew->cgroup;
    if (desk->crew->outer_proc >= 0)
        return "pidns";
    return cgroup != NULL && cgroup->run >= 0 ? "cgroup" : "none";
}

static struct cv_control_fleet describe_fleet(const struct cv_desk *desk, int64_t now)
{
    struct cv_control_fleet ret = {.guardian = desk->guardian,
                                   .master =
                                       cv_crew_shown_pid(desk->crew, desk->crew->self, getpid()),
                                   .wanted = cv_fleet_wanted(desk->fleet),
                                   .ready = cv_fleet_ready(desk->fleet),
                                   .generation = cv_fleet_generation(desk->fleet),
                                   .upgrades = desk->upgrades,
                                   .uptime_ms = (now - desk->opened_at) / CV_MS,
                                   .is_stopping = cv_fleet_is_stopping(desk->fleet),
                                   .reload_waits = desk->reload_waits(desk->arg)};
    (void)snprintf(ret.name, sizeof(ret.name), "%s", desk->how->name);
    (void)snprintf(ret.reload, sizeof(ret.reload), "%s", cv_fleet_roll_name(desk->fleet));
    (void)snprintf(ret.containment, sizeof(ret.containment), "%s", containment_name(desk));
    return ret;
}

static struct cv_control_slot describe_template(const struct cv_crew *crew,
                                                const struct cv_template *template, int64_t now)
{
    struct cv_control_slot ret = {.slot = CV_CONTROL_MAIN,
                                  .kind = CV_CONTROL_TEMPLATE,
                                  .who = "template",
                                  .pid = cv_crew_shown_pid(crew, template->pidfd, template->pid),
                                  .generation = template->generation,
                                  .starts = 1,
                                  .uptime_ms = (now - template->started_at) / CV_MS};
    (void)snprintf(ret.state, sizeof(ret.state), "%s", template->is_up ? "READY" : "STARTING");
    return ret;
}

/* ---- Telling ---- */

/* To whom, and for which question. */
struct listener {
    int fd;
    int64_t serial;
};

static int tell(const struct listener *to, struct cv_message *message)
{
    message->time = to->serial;
    return cv_channel_send(to->fd, message);
}

/* Appends it, after the message has gone out if it is full. 0 or -errno. */
static int tell_slot(const struct listener *to, struct cv_message *message,
                     const struct cv_control_slot *slot)
{
    if (cv_control_add_slot(message, slot))
        return 0;
    int rc = tell(to, message);
    cv_control_write_slots(message);
    (void)cv_control_add_slot(message, slot);
    return rc;
}

static int tell_status(const struct cv_desk *desk, const struct listener *to)
{
    static struct cv_message message;
    int64_t now = cv_clock_ns();
    struct cv_control_fleet fleet = describe_fleet(desk, now);
    cv_control_write_fleet(&message, &fleet, desk->how->listeners);
    int rc = tell(to, &message);
    cv_control_write_slots(&message);
    for (unsigned i = 0; rc == 0 && i < desk->crew->slots.count; i++) {
        if (cv_fleet_slot_state(desk->fleet, i) == CV_SLOT_EMPTY)
            continue;
        struct cv_control_slot slot = describe(desk, i, now);
        rc = tell_slot(to, &message, &slot);
    }
    for (size_t i = 0; rc == 0 && i < CV_COUNT(desk->crew->templates); i++) {
        if (desk->crew->templates[i].pid == 0)
            continue;
        struct cv_control_slot slot = describe_template(desk->crew, &desk->crew->templates[i], now);
        rc = tell_slot(to, &message, &slot);
    }
    return rc == 0 ? tell(to, &message) : rc;
}

static int send_regions(const struct listener *to, struct cv_message *message,
                        struct cv_files *files)
{
    message->time = to->serial;
    int rc = cv_channel_send_files(to->fd, message, files);
    for (unsigned i = 0; i < files->n; i++)
        (void)close(files->fd[i]);
    files->n = 0;
    return rc;
}

/* Also of slots where nobody serves at present: what has been counted there stays counted. */
static int tell_regions(const struct cv_desk *desk, const struct listener *to)
{
    static struct cv_message message;
    struct cv_files files = {.n = 0};
    int rc = 0;
    cv_control_write_regions(&message, desk->crew->region_kind.layout);
    for (unsigned i = 0; rc >= 0 && i < desk->crew->capacity; i++) {
        if (desk->crew->members[i].region < 0)
            continue;
        rc = cv_region_share(desk->crew->members[i].region);
        if (rc < 0)
            break;
        files.fd[files.n++] = rc;
        cv_control_add_region(&message, i);
        if (files.n < CV_CHANNEL_FILES_MAX)
            continue;
        rc = send_regions(to, &message, &files);
        cv_control_write_regions(&message, desk->crew->region_kind.layout);
    }
    int sent = files.n > 0 ? send_regions(to, &message, &files) : 0;
    return rc < 0 ? rc : sent;
}

int cv_desk_tell(const struct cv_desk *desk, enum cv_control_command command, int fd,
                 int64_t serial)
{
    static struct cv_message message;
    const struct listener to = {fd, serial};
    int rc = tell_status(desk, &to);
    if (rc < 0)
        return rc;
    if (command == CV_CONTROL_METRICS)
        rc = tell_regions(desk, &to);
    char why[128] = "";
    if (rc < 0)
        (void)snprintf(why, sizeof(why), "what workers count cannot be handed out: %s",
                       strerror(-rc));
    cv_control_write_done(&message, rc == 0, why);
    return tell(&to, &message);
}
