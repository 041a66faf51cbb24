/* What the master hands over to the program it becomes. See inside.h and
 * handover/handover.h. */
#include "supervise/master/inside.h"

#include "supervise/belongings.h"
#include "supervise/containment/cgroup_handover.h"
#include "supervise/crew/handover.h"
#include "supervise/policy/fleet_handover.h"
#include "supervise/sockets/seating_handover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct cv_handover_field master_fields[] = {
    CV_FIELD_LEFT(struct master, how),   /* of the new settings */
    CV_FIELD_LEFT(struct master, run),   /* a field of its own */
    CV_FIELD_LEFT(struct master, fleet), /* these have tables of their own */
    CV_FIELD_LEFT(struct master, crew),
    CV_FIELD_LEFT(struct master, seating),
    CV_FIELD_LEFT(struct master, beats.looking), /* in the state pages */
    CV_FIELD_LEFT(struct master, beats.limit),   /* of the new settings */
    CV_FIELD(struct master, beats.next),
    CV_FIELD(struct master, beats.forgiven),
    CV_FIELD_LEFT(struct master, doings.of), /* sections of their own */
    CV_FIELD_LEFT(struct master, doings.n),
    CV_FIELD_LEFT(struct master, doings.slow), /* of the new settings */
    CV_FIELD(struct master, doings.next),
    CV_FIELD_LEFT(struct master, desk.how), /* set anew, and what follows */
    CV_FIELD_LEFT(struct master, desk.fleet),
    CV_FIELD_LEFT(struct master, desk.crew),
    CV_FIELD_LEFT(struct master, desk.feed),
    CV_FIELD_LEFT(struct master, desk.reload),
    CV_FIELD_LEFT(struct master, desk.upgrade),
    CV_FIELD_LEFT(struct master, desk.reload_waits),
    CV_FIELD_LEFT(struct master, desk.reopen),
    CV_FIELD_LEFT(struct master, desk.arg),
    CV_FIELD(struct master, desk.guardian),
    CV_FIELD_LEFT(struct master, desk.control.epoll),
    CV_FIELD_LEFT(struct master, desk.control.listener),  /* of the belongings */
    CV_FIELD_LEFT(struct master, desk.control.accept_at), /* all are let in anew */
    CV_FIELD(struct master, desk.control.arrivals),
    CV_FIELD_LEFT(struct master, desk.control.client), /* sections of their own */
    CV_FIELD(struct master, desk.opened_at),
    CV_FIELD(struct master, desk.reloaded),
    CV_FIELD(struct master, desk.reload_failed),
    CV_FIELD(struct master, desk.refusals),
    CV_FIELD(struct master, desk.upgrades),
    CV_FIELD_TEXT(struct master, desk.why),
    CV_FIELD_LEFT(struct master, epoll), /* opened anew */
    CV_FIELD_LEFT(struct master, signal_fd),
    CV_FIELD_FD(struct master, channel),
    CV_FIELD_LEFT(struct master, beat), /* mapped anew */
    CV_FIELD_FD(struct master, beat_fd),
    CV_FIELD_FD(struct master, guardian_fd),
    CV_FIELD(struct master, suspended),
    CV_FIELD(struct master, generation),
    CV_FIELD_FD(struct master, hearing),
    CV_FIELD(struct master, settle_at),
    CV_FIELD(struct master, has_refused),
    CV_FIELD_LEFT(struct master, reload_wanted), /* what follows the upgrade is one */
    CV_FIELD_LEFT(struct master, edits),         /* opened anew */
    CV_FIELD_LEFT(struct master, edited_at),
    CV_FIELD(struct master, strays_due),
    CV_FIELD_TEXT(struct master, own_path),
    CV_FIELD_LEFT(struct master, upgrade), /* it is done */
    CV_FIELD_LEFT(struct master, over),
    CV_FIELD_LEFT(struct master, code),
};

static const struct cv_handover_field client_fields[] = {
    CV_FIELD_FD(struct cv_control_client, fd),
    CV_FIELD_LEFT(struct cv_control_client, epoll), /* watched anew */
    CV_FIELD(struct cv_control_client, arrival),
    CV_FIELD(struct cv_control_client, wait.command),
    CV_FIELD(struct cv_control_client, wait.number),
    CV_FIELD(struct cv_control_client, wait.kind),
    CV_FIELD(struct cv_control_client, wait.start),
    CV_FIELD(struct cv_control_client, wait.refusals),
};

static const struct cv_handover_field doing_fields[] = {
    CV_FIELD_TEXT(struct cv_doing, what),
    CV_FIELD(struct cv_doing, since),
    CV_FIELD(struct cv_doing, say_at),
};

