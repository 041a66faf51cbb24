/* The guardian's half of an upgrade. See inside.h.
 *
 * The master has become the new program, and serves: that program works. The guardian follows by
 * becoming what its master runs, whatever may lie at the path by now. Should that fail it stays
 * what it is: the two understand each other, or the trial would not have passed.
 */
#include "supervise/guardian/inside.h"

#include "base/exit.h"
#include "base/fd.h"
#include "supervise/belongings.h"
#include "supervise/containment/cgroup_handover.h"
#include "supervise/master/master.h"
#include "supervise/process/title.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char *phase_word(unsigned value)
{
    static const char *const words[] = {[CV_NOTIFY_STARTING] = "starting",
                                        [CV_NOTIFY_SERVING] = "serving",
                                        [CV_NOTIFY_RELOADING] = "reloading",
                                        [CV_NOTIFY_STOPPING] = "stopping"};
    return value < CV_COUNT(words) ? words[value] : NULL;
}

static const struct cv_handover_field guardian_fields[] = {
    CV_FIELD_LEFT(struct guardian, how), /* of the new settings */
    CV_FIELD(struct guardian, signals.hangup_ignored),
    CV_FIELD_TEXT(struct guardian, run.id),
    CV_FIELD_WORD(struct guardian, notify.phase, phase_word),
    CV_FIELD(struct guardian, notify.watchdog_every),
    CV_FIELD(struct guardian, notify.next_watchdog),
    CV_FIELD(struct guardian, notify.next_extend),
    CV_FIELD(struct guardian, notify.watchdog_due),
    CV_FIELD(struct guardian, notify.extend_due),
    CV_FIELD(struct guardian, notify.is_asking),
    CV_FIELD_FD(struct guardian, overseer.fd),
    CV_FIELD_LEFT(struct guardian, overseer.page),          /* mapped anew */
    CV_FIELD_LEFT(struct guardian, overseer.beats.looking), /* in it */
    CV_FIELD(struct guardian, overseer.beats.limit),
    CV_FIELD(struct guardian, overseer.beats.next),
    CV_FIELD(struct guardian, overseer.beats.forgiven),
    CV_FIELD_LEFT(struct guardian, overseer.pause_limit), /* of the new settings */
    CV_FIELD(struct guardian, overseer.paused_at),
    CV_FIELD(struct guardian, overseer.resumed_at),
    CV_FIELD(struct guardian, overseer.stop_by),
    CV_FIELD(struct guardian, overseer.kill_at),
    CV_FIELD_LEFT(struct guardian, cgroup),  /* a section of its own */
    CV_FIELD_LEFT(struct guardian, foreign), /* a field of its own */
    CV_FIELD(struct guardian, n_foreign),
    CV_FIELD_LEFT(struct guardian, signal_fd), /* opened anew */
    CV_FIELD_FD(struct guardian, ready),
    CV_FIELD_FD(struct guardian, terminal),
    CV_FIELD(struct guardian, hung_up_at),
    CV_FIELD_FD(struct guardian, channel),
    CV_FIELD(struct guardian, master),
    CV_FIELD_FD(struct guardian, master_fd),
};

/* ---- Becoming ---- */

static int export_all(const struct guardian *guardian, int settings, struct cv_handover *to,
                      struct cv_span *ret)
{
    size_t foreign = (size_t)guardian->n_foreign * sizeof(*guardian->foreign);
    cv_handed_begin(to, CV_HANDED_GUARDIAN, getpid(), settings, -1);
    cv_belongings_export(guardian->how, to);
    cv_cgroup_export(&guardian->cgroup, to);
    cv_handover_section(to, "guardian");
    cv_handover_put_fields(to, guardian_fields, CV_COUNT(guardian_fields), guardian);
    cv_handover_put_bytes(to, "foreign", cv_span(guardian->foreign, foreign));
    return cv_handover_end(to, ret);
}

