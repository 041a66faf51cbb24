/* The log files are opened anew, and everybody gets them. See inside.h.
 *
 * Every process answers when it writes to the new ones. A worker that is blocked takes them when it
 * comes round its loop; one that is born meanwhile has them from the master.
 */
#include "supervise/master/inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void hand_to(int channel, const char *who, uint32_t serial, const struct cv_log_files *files,
                    uint32_t *taken, bool *keeps)
{
    int rc = cv_logs_send(channel, serial, files);
    *keeps = rc < 0;
    if (rc == 0)
        return;
    *taken = serial;
    cv_error("%s keeps the old log files: %s", who, strerror(-rc));
}

static void hand_out(struct master *master, const struct cv_log_files *files)
{
    struct cv_crew *crew = &master->crew;
    hand_to(master->channel, "the guardian", crew->logs, files, &crew->guardian_logs,
            &crew->guardian_keeps_logs);
    for (unsigned i = 0; i < crew->slots.count; i++) {
        struct cv_member *member = &crew->members[i];
        if (member->channel < 0) /* a foreign program: it writes on to what it was started with */
            member->logs = crew->logs;
        else if (member->pid != 0)
            hand_to(member->channel, member->who.text, crew->logs, files, &member->logs,
                    &member->keeps_logs);
    }
    /* What they make from now on has the files from them; nobody waits for their answer. */
    for (size_t i = 0; i < CV_COUNT(crew->templates); i++) {
        const struct cv_template *template = &crew->templates[i];
        if (template->pid != 0 && cv_logs_send(template->channel, crew->logs, files) < 0)
            cv_master_drop_template(master, template->generation);
    }
}

void cv_master_hand_logs(struct master *master, unsigned slot)
{
    struct cv_member *member = &master->crew.members[slot];
    const struct cv_logs *logs = master->how->logs;
    const struct cv_log_files files = {.log = logs->log[0] != '\0' ? STDERR_FILENO : -1,
                                       .access = logs->access_fd};
    hand_to(member->channel, member->who.text, master->crew.logs, &files, &member->logs,
            &member->keeps_logs);
}

int cv_master_reopen(struct master *master, char *reason, size_t cap)
{
    const struct cv_logs *logs = master->how->logs;
    struct cv_log_files files;
    if (!cv_logs_are_files(logs)) {
        (void)snprintf(reason, cap,
                       "there are no log files to reopen (LOG_FILE, ACCESS_LOG_FILE): what is "
                       "written to standard error and output is for others to keep");
        cv_warn("%s", reason);
        return -ENOENT;
    }
    int rc = cv_logs_open(logs, &files, reason, cap);
    if (rc < 0) {
        cv_error("%s; the old ones stay", reason);
        return rc;
    }
    master->crew.logs++;
    hand_out(master, &files);
    (void)cv_logs_replace(logs, &files);
    cv_info("the log files have been opened anew");
    return 0;
}

/* What it says may be a lie; only its own place is written. */
static void note(uint32_t serial, const struct cv_message *message, const char *who,
                 uint32_t *taken, bool *keeps)
{
    if (message->word[0] != serial)
        return; /* of an opening before the last: another answer is to come */
    *taken = serial;
    *keeps = message->word[1] != 0;
    if (*keeps)
        cv_error("%s keeps the old log files: it may open no more descriptors", who);
}

void cv_master_on_reopened(struct master *master, unsigned slot, const struct cv_message *message)
{
    struct cv_member *member = &master->crew.members[slot];
    note(master->crew.logs, message, member->who.text, &member->logs, &member->keeps_logs);
}

void cv_master_on_guardian_reopened(struct master *master, const struct cv_message *message)
{
    note(master->crew.logs, message, "the guardian", &master->crew.guardian_logs,
         &master->crew.guardian_keeps_logs);
}