static void export_parts(const struct master *master, struct cv_handover *to)
{
    for (int i = 0; i < CV_CONTROL_CLIENTS; i++) {
        const struct cv_control_client *client = &master->desk.control.client[i];
        if (master->desk.control.epoll < 0 || client->fd < 0)
            continue;
        cv_handover_section(to, "client");
        cv_handover_put(to, "client", i);
        cv_handover_put_fields(to, client_fields, CV_COUNT(client_fields), client);
    }
    for (unsigned i = 0; i < master->doings.n; i++) {
        if (master->doings.of[i].what[0] == '\0')
            continue;
        cv_handover_section(to, "doing");
        cv_handover_put(to, "slot", i);
        cv_handover_put_fields(to, doing_fields, CV_COUNT(doing_fields), &master->doings.of[i]);
    }
}

int cv_master_export(const struct master *master, enum cv_handed_role role, int answer,
                     struct cv_handover *to, struct cv_span *ret)
{
    cv_handed_begin(to, role, getpid(), master->upgrade.settings, answer);
    cv_belongings_export(master->how, to);
    cv_handover_section(to, "master");
    cv_handover_put_text(to, "run", master->run->id);
    cv_handover_put(to, "workers", master->how->fleet.workers);
    cv_handover_put_fields(to, master_fields, CV_COUNT(master_fields), master);
    cv_fleet_export(master->fleet, to);
    cv_crew_export(&master->crew, to);
    cv_cgroup_export(master->crew.cgroup, to);
    if (master->crew.seating != NULL)
        cv_seating_export(&master->seating, to);
    export_parts(master, to);
    return cv_handover_end(to, ret);
}

/* ---- Reading ---- */

static int import_client(struct master *master, const struct cv_handover_section *from)
{
    int64_t i = cv_handover_get(from, "client", -1);
    if (i < 0 || i >= CV_CONTROL_CLIENTS)
        return -EBADMSG;
    return cv_handover_get_fields(from, client_fields, CV_COUNT(client_fields),
                                  &master->desk.control.client[i]);
}

static int import_doing(struct master *master, const struct cv_handover_section *from)
{
    int64_t i = cv_handover_get(from, "slot", -1);
    if (i < 0 || i >= master->doings.n)
        return -EBADMSG;
    return cv_handover_get_fields(from, doing_fields, CV_COUNT(doing_fields),
                                  &master->doings.of[i]);
}

static int import_parts(struct master *master, struct cv_span record)
{
    struct cv_handover_section section;
    int rc = 0;
    for (int i = 0; i < CV_CONTROL_CLIENTS; i++)
        master->desk.control.client[i].fd = -1;
    for (size_t at = 0; rc == 0 && cv_handover_next(record, &at, &section);) {
        if (cv_span_eq(section.name, CV_SPAN("client")))
            rc = import_client(master, &section);
        else if (cv_span_eq(section.name, CV_SPAN("doing")))
            rc = import_doing(master, &section);
    }
    return rc;
}

static int import_own(struct master *master, struct cv_run *run, struct cv_span record)
{
    struct cv_handover_section section = cv_handover_find(record, "master");
    struct cv_span id = cv_handover_get_bytes(&section, "run");
    if (id.len == 0 || id.len >= sizeof(run->id))
        return -EBADMSG;
    memcpy(run->id, id.at, id.len);
    run->id[id.len] = '\0';
    master->run = run;
    return cv_handover_get_fields(&section, master_fields, CV_COUNT(master_fields), master);
}

/* Whether workers have listeners of their own is not changed by an upgrade: they are bound. */
static int import_seating(struct master *master, struct cv_span record)
{
    int rc = cv_seating_import(&master->seating, master->how->listeners,
                               master->how->fleet.capacity, record);
    if (rc == 1)
        master->crew.seating = &master->seating;
    return rc < 0 ? rc : 0;
}

int cv_master_import(struct master *master, struct cv_run *run, struct cv_cgroup *cgroup,
                     struct cv_supervise *how, struct cv_span record, char *reason, size_t cap)
{
    int rc = cv_belongings_import(how, record, reason, cap);
    if (rc < 0)
        return rc;
    *master = (struct master){.how = how, .guardian_fd = -1};
    cv_master_upgrade_init(&master->upgrade);
    rc = cv_fleet_import(&how->fleet, record, &master->fleet);
    if (rc == 0)
        rc = cv_crew_import(&master->crew, record);
    if (rc == 0 && master->crew.slots.count != cv_fleet_slots(&how->fleet))
        rc = -EBADMSG;
    if (rc == 0)
        rc = cv_cgroup_import(cgroup, record);
    master->crew.cgroup = cgroup;
    if (rc == 0)
        rc = import_seating(master, record);
    if (rc == 0)
        rc = cv_doings_init(&master->doings, cv_fleet_slots(&how->fleet), how->slow_listener);
    if (rc == 0)
        rc = import_own(master, run, record);
    if (rc == 0)
        rc = import_parts(master, record);
    if (rc < 0)
        (void)snprintf(reason, cap, "what the server hands over cannot be read: %s", strerror(-rc));
    return rc;
}