/* Something of the master's, by the name /proc has for it. */
static int open_of_master(const struct guardian *guardian, const char *what, int flags)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)guardian->master, what);
    int fd = open(path, flags | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

static int become(const struct guardian *guardian, int settings)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "fd/%d", settings);
    CV_AUTOCLOSE int program = open_of_master(guardian, "exe", O_PATH);
    CV_AUTOCLOSE int file = settings >= 0 ? open_of_master(guardian, name, O_RDONLY) : -1;
    if (program < 0 || (settings >= 0 && file < 0))
        return program < 0 ? program : file;
    struct cv_handover to;
    struct cv_span record = cv_span(NULL, 0);
    int rc = export_all(guardian, file, &to, &record);
    CV_AUTOCLOSE int sealed = rc == 0 ? cv_handed_seal(record) : rc;
    rc = sealed >= 0 ? cv_handed_become(program, sealed, record, guardian->how->argv) : sealed;
    cv_handover_done(&to);
    return rc;
}

void cv_guardian_become(const struct guardian *guardian, int settings)
{
    int rc = become(guardian, settings);
    cv_warn("the guardian goes on with the old program, cannot become the master's: %s",
            strerror(-rc));
}

/* ---- Taking over ---- */

static int import_foreign(struct guardian *guardian, const struct cv_handover_section *from)
{
    struct cv_span pids = cv_handover_get_bytes(from, "foreign");
    bool fits = guardian->n_foreign >= 0 && guardian->n_foreign <= CV_GUARDIAN_FOREIGN_MAX &&
                pids.len == (size_t)guardian->n_foreign * sizeof(*guardian->foreign);
    if (!fits)
        return -EBADMSG;
    if (pids.len > 0)
        memcpy(guardian->foreign, pids.at, pids.len);
    return 0;
}

static int import_all(struct guardian *guardian, struct cv_supervise *how, struct cv_span record)
{
    char reason[256];
    struct cv_handover_section section = cv_handover_find(record, "guardian");
    int rc = cv_belongings_import(how, record, reason, sizeof(reason));
    if (rc == 0)
        rc = cv_handover_get_fields(&section, guardian_fields, CV_COUNT(guardian_fields), guardian);
    if (rc == 0)
        rc = cv_cgroup_import(&guardian->cgroup, record);
    if (rc == 0)
        rc = import_foreign(guardian, &section);
    if (rc == 0)
        rc = cv_overseer_map(guardian->overseer.fd, &guardian->overseer.page);
    if (rc < 0)
        return rc;
    guardian->overseer.beats.looking = &guardian->overseer.page->looking;
    guardian->overseer.pause_limit = how->fleet.pause_timeout;
    return 0;
}

/* From here on it is an ordinary guardian; if it cannot be one, its master ends everything. */
int cv_guardian_resume(struct cv_supervise *how, const struct cv_handed *handed)
{
    static struct guardian guardian;
    guardian = (struct guardian){.how = how};
    cv_signals_take(&guardian.signals);
    guardian.signal_fd = cv_signals_open();
    int rc =
        guardian.signal_fd >= 0 ? import_all(&guardian, how, handed->record) : guardian.signal_fd;
    if (handed->settings >= 0)
        (void)close(handed->settings);
    if (rc < 0) {
        cv_error("the new program's guardian cannot take over: %s", strerror(-rc));
        return CV_EXIT_INTERNAL;
    }
    cv_title_set(how->name, "guardian", NULL);
    (void)raise(SIGCHLD); /* one may have come meanwhile: the loop looks */
    return cv_guardian_serve(&guardian);
}

/* ---- For all roles ---- */

int cv_supervise_try(struct cv_supervise *how, const struct cv_handed *handed, char *reason,
                     size_t cap)
{
    return cv_master_try(how, handed, reason, cap);
}

int cv_supervise_resume(struct cv_supervise *how, const struct cv_handed *handed)
{
    if (handed->role == CV_HANDED_GUARDIAN)
        return cv_guardian_resume(how, handed);
    _exit(cv_master_resume(how, handed));
}
